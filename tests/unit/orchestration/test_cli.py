import json
from pathlib import Path

import pytest

from orchestration.cli import app


def test_a_probe_tells_of_each_file_and_ends_with_1_when_one_cannot_be_a_master(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [tmp_path / "notes.txt", tmp_path / "empty.mp4"]
    files[0].write_text("no film")
    files[1].touch()
    assert app(["probe", *map(str, files)], result_action="return_value") == 1
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(report["file"], report["verdict"]) for report in told] == [
        ("notes.txt", "rejected"),
        ("empty.mp4", "rejected"),
    ]


@pytest.mark.parametrize("files", [[], ["nowhere.mp4"]])
def test_a_probe_of_nothing_is_a_mistake_and_not_a_success(
    files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        app(["probe", *files])
    assert ended.value.code == 2
    assert capsys.readouterr().out == ""
