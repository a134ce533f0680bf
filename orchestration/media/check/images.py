"""Storyboards: the image playlist of HLS, the tiles of DASH (DASH-IF IOP, 6.2.6), and the WebVTT track over them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from orchestration.media.check.findings import Finding, error
from orchestration.media.check.package import CheckedPackage
from orchestration.media.check.playlist import attributes, fill_number, parse_playlist

DURATION_TOLERANCE_S = 0.1
_CUE_IMAGE = re.compile(r"^(\S+\.jpg)#xywh=", re.MULTILINE)


def check_image_playlists(package: CheckedPackage, key: str, lines: list[str]) -> Iterator[Finding]:
    """Every image playlist of a multivariant playlist: whole, and as long as the title."""
    for line in lines:
        if not line.startswith("#EXT-X-IMAGE-STREAM-INF:"):
            continue
        name = attributes(line).get("URI", "")
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
        elif abs(lasts_s - package.record.duration_s) > DURATION_TOLERANCE_S:
            message = f"lasts {lasts_s:.2f} s, the title {package.record.duration_s:.2f} s"
            yield error("image-playlist", found, message)


def check_tiles(package: CheckedPackage, key: str, media: str, sheet_s: float) -> Iterator[Finding]:
    """The sheets that an AdaptationSet of images promises: ``media`` with the number of each from 1 on."""
    count = math.ceil(package.record.duration_s / sheet_s - 1e-6) if sheet_s > 0 else 0
    wanted = [fill_number(media, number) for number in range(1, count + 1)]
    missing = [uri for uri in wanted if package.use(key, uri) is None]
    if missing or not wanted:
        yield error("image-tiles", key, f"{len(missing)} sheets of {count} are no objects: {missing[:1]}")


def check_image_tracks(package: CheckedPackage) -> Iterator[Finding]:
    """Storyboards in WebVTT: each picture that a cue names must be there."""
    for key in package.sizes_bytes:
        if key.startswith("p/") and key.endswith(".vtt"):
            named = set(_CUE_IMAGE.findall(package.read_text(key) or ""))
            missing = sorted(name for name in named if package.use(key, name) is None)
            if missing:
                yield error("image-track", key, f"{len(missing)} pictures are no objects, the first is {missing[0]}")
