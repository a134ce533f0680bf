"""What a manifest says, whatever its format: tracks of video and audio, and the segments they are cut into.

URIs here are resolved against the manifest's own, as far as that goes: a manifest read from ``/media/a/master.m3u8``
gives ``/media/...`` paths, which hold on every pathway; absolute URLs stay what they are.
"""

from __future__ import annotations

import bisect
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from player_sdk.models import Pathway

MAX_SEGMENTS = 100_000
"""More segments than any film has; a manifest that asks for more is refused instead of filling the memory."""

UNDECLARED_BITRATE_BPS = 1.0
"""Stands in the ladder where a bare media playlist declares no bit rate."""

VIDEO_CODECS = (("av01",), ("hvc1", "hev1"), ("vp09", "vp9"), ("avc1", "avc3"), ("vp08", "vp8"))
"""How the codecs of picture are called, those together that one decoder goes on with; the most efficient first."""

TrackKind = Literal["video", "audio", "text"]
StableId = tuple[Literal["variant", "rendition"], str]
"""``STABLE-VARIANT-ID`` or ``STABLE-RENDITION-ID`` of an HLS media playlist, by which a pathway may have its own."""

ClockScheme = Literal["direct", "http-head", "http-iso", "http-xsdate"]

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
class SegmentKey:
    """How to decrypt a resource: AES-128 in CBC mode with PKCS7 padding, the whole of it (RFC 8216, 4.3.2.4).

    Attributes:
        uri: Where the 16 bytes of the key are.
        iv: Initialisation vector, 16 bytes.
    """

    uri: str
    iv: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class InitSegment:
    """What a decoder needs before the segments that name it."""

    uri: str
    byte_range: ByteRange | None = None
    key: SegmentKey | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Segment:
    """A piece of a track.

    Attributes:
        start_s: When it starts: from the beginning of the title, or of what was there when a live one was opened.
        number: Its place among the others (HLS: its media sequence number); rungs are brought in line with each other.
        size_bytes: Its size when the manifest tells (byte ranges, ``EXT-X-BITRATE``), else None.
        init: What its decoder needs first; None where the segment carries that itself (MPEG-TS).
        key: None where it is in the clear.
        index_range: This is no segment yet but a whole resource, cut where the index (``sidx``) in this range says.
        discontinuity: Counts the breaks in time stamps or encoding before it.
        gap: The server knows that it is missing; it is not to be fetched.
        utc_s: When it was captured, in seconds since 1970, where the manifest says.
        part_of: What its own period says of it, where playlists go on over several (DASH).
    """

    uri: str
    start_s: float
    duration_s: float
    number: int = 0
    byte_range: ByteRange | None = None
    size_bytes: float | None = None
    init: InitSegment | None = None
    key: SegmentKey | None = None
    index_range: ByteRange | None = None
    discontinuity: int = 0
    gap: bool = False
    utc_s: float | None = None
    part_of: Track | None = None

    @property
    def end_s(self) -> float:
        """When it ends, from the beginning of the title."""
        return self.start_s + self.duration_s


@dataclass(frozen=True, kw_only=True, slots=True, weakref_slot=True)
class MediaPlaylist:
    """The segments of one track, in order, numbered one by one.

    Attributes:
        ended: No segment will be added.
        timed: Its times are those of the presentation (DASH), not counted from the first segment that was there.
        unindexed: Some of it is still to be cut by an index.
        event: Segments may be added, and none is taken away.
        refresh_s: How long after it was read it may have changed.
        renumbered_by: What was added to the numbers in the playlist, to bring it in line with another one.
        hold_back_s: How far from its end a live one is to be played, where the manifest says.
    """

    segments: Sequence[Segment]
    target_duration_s: float = 0.0
    ended: bool = True
    timed: bool = False
    unindexed: bool = False
    event: bool = False
    refresh_s: float = 0.0
    hold_back_s: float | None = None
    renumbered_by: int = 0

    @property
    def first_unindexed(self) -> Segment | None:
        """The first one that is still to be cut by its index; None where all segments are known."""
        if not self.unindexed:
            return None
        return next((segment for segment in self.segments if segment.index_range is not None), None)

    @property
    def duration_s(self) -> float:
        """Where the last segment ends."""
        return self.segments[-1].end_s if self.segments else 0.0

    @property
    def first_number(self) -> int:
        """Of the first segment that is there."""
        return self.segments[0].number if self.segments else 0

    @property
    def end_number(self) -> int:
        """Of the segment after the last one."""
        return self.first_number + len(self.segments)

    def segment(self, number: int) -> Segment | None:
        """The segment with that number; None where it is not there, or not yet."""
        index = number - self.first_number
        return self.segments[index] if 0 <= index < len(self.segments) else None

    def segment_start_s(self, position_s: float) -> float:
        """Where the segment that holds a position starts; the end where none does."""
        segment = self.segment(self.number_at(position_s))
        return self.duration_s if segment is None else segment.start_s

    def number_at(self, position_s: float) -> int:
        """Which segment holds a position; ``end_number`` when the position is at or after the end."""
        if position_s >= self.duration_s - 1e-3:
            return self.end_number
        # Rounded durations add up to positions a hair before the cut they mean.
        after = bisect.bisect_right(self.segments, position_s + 1e-3, key=lambda segment: segment.start_s)
        return self.first_number + max(0, after - 1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Track:
    """One rung of video, one audio language, or one track of subtitles or captions.

    Attributes:
        rung: ``720p``; ``audio-<language>`` and ``text-<language>`` for the others, numbered from the second on.
        bitrate_bps, peak_bitrate_bps: As declared; for HLS video they include the audio that goes with it.
        uri: Its media playlist, None when ``media`` came with the manifest.
        name: For people, where the manifest gives one.
        audio_group, text_group: The audio and text tracks that a video track plays with, or this one's own (HLS).
        stable_id: ``STABLE-VARIANT-ID`` or ``STABLE-RENDITION-ID``.
    """

    kind: TrackKind
    rung: str
    bitrate_bps: float
    peak_bitrate_bps: float
    codecs: tuple[str, ...] = ()
    width: int = 0
    height: int = 0
    frame_rate: float = 0.0
    language: str = "und"
    default: bool = False
    name: str = ""
    audio_group: str | None = None
    text_group: str | None = None
    stable_id: str | None = None
    uri: str | None = None
    media: MediaPlaylist | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Presentation:
    """A whole title: its video tracks by ascending bit rate, its other tracks, and what steers it.

    Attributes:
        protocol: Whose manifest this is.
        duration_s: None while it is live, and where the manifest does not say.
        pathways: Where its paths are found, best first; empty where that is wherever the manifest was.
        reload_uri: Where the next version of this manifest is, None where the tracks' own playlists are read again.
    """

    video: tuple[Track, ...]
    audio: tuple[Track, ...] = ()
    text: tuple[Track, ...] = ()
    duration_s: float | None = None
    protocol: Literal["hls", "dash"] = "hls"
    pathways: tuple[Pathway, ...] = ()
    steering_uri: str | None = None
    steering_pathway: str | None = None
    reload_uri: str | None = None

    @property
    def tracks(self) -> tuple[Track, ...]:
        """All of them."""
        return (*self.video, *self.audio, *self.text)

    @property
    def stable_ids(self) -> dict[str, StableId]:
        """The ids of media playlists by their URIs, where they have any."""
        return {
            track.uri: ("variant" if track.kind == "video" else "rendition", track.stable_id)
            for track in self.tracks
            if track.uri and track.stable_id
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class ClockSource:
    """A ``UTCTiming`` element: ``value`` is a URI, or for ``direct`` the time itself."""

    scheme: ClockScheme
    value: str


def distinct_rungs(tracks: Sequence[Track]) -> tuple[Track, ...]:
    """The tracks by ascending bit rate; where two would share a rung's name, the bit rate is added to it."""
    ordered = sorted(tracks, key=lambda track: (track.bitrate_bps, track.height))
    counts = Counter(track.rung for track in ordered)
    return tuple(
        replace(track, rung=f"{track.rung}-{round(track.bitrate_bps / 1000)}k") if counts[track.rung] > 1 else track
        for track in ordered
    )


def distinct_renditions(tracks: Sequence[Track], kind: TrackKind) -> tuple[Track, ...]:
    """The tracks of sound or text; the second of a name is told from the first by its number."""
    chosen: list[Track] = []
    for track in tracks:
        if track.kind == kind:
            before = sum(one.language == track.language for one in chosen)
            chosen.append(replace(track, rung=f"{track.rung}-{before + 1}") if before else track)
    return tuple(chosen)


def codec_family(track: Track) -> int:
    """Which of ``VIDEO_CODECS`` a track is of; beyond them where it is of none or does not say."""
    for family, names in enumerate(VIDEO_CODECS):
        if any(codec.lower().startswith(names) for codec in track.codecs):
            return family
    return len(VIDEO_CODECS)


def most_like(track: Track, offered: Sequence[Track]) -> Track | None:
    """The track in which one goes on elsewhere: of its kind, of its language if it is no picture, and most like it.

    Args:
        track: Of one period, or of one version of a manifest.
        offered: Those of another one.
    """

    def unlikeness(other: Track) -> tuple[bool, bool, int, float]:
        return (
            codec_family(other) != codec_family(track),
            other.rung != track.rung,
            abs(other.height - track.height),
            abs(other.bitrate_bps - track.bitrate_bps),
        )

    like = [one for one in offered if one.kind == track.kind]
    if track.kind != "video":
        like = [one for one in like if one.language == track.language]
    return min(like, key=unlikeness, default=None)


def rung_name(uri: str, height: int, bitrate_bps: float) -> str:
    """What to call a video track: the stem of its playlist if that is a rung's name, else its height or bit rate."""
    stem = uri.rsplit("/", 1)[-1].split("?", 1)[0].rsplit(".", 1)[0]
    if _RUNG_NAME.match(stem):
        return stem
    return f"{height}p" if height else f"{round(bitrate_bps / 1000)}k"
