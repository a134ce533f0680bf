"""Draw a title's storyboard: sheets of small pictures, which players show while a viewer seeks.

The pictures come from the key frames of the smallest rung that stands in the store: they are upright, of the right
colours and few, so a two-hour film costs seconds whatever its master is. What manifests say of a storyboard stands in
`image_tracks.py`.
"""

from __future__ import annotations

import math
from pathlib import Path

import ffmpeg
import msgspec

from orchestration.media.errors import PackagingError
from orchestration.media.picture import in_jpeg_colours
from orchestration.media.process import run_program
from orchestration.media.programs import compile_ffmpeg
from orchestration.media.renditions import RenditionRecord

TILE_BOX = (160, 160)
COLUMNS, ROWS = 5, 5
MAX_TILES = 720
"""A two-hour film gets a picture every ten seconds; a shorter one has them closer, down to every key frame."""
SHEET_PATTERN = "storyboard-%03d.jpg"
TIMEOUT_BASE_S, TIMEOUT_PER_FILM_S = 60, 1


class Sheet(msgspec.Struct, frozen=True, kw_only=True):
    """One JPEG with a grid of pictures."""

    name: str
    size_bytes: int


class Storyboard(msgspec.Struct, frozen=True, kw_only=True):
    """All sheets of a title. Pictures run from left to right, then down; the last sheet may have black ones at its end.

    Attributes:
        interval_s: From picture to picture.
        tiles: How many pictures there are.
        duration_s: Of the film.
    """

    tile_width: int
    tile_height: int
    columns: int
    rows: int
    interval_s: float
    tiles: int
    duration_s: float
    sheets: list[Sheet]

    @property
    def tiles_per_sheet(self) -> int:
        """Places on a sheet."""
        return self.columns * self.rows

    @property
    def sheet_duration_s(self) -> float:
        """How much of the film a full sheet covers."""
        return self.tiles_per_sheet * self.interval_s

    def tile_start_s(self, tile: int) -> float:
        """From when on a picture stands for the film."""
        return tile * self.interval_s

    def tile_end_s(self, tile: int) -> float:
        """Until when."""
        return min((tile + 1) * self.interval_s, self.duration_s)


class DrawnStoryboard(msgspec.Struct, frozen=True, kw_only=True):
    """A storyboard, its files, and what they cost."""

    storyboard: Storyboard
    files: list[Path]
    cpu_s: float


def draw_storyboard(
    pictures: Path, record: RenditionRecord, keyframe_interval_s: float, folder: Path
) -> DrawnStoryboard:
    """Write the sheets of a storyboard into ``folder``.

    Args:
        pictures: A video rendition as one file in the clear.
        record: Of that rendition.
        keyframe_interval_s: How far apart its key frames are; pictures are this far apart or a multiple of it.
        folder: Takes the sheets.

    Raises:
        ProgramError: ffmpeg failed.
        PackagingError: It drew another number of sheets than the film has.
    """
    duration_s = record.duration_s
    interval_s = picture_interval_s(duration_s, keyframe_interval_s)
    tiles = max(math.ceil(duration_s / interval_s - 1e-6), 1)
    columns = min(tiles, COLUMNS)
    rows = min(math.ceil(tiles / columns), ROWS)
    width, height = _tile_size(record.rendition.width, record.rendition.height)
    command = _draw_command(pictures, interval_s, tiles, (width, height), (columns, rows), folder)
    result = run_program(command, timeout_s=TIMEOUT_BASE_S + TIMEOUT_PER_FILM_S * duration_s)
    files = sorted(folder.glob("storyboard-*.jpg"))
    wanted = math.ceil(tiles / (columns * rows))
    if len(files) != wanted:
        raise PackagingError(f"{wanted} sheets of a storyboard were to be drawn and {len(files)} are there")
    storyboard = Storyboard(
        tile_width=width,
        tile_height=height,
        columns=columns,
        rows=rows,
        interval_s=interval_s,
        tiles=tiles,
        duration_s=duration_s,
        sheets=[Sheet(name=file.name, size_bytes=file.stat().st_size) for file in files],
    )
    return DrawnStoryboard(storyboard=storyboard, files=files, cpu_s=result.cpu_s)


def picture_interval_s(duration_s: float, keyframe_interval_s: float) -> float:
    """The smallest multiple of the key frame interval that needs no more than ``MAX_TILES`` pictures."""
    return keyframe_interval_s * max(math.ceil(duration_s / MAX_TILES / keyframe_interval_s), 1)


def _draw_command(
    pictures: Path, interval_s: float, tiles: int, tile: tuple[int, int], grid: tuple[int, int], folder: Path
) -> list[str]:
    source = ffmpeg.input(str(pictures), skip_frame="nokey")
    picture = source.video.filter("fps", fps=f"1/{interval_s:g}", start_time=0, round="down", eof_action="pass")
    # A film's last picture may be due after its last key frame; it is then shown again.
    picture = picture.filter("tpad", stop=-1, stop_mode="clone").filter("trim", end_frame=tiles)
    picture = in_jpeg_colours(picture.filter("scale", *tile).filter("setsar", 1))
    sheets = picture.filter("tile", f"{grid[0]}x{grid[1]}")
    output = ffmpeg.output(
        sheets, str(folder / SHEET_PATTERN), **{"q:v": 5, "fflags": "+bitexact", "fps_mode": "passthrough"}
    )
    return compile_ffmpeg([output])


def _tile_size(width: int, height: int) -> tuple[int, int]:
    scale = min(TILE_BOX[0] / width, TILE_BOX[1] / height, 1.0)
    return max(round(width * scale / 2) * 2, 2), max(round(height * scale / 2) * 2, 2)
