import re
import subprocess
import sys
from pathlib import Path

import player_sdk

README = Path(__file__).resolve().parents[1] / "README.md"


def test_everything_promised_is_there_and_nothing_twice():
    assert len(set(player_sdk.__all__)) == len(player_sdk.__all__)
    for name in player_sdk.__all__:
        assert getattr(player_sdk, name).__doc__, f"{name} has no docstring"


def test_importing_the_player_pulls_in_no_test_doubles_and_nothing_heavy():
    code = (
        "import sys, player_sdk; "
        "print(sorted({name.split('.')[0] for name in sys.modules}), 'player_sdk.testing' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.rstrip().endswith("False")
    for heavy in ("numpy", "av", "cryptography", "dagster", "litestar", "playback_api", "orchestration", "ml"):
        assert f"'{heavy}'" not in done.stdout


def test_the_examples_of_the_readme_run():
    examples = re.findall(r"<!-- tested -->\n```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert len(examples) == 3
    outputs = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        for code in examples
    ]
    assert outputs[0].startswith("started after ")
    assert outputs[1] == "origin completed completed\n"
    assert outputs[2].startswith("stopped 2026-03-01 20:00:3")
