import json
import os
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


def test_what_cannot_be_read_does_not_keep_a_probe_from_the_other_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    odd, last = tmp_path / os.fsdecode(b"caf\xe9.mp4"), tmp_path / "last.mp4"
    for file in (odd, last):
        file.write_text("no film")
    files = [tmp_path / "nowhere.mp4", tmp_path, odd, last]
    assert app(["probe", *map(str, files)], result_action="return_value") == 1
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [report["file"] for report in told] == ["nowhere.mp4", tmp_path.name, r"caf\xe9.mp4", "last.mp4"]
    assert all(report["verdict"] == "rejected" and report["reasons"] and report["hints"] for report in told)
    assert "No such file" in told[0]["reasons"][0]
    assert told[2]["reasons"] == ["the file's name is not UTF-8"]


def test_a_probe_of_nothing_is_a_mistake_and_not_a_success(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        app(["probe"])
    assert ended.value.code == 2
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("command", ["plan", "why"])
def test_a_list_of_regions_has_no_option_that_empties_it(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    app([command, "--help"], result_action="return_value")
    told = capsys.readouterr().out
    assert "--region" in told
    assert "--empty" not in told
