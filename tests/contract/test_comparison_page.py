"""`docs/media-comparison.md` claims of Matinee only what a test shows: every test and file that it names is there."""

import re
from pathlib import Path

PROJECT = Path(__file__).parents[2]
PAGE = (PROJECT / "docs" / "media-comparison.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.partition("## ")[0].splitlines()
    if line.startswith("| ") and not line.startswith("| **") and not line.startswith("| |")
]


def test_every_test_and_file_that_is_named_exists() -> None:
    sources = "\n".join(
        path.read_text(encoding="utf-8")
        for path in (PROJECT / "tests").rglob("test_*.py")
        if "node_modules" not in path.parts
    )
    named = re.findall(r"`(test_\w+)`", PAGE)
    assert named
    assert [name for name in named if f"def {name}(" not in sources] == []
    assert [
        path
        for path in re.findall(r"`((?:tests|benchmarks|orchestration)/[\w/.]+)`", PAGE)
        if not (PROJECT / path).exists()
    ] == []


def test_every_claim_has_something_that_shows_it() -> None:
    claims = [row for row in ROWS if not row[1].startswith(("no", "not yet"))]
    assert len(claims) > 15
    assert [row[0] for row in claims if not row[-1]] == []
