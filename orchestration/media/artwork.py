"""Make a title's poster and thumbnails from its master.

Pictures are taken at even distances and prepared as renditions are: progressive, HDR mapped to SDR. The poster is the
one with most detail, judged by the size of its JPEG, which keeps fades and black frames off the shelf.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import ffmpeg

from orchestration.media.errors import PackagingError
from orchestration.media.picture import in_eight_bits, in_jpeg_colours, progressive_picture, scaled
from orchestration.media.process import run_program
from orchestration.media.programs import compile_ffmpeg
from orchestration.media.report import ProbeReport

THUMBNAILS = 4
THUMBNAIL_BOX = (320, 320)
POSTER_BOX = (1280, 1280)
TIMEOUT_S = 120
POSTER_NAME = "poster.jpg"


@dataclass(frozen=True, kw_only=True)
class Artwork:
    """Files of a title's artwork; ``poster_at_s`` is where in the film the poster was taken."""

    poster: Path
    thumbnails: list[Path]
    poster_at_s: float
    cpu_s: float

    @property
    def files(self) -> list[Path]:
        """Poster, then thumbnails."""
        return [self.poster, *self.thumbnails]


def draw_artwork(master: Path, report: ProbeReport, folder: Path) -> Artwork:
    """Write poster.jpg and thumb-01.jpg ... into ``folder``.

    Raises:
        ProgramError: ffmpeg failed.
        PackagingError: No picture could be taken.
    """
    duration_s = report.video.duration_s
    moments_s = [duration_s * (number + 0.5) / THUMBNAILS for number in range(THUMBNAILS)]
    taken: list[tuple[float, Path]] = []
    cpu_s = 0.0
    for number, moment_s in enumerate(moments_s, start=1):
        thumbnail = folder / f"thumb-{number:02d}.jpg"
        cpu_s += _take_picture(master, report, moment_s, THUMBNAIL_BOX, thumbnail)
        if thumbnail.is_file():
            taken.append((moment_s, thumbnail))
    if not taken:
        raise PackagingError(f"no picture of {master.name} could be taken; probe it again")
    poster_at_s, largest = max(taken, key=lambda item: item[1].stat().st_size)
    poster = folder / POSTER_NAME
    cpu_s += _take_picture(master, report, poster_at_s, POSTER_BOX, poster)
    if not poster.is_file():
        raise PackagingError(f"{master.name} gave {largest.name} but no poster at {poster_at_s:.1f} s")
    return Artwork(poster=poster, thumbnails=[path for _, path in taken], poster_at_s=poster_at_s, cpu_s=cpu_s)


def _take_picture(master: Path, report: ProbeReport, moment_s: float, box: tuple[int, int], target: Path) -> float:
    """Write one picture, fitted into ``box``; returns CPU seconds. At the very end of a film there may be none."""
    width, height = _fit(report.video.width, report.video.height, box)
    source = ffmpeg.input(str(master), ss=f"{moment_s:.3f}")
    picture = in_eight_bits(scaled(progressive_picture(source, report.video), width, height), report.video)
    output = ffmpeg.output(
        in_jpeg_colours(picture),
        str(target),
        **{"frames:v": 1, "q:v": 4, "fflags": "+bitexact", "update": 1},
    )
    return run_program(compile_ffmpeg([output]), timeout_s=TIMEOUT_S).cpu_s


def _fit(width: int, height: int, box: tuple[int, int]) -> tuple[int, int]:
    scale = min(box[0] / width, box[1] / height, 1.0)
    return max(round(width * scale / 2) * 2, 2), max(round(height * scale / 2) * 2, 2)
