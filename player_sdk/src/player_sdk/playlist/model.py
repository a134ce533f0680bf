"""What a manifest says, whatever its format: tracks of video and audio, and the segments they are cut into.

URIs here are resolved against the manifest's own, as far as that goes: a manifest read from ``/media/a/master.m3u8``
gives ``/media/...`` paths, which hold on every pathway; absolute URLs stay what they are.
"""

from __future__ import annotations

import bisect
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

MAX_SEGMENTS = 100_000
"""More segments than any film has; a manifest that asks for more is refused instead of filling the memory."""

UNDECLARED_BITRATE_BPS = 1.0
"""Stands in the ladder where a bare media playlist declares no bit rate."""

_RUNG_NAME = re.compile(r"^\d{2,5}p\w*$")


@dataclass(frozen=True, kw_only=True, slots=True)
class ByteRange:
    """Part of a resource."""

    offset: int
    length: int

    def header(self) -> str:
        """The value of an HTTP ``Range`` header."""
        return f"bytes={self.offset}-{self.offset + self.length - 1}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Segment:
    """A piece of a track.

    Attributes:
        start_s: When it starts, from the beginning of the title.
        size_bytes: Its size when the manifest tells (byte ranges, ``EXT-X-BITRATE``), else None.
    """

    uri: str
    start_s: float
    duration_s: float
    byte_range: ByteRange | None = None
    size_bytes: float | None = None

    @property
    def end_s(self) -> float:
        """When it ends, from the beginning of the title."""
        return self.start_s + self.duration_s


@dataclass(frozen=True, kw_only=True, slots=True)
class MediaPlaylist:
    """The segments of one track, in order, without gaps; ``init_uri`` is None where segments carry their own."""

    segments: tuple[Segment, ...]
    init_uri: str | None = None
    init_range: ByteRange | None = None
    target_duration_s: float = 0.0
    ended: bool = True
    _starts: tuple[float, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_starts", tuple(segment.start_s for segment in self.segments))

    @property
    def duration_s(self) -> float:
        """Length of the track."""
        return self.segments[-1].end_s if self.segments else 0.0

    def index_at(self, position_s: float) -> int:
        """Which segment holds a position; ``len(segments)`` when the position is at or after the end."""
        if position_s >= self.duration_s - 1e-3:
            return len(self.segments)
        # Rounded durations add up to positions a hair before the cut they mean.
        return max(0, bisect.bisect_right(self._starts, position_s + 1e-3) - 1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Track:
    """One rung of video or one audio language.

    Attributes:
        rung: ``720p``, or the language for audio.
        bitrate_bps, peak_bitrate_bps: As declared; for HLS video they include the audio that goes with it.
        uri: Its media playlist, None when ``media`` came with the manifest.
        audio_group: The audio tracks that a video track plays with (HLS).
    """

    kind: Literal["video", "audio"]
    rung: str
    bitrate_bps: float
    peak_bitrate_bps: float
    codecs: tuple[str, ...] = ()
    width: int = 0
    height: int = 0
    frame_rate: float = 0.0
    language: str = "und"
    default: bool = False
    audio_group: str | None = None
    uri: str | None = None
    media: MediaPlaylist | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Presentation:
    """A whole title: its video tracks by ascending bit rate, its audio tracks, and what steers it."""

    video: tuple[Track, ...]
    audio: tuple[Track, ...] = ()
    duration_s: float | None = None
    steering_uri: str | None = None
    steering_pathway: str | None = None


def distinct_rungs(tracks: Sequence[Track]) -> tuple[Track, ...]:
    """The tracks by ascending bit rate; where two would share a rung's name, the bit rate is added to it."""
    ordered = sorted(tracks, key=lambda track: (track.bitrate_bps, track.height))
    counts = Counter(track.rung for track in ordered)
    return tuple(
        replace(track, rung=f"{track.rung}-{round(track.bitrate_bps / 1000)}k") if counts[track.rung] > 1 else track
        for track in ordered
    )


def rung_name(uri: str, height: int, bitrate_bps: float) -> str:
    """What to call a video track: the stem of its playlist if that is a rung's name, else its height or bit rate."""
    stem = uri.rsplit("/", 1)[-1].split("?", 1)[0].rsplit(".", 1)[0]
    if _RUNG_NAME.match(stem):
        return stem
    return f"{height}p" if height else f"{round(bitrate_bps / 1000)}k"
