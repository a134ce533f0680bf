from __future__ import annotations

import subprocess
import sys

import ffmpeg
import pytest

from orchestration.media.errors import ProgramMissing
from orchestration.media.programs import compile_ffmpeg, find_ffmpeg, find_ffprobe, find_packager


@pytest.mark.parametrize(
    ("find", "argument", "said"),
    [
        (find_ffmpeg, "-version", "ffmpeg"),
        (find_ffprobe, "-version", "ffprobe"),
        (find_packager, "--version", "packager"),
    ],
)
def test_wheels_bring_programs_that_run(find, argument, said) -> None:
    output = subprocess.run([find({}), argument], capture_output=True, text=True, check=True)
    assert said in output.stdout + output.stderr


def test_the_environment_names_another_program() -> None:
    assert find_ffmpeg({"MATINEE_FFMPEG": sys.executable}) != find_ffmpeg({})


def test_a_wrong_name_in_the_environment_is_an_error() -> None:
    with pytest.raises(ProgramMissing, match="MATINEE_PACKAGER names /nowhere/packager"):
        find_packager({"MATINEE_PACKAGER": "/nowhere/packager"})


@pytest.mark.parametrize("count", [1, 2])
def test_one_process_writes_every_output_and_says_nothing_but_errors(tmp_path, count) -> None:
    picture = ffmpeg.input("testsrc2=s=64x36:r=25:d=0.2", f="lavfi")
    files = [tmp_path / f"{number}.mp4" for number in range(count)]
    command = compile_ffmpeg([ffmpeg.output(picture, str(file)) for file in files], "-copyts")
    for _ in range(2):  # the second time over the files of the first
        ran = subprocess.run(command, capture_output=True, check=True)
        assert (ran.stdout, ran.stderr) == (b"", b"")
    assert all(file.stat().st_size > 0 for file in files)
    assert command.count("-copyts") == 1
