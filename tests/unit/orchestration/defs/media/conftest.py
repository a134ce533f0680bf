"""A home of its own for each test, and small films to deliver there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from orchestration.media.process import run_program
from orchestration.media.programs import find_ffmpeg
from orchestration.settings import Settings, read_settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    read = read_settings({"MATINEE_HOME": str(tmp_path)})
    read.masters_folder.mkdir(parents=True)
    return read


@pytest.fixture
def make_film() -> Callable[[Path], Path]:
    """A function that makes a film of four seconds with a tone."""

    def make(path: Path) -> Path:
        command = [
            find_ffmpeg(), "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=160x120:d=4", "-f", "lavfi", "-i",
            "sine=d=4", "-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac", str(path),
        ]  # fmt: skip
        run_program(command, timeout_s=60)
        return path

    return make
