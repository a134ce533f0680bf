"""HLS playlists as parsed: tags, segments, byte ranges, keys; and templates of DASH filled in. No rule stands here."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from orchestration.media.check.package import CheckedPackage

_ATTRIBUTE = re.compile(r'([A-Z0-9-]+)=("[^"]*"|[^,]*)')
_BYTE_RANGE = re.compile(r"(\d+)(?:@(\d+))?")
_NUMBER = re.compile(r"\$Number(?:%0(\d+)d)?\$")
TEXT_SUFFIXES = (".vtt", ".webvtt")


@dataclass(kw_only=True)
class Playlist:
    """One media playlist.

    Attributes:
        tags: Lines that start with ``#``, in order, without those of segments.
        map_key: The init segment; None without one, or when it is no object of the package.
        byte_ranges: (start, end) of each segment; the whole file where there is no range.
        bitrates_kbps: What ``EXT-X-BITRATE`` says of each segment; None without it.
        unlisted: URIs of segments that are no objects.
        keys: Attributes of each ``EXT-X-KEY``; one a protection system.
        fault: Why it cannot be read.
    """

    key: str
    tags: list[str] = field(default_factory=list)
    map_key: str | None = None
    segment_keys: list[str] = field(default_factory=list)
    durations_s: list[float] = field(default_factory=list)
    byte_ranges: list[tuple[int, int]] = field(default_factory=list)
    bitrates_kbps: list[float | None] = field(default_factory=list)
    unlisted: list[str] = field(default_factory=list)
    keys: list[dict[str, str]] = field(default_factory=list)
    fault: str | None = None

    @property
    def method(self) -> str | None:
        """How segments are encrypted."""
        return self.keys[0].get("METHOD") if self.keys else None

    @property
    def is_text(self) -> bool:
        """Whether its segments are WebVTT files, which have no init segment."""
        return bool(self.segment_keys) and self.segment_keys[0].endswith(TEXT_SUFFIXES)

    @property
    def starts_s(self) -> list[float]:
        """When each segment starts, by the playlist."""
        starts_s, moment_s = [], 0.0
        for duration_s in self.durations_s:
            starts_s.append(moment_s)
            moment_s += duration_s
        return starts_s

    def value(self, name: str) -> str | None:
        """What follows a tag; None when the tag is not there."""
        found = next((line for line in self.tags if line.startswith(f"{name}:")), None)
        return None if found is None else found.partition(":")[2]


def parse_playlist(package: CheckedPackage, key: str, text: str) -> Playlist:
    """Parse a media playlist and note what it uses."""
    playlist = Playlist(key=key)
    lines = text.splitlines()
    if not lines or lines[0] != "#EXTM3U":
        playlist.fault = "does not start with #EXTM3U"
        return playlist
    duration_s: float | None = None
    byte_range: tuple[int, int] | None = None
    bitrate_kbps: float | None = None
    for line in lines:
        if line.startswith("#EXTINF:"):
            duration_s = read_number(line.removeprefix("#EXTINF:").partition(",")[0])
        elif line.startswith("#EXT-X-BYTERANGE:"):
            found = _BYTE_RANGE.fullmatch(line.removeprefix("#EXT-X-BYTERANGE:"))
            start = int(found[2] or 0) if found else 0
            byte_range = (start, start + int(found[1])) if found else None
        elif line.startswith("#EXT-X-BITRATE:"):
            bitrate_kbps = read_number(line.removeprefix("#EXT-X-BITRATE:"))  # of all segments up to the next one
        elif line.startswith("#"):
            playlist.tags.append(line)
        elif line:
            if duration_s is None:
                playlist.fault = f"the segment {line} has no EXTINF"
                return playlist
            segment_key = package.use(key, line)
            if segment_key is None:
                playlist.unlisted.append(line)
            else:
                playlist.segment_keys.append(segment_key)
                playlist.durations_s.append(duration_s)
                playlist.bitrates_kbps.append(bitrate_kbps)
                playlist.byte_ranges.append(byte_range or (0, package.sizes_bytes[segment_key]))
            duration_s = byte_range = None
    playlist.map_key = package.use(key, attributes(playlist.value("#EXT-X-MAP") or "").get("URI", ""))
    playlist.keys = [attributes(line) for line in playlist.tags if line.startswith("#EXT-X-KEY:")]
    return playlist


def attributes(text: str) -> dict[str, str]:
    """An attribute list, with or without its tag; quotes are taken off."""
    listed = text.partition(":")[2] if text.startswith("#") else text
    return {name: value.strip('"') for name, value in _ATTRIBUTE.findall(listed)}


def read_number(text: str | None) -> float | None:
    """A decimal number; None when it is none."""
    try:
        return float(text or "")
    except ValueError:
        return None


def fill_number(template: str, number: int) -> str:
    """A DASH template with the number of a segment (ISO/IEC 23009-1, 5.3.9.4.4)."""
    return _NUMBER.sub(lambda found: str(number).zfill(int(found[1] or 1)), template)
