"""Pictures: storyboards as HLS, DASH and WebVTT tell of them, held against the sheets themselves; and the poster.

The image playlist of HLS is Roku's, the tiles of DASH are DASH-IF's (IOP, 6.2.6). A sheet is a grid of pictures that
stand for equal stretches of the title, the last sheet for what is left of it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from orchestration.media.check.findings import Finding, error
from orchestration.media.check.jpeg import jpeg_size
from orchestration.media.check.package import CheckedPackage
from orchestration.media.check.playlist import attributes, fill_number, parse_playlist, read_number
from orchestration.media.check.rates import TOLERANCE_SHARE

DURATION_TOLERANCE_S = 0.1
CUE_TOLERANCE_S = 0.002
_SIZE = re.compile(r"(\d+)x(\d+)")
_CUE = re.compile(r"^([\d:.]+) --> ([\d:.]+)[^\n]*\n(\S+)#xywh=(\d+),(\d+),(\d+),(\d+)$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Sheets:
    """The sheets of a storyboard as one manifest tells of them.

    Attributes:
        bandwidth: As declared; None when it is no number.
        width, height: Of a sheet, in pixels.
        sheet_s: How much of the title a full sheet stands for.
    """

    keys: Sequence[str]
    bandwidth: float | None
    width: int
    height: int
    sheet_s: float


def check_image_playlists(package: CheckedPackage, key: str, lines: list[str]) -> Iterator[Finding]:
    """Every image playlist of a multivariant playlist: whole, as long as the title, and true of its sheets."""
    for line in lines:
        if not line.startswith("#EXT-X-IMAGE-STREAM-INF:"):
            continue
        named = attributes(line)
        name = named.get("URI", "")
        found = package.use(key, name)
        text = None if found is None else package.read_text(found)
        if found is None or text is None:
            yield error("image-playlist", key, f"names {name!r}, which is no object of the package")
            continue
        playlist = parse_playlist(package, found, text)
        lasts_s = sum(playlist.durations_s)
        if playlist.fault or playlist.unlisted or "#EXT-X-ENDLIST" not in playlist.tags:
            reason = playlist.fault or (f"{playlist.unlisted[0]} is no object" if playlist.unlisted else "no ENDLIST")
            yield error("image-playlist", found, reason)
            continue
        if abs(lasts_s - package.record.duration_s) > DURATION_TOLERANCE_S:
            message = f"lasts {lasts_s:.2f} s, the title {package.record.duration_s:.2f} s"
            yield error("image-playlist", found, message)
            continue
        tiles = {line for line in playlist.tags if line.startswith("#EXT-X-TILES:")}
        sheets = _told_by_hls(named, attributes(tiles.pop()), playlist.segment_keys) if len(tiles) == 1 else None
        if sheets is None:
            yield error("image-tiles", found, "has not one EXT-X-TILES with RESOLUTION, LAYOUT and DURATION for all")
        else:
            yield from check_sheets(package, found, sheets)


def _told_by_hls(named: dict[str, str], tiles: dict[str, str], keys: Sequence[str]) -> Sheets | None:
    tile, layout = (_SIZE.fullmatch(tiles.get(name, "")) for name in ("RESOLUTION", "LAYOUT"))
    tile_s = read_number(tiles.get("DURATION"))
    if tile is None or layout is None or not tile_s:
        return None
    columns, rows = int(layout[1]), int(layout[2])
    return Sheets(
        keys=keys,
        bandwidth=read_number(named.get("BANDWIDTH")),
        width=columns * int(tile[1]),
        height=rows * int(tile[2]),
        sheet_s=columns * rows * tile_s,
    )


def find_tiles(package: CheckedPackage, key: str, media: str, sheet_s: float) -> list[str] | None:
    """The sheets that ``media`` names with the number of each, over the whole title; None when one is not there."""
    count = _sheet_count(package, sheet_s)
    keys = [package.use(key, fill_number(media, number)) for number in range(1, count + 1)]
    found = [one for one in keys if one is not None]
    return found if found and len(found) == count else None


def check_sheets(package: CheckedPackage, key: str, sheets: Sheets) -> Iterator[Finding]:
    """Number, size and bit rate of sheets."""
    count = _sheet_count(package, sheets.sheet_s)
    if len(sheets.keys) != count:
        message = f"{len(sheets.keys)} sheets of {sheets.sheet_s:g} s for {package.record.duration_s:.2f} s"
        yield error("image-tiles", key, message)
        return
    for name in sheets.keys:
        size = _picture_size(package, name)
        if size is not None and size != (sheets.width, sheets.height):
            yield error("image-size", key, f"{name} is {size[0]}x{size[1]}, not {sheets.width}x{sheets.height}")
            return
    left_s = package.record.duration_s - (count - 1) * sheets.sheet_s
    durations_s = [sheets.sheet_s] * (count - 1) + [min(left_s, sheets.sheet_s)]
    rates = (package.sizes_bytes[name] * 8 / lasts_s for name, lasts_s in zip(sheets.keys, durations_s, strict=True))
    peak_bps = max(rates)
    if sheets.bandwidth is None or not peak_bps - 2 <= sheets.bandwidth <= (1 + TOLERANCE_SHARE) * peak_bps + 2:
        yield error("image-bandwidth", key, f"declares {sheets.bandwidth} bit/s, measured {peak_bps:.0f}")


def check_image_tracks(package: CheckedPackage) -> Iterator[Finding]:
    """Storyboards in WebVTT: cues without a gap over the whole title, each on a picture that is there."""
    for key in package.sizes_bytes:
        if key.startswith("p/") and key.endswith(".vtt"):
            message = _fault_of_track(package, key, package.read_text(key) or "")
            if message is not None:
                yield error("image-track", key, message)


def _fault_of_track(package: CheckedPackage, key: str, text: str) -> str | None:
    moment_s = 0.0
    sizes: dict[str, tuple[int, int] | None] = {}
    places: set[tuple[str, ...]] = set()
    for start, end, name, *place in _CUE.findall(text):
        if abs(_seconds(start) - moment_s) > CUE_TOLERANCE_S or _seconds(end) <= _seconds(start):
            return f"a cue goes from {start} to {end}, the one before it ends at {moment_s:.3f} s"
        moment_s = _seconds(end)
        sheet = package.use(key, name)
        if sheet is None:
            return f"{name} is no object"
        left, top, width, height = (int(number) for number in place)
        if name not in sizes:
            sizes[name] = _picture_size(package, sheet)
        size = sizes[name]
        if size is not None and (left + width > size[0] or top + height > size[1]):
            return f"the place {','.join(place)} lies outside {name}, which is {size[0]}x{size[1]}"
        if (name, *place) in places:
            return f"two cues have the place {','.join(place)} of {name}"
        places.add((name, *place))
    if abs(moment_s - package.record.duration_s) > DURATION_TOLERANCE_S:
        return f"its cues end at {moment_s:.2f} s, the title at {package.record.duration_s:.2f} s"
    return None


def check_pictures(package: CheckedPackage) -> Iterator[Finding]:
    """The poster is an object, and every picture of the package is one."""
    poster_key = package.record.poster_key
    if poster_key is not None and poster_key not in package.sizes_bytes:
        yield error("poster", poster_key, "the record names this poster but does not list it as an object")
    for key in package.sizes_bytes:
        if key.endswith(".jpg"):
            content = package.read(key)
            if content is not None and jpeg_size(content) is None:
                yield error("picture", key, "is no whole JPEG")


def _picture_size(package: CheckedPackage, key: str) -> tuple[int, int] | None:
    content = package.read(key)
    return None if content is None else jpeg_size(content)


def _sheet_count(package: CheckedPackage, sheet_s: float) -> int:
    return math.ceil(package.record.duration_s / sheet_s - 1e-6) if sheet_s > 0 else 0


def _seconds(timestamp: str) -> float:
    """A WebVTT timestamp, whose hours may be left out."""
    seconds = 0.0
    for part in timestamp.split(":"):
        seconds = 60 * seconds + float(part or 0)
    return seconds
