from __future__ import annotations

import subprocess
import sys

import pytest

from orchestration.media.errors import ProgramMissing
from orchestration.media.programs import find_ffmpeg, find_ffprobe, find_packager


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
