"""Tiny real media for the tests of this folder, made once per session by the real ffmpeg."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from orchestration.media.process import run_program
from orchestration.media.programs import find_ffmpeg


def _make_film(path: Path, *arguments: str, size: str = "320x180", rate: str = "25", duration_s: float = 2.0) -> Path:
    """A test card with a tone; ``arguments`` are ffmpeg output options."""
    command = [
        find_ffmpeg(), "-v", "error", "-y", "-f", "lavfi", "-i", f"testsrc2=s={size}:r={rate}:d={duration_s}",
        "-f", "lavfi", "-i", f"sine=d={duration_s}:r=48000", "-c:v", "libx264", "-preset", "ultrafast",
        "-pix_fmt", "yuv420p", "-c:a", "aac", *arguments, str(path),
    ]  # fmt: skip
    run_program(command, timeout_s=60)
    return path


@pytest.fixture(scope="session")
def make_film() -> Callable[..., Path]:
    """A function that makes one."""
    return _make_film


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten seconds of 854x480 at 25 frames per second, with sound."""
    return _make_film(tmp_path_factory.mktemp("film") / "Test Film.mp4", size="854x480", duration_s=10)


@pytest.fixture(scope="session")
def silent_film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds without sound."""
    return _make_film(tmp_path_factory.mktemp("film") / "silent.mp4", "-an")
