import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[3]
APPLICATION = """
import sys
from playback_api.framework import MsgspecLitestar
MsgspecLitestar([], openapi_config=None, logging_config=None)
print(sorted({"attr", "pydantic"} & set(sys.modules)))
"""


def test_an_application_starts_without_the_libraries_of_other_models() -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", APPLICATION], cwd=PROJECT, capture_output=True, text=True, check=True
    ).stdout
    assert loaded.strip() == "[]"
