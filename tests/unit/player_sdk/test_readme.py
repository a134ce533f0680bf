"""What the SDK's README shows to developers passes a strict type check; that it runs, the SDK's own tests say."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def test_the_examples_of_the_readme_are_typed(tmp_path):
    text = (ROOT / "player_sdk" / "README.md").read_text(encoding="utf-8")
    examples = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    package = tmp_path / "sdk_readme"  # as the project's settings know them
    package.mkdir()
    (package / "__init__.py").touch()
    files = [package / f"example_{number}.py" for number in range(len(examples))]
    for file, code in zip(files, examples, strict=True):
        file.write_text(code, encoding="utf-8")
    # By the project's own settings, so that what `make types` has read is not read again.
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *map(str, files)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    assert f"{len(examples)} source files" in done.stdout
