"""HLS playlists (RFC 8216 and its second edition): text in, model out.

Read: variants with audio and subtitle groups, init segments that may change, byte ranges, discontinuities, gaps, live
and event playlists, AES-128 keys, ``EXT-X-BITRATE``, ``EXT-X-PROGRAM-DATE-TIME``, ``EXT-X-CONTENT-STEERING``. Read
past: partial segments and the other tags of low latency, I-frame playlists, dates and whatever is not known. Refused:
other encryption, and delta updates, for which this player never asks.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import math
import re
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urljoin
from weakref import WeakValueDictionary

from player_sdk.errors import PlaylistError
from player_sdk.playlist.model import (
    MAX_SEGMENTS,
    ByteRange,
    InitSegment,
    MediaPlaylist,
    Presentation,
    Segment,
    SegmentKey,
    Track,
    TrackKind,
    distinct_renditions,
    distinct_rungs,
    rung_name,
)
from player_sdk.playlist.pathways import on_pathways

_ATTRIBUTE = re.compile(r'\s*([A-Z0-9-]+)=("[^"\r\n]*"|[^",]*)\s*(?:,|$)')
_VIDEO_CODEC = re.compile(r"^(avc[13]|hvc1|hev1|dvh1|dvhe|av01|vp0?[89])", re.IGNORECASE)
_RENDITION_KINDS: dict[str, TrackKind] = {"AUDIO": "audio", "SUBTITLES": "text"}
_PLAIN_URI = re.compile(r"((?:[\w.~%@+=-]+/)*)([\w~%@+=-][\w.~%@+=-]*)", re.ASCII)
"""A relative one of a folder and a name: what nearly all segments have."""

_MAX_SECONDS = 1e7

_in_use: WeakValueDictionary[tuple[bytes, str], MediaPlaylist] = WeakValueDictionary()
"""Media playlists by a digest of their text and their own URI, as long as anybody has them."""


def is_multivariant(text: str) -> bool:
    """Whether a playlist lists variants rather than segments."""
    return "#EXT-X-STREAM-INF" in text


def parse_multivariant(text: str, base_uri: str = "") -> Presentation:
    """Read a multivariant playlist.

    Args:
        text: The playlist.
        base_uri: Its own URI or path, against which relative ones are resolved.

    Raises:
        PlaylistError: Not a multivariant playlist, or no variant with video in it.
    """
    lines = _lines(text, base_uri)
    video: list[Track] = []
    renditions: list[Track] = []
    pathway_of: dict[str, str] = {}
    steering: dict[str, str] = {}
    waiting: tuple[int, dict[str, str]] | None = None
    for number, line in lines:
        if line.startswith("#EXT-X-STREAM-INF:"):
            waiting = (number, _attributes(line))
        elif line.startswith("#EXT-X-MEDIA:"):
            attributes = _attributes(line)
            kind = _RENDITION_KINDS.get(attributes.get("TYPE", ""))
            if kind is not None and "URI" in attributes:
                renditions.append(_rendition(kind, attributes, base_uri, number))
        elif line.startswith("#EXT-X-CONTENT-STEERING:"):
            steering = _attributes(line)
        elif not line.startswith("#") and waiting is not None:
            uri = _join(base_uri, line, number)
            track = _video_track(waiting[1], uri, waiting[0])
            if track is not None and uri not in pathway_of:
                video.append(track)
                pathway_of[uri] = waiting[1].get("PATHWAY-ID", ".")
            waiting = None
    if not video:
        raise PlaylistError(f"{base_uri or 'playlist'}: no video variant (EXT-X-STREAM-INF with a URI) in it")
    chosen = on_pathways(video, renditions, pathway_of, first_id=steering.get("PATHWAY-ID"), steered=bool(steering))
    return Presentation(
        video=distinct_rungs(chosen.video),
        audio=distinct_renditions(chosen.renditions, "audio"),
        text=distinct_renditions(chosen.renditions, "text"),
        pathways=chosen.pathways,
        steering_uri=_join(base_uri, steering["SERVER-URI"], 0) if "SERVER-URI" in steering else None,
        steering_pathway=steering.get("PATHWAY-ID", next(iter(pathway_of.values()))) if steering else None,
    )


def parse_media(text: str, base_uri: str = "") -> MediaPlaylist:
    """Read a media playlist; segments are numbered by ``EXT-X-MEDIA-SEQUENCE`` and timed from the first one.

    Who reads what another session of this process is playing shares it.

    Args:
        text: The playlist.
        base_uri: Its own URI or path, against which relative ones are resolved.

    Raises:
        PlaylistError: Not a media playlist, one on demand without segments, encrypted in a way that is not read, or
            with numbers that make no sense.
    """
    key = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest(), base_uri
    known = _in_use.get(key)
    if known is None:
        known = _in_use[key] = _parse_media(text, base_uri)
    return known


def _parse_media(text: str, base_uri: str) -> MediaPlaylist:
    reading = _MediaReading(base_uri)
    for number, line in _lines(text, base_uri):
        reading.take(number, line)
    if not reading.segments and (reading.ended or not reading.target_duration_s):
        raise PlaylistError(f"{base_uri or 'playlist'}: no segments (EXTINF with a URI) in it")
    return MediaPlaylist(
        segments=tuple(reading.segments),
        target_duration_s=reading.target_duration_s,
        ended=reading.ended,
        event=reading.event,
        refresh_s=reading.target_duration_s,
        hold_back_s=reading.hold_back_s,
    )


@dataclass
class _MediaReading:
    """The state between the lines of a media playlist: tags apply to the next URI, or to all that follow."""

    base_uri: str

    def __post_init__(self) -> None:
        self.segments: list[Segment] = []
        self.target_duration_s = 0.0
        self.ended = False
        self.event = False
        self.hold_back_s: float | None = None
        self._next_number = 0
        self._discontinuity = 0
        self._init: InitSegment | None = None
        self._key: _Key | None = None
        self._duration_s: float | None = None
        self._start_s = 0.0
        self._utc_s: float | None = None
        self._gap = False
        self._bitrate_bps: float | None = None
        self._range: tuple[int, int | None] | None = None
        self._range_end: tuple[str, int] | None = None

    def take(self, number: int, line: str) -> None:
        if not line.startswith("#"):
            self._take_uri(number, line)
            return
        tag, _, value = line.partition(":")
        match tag:
            case "#EXTINF":
                self._duration_s = _seconds(value.split(",", 1)[0], number)
            case "#EXT-X-BYTERANGE":
                self._range = _byte_range(value, number)
            case "#EXT-X-BITRATE":
                self._bitrate_bps = 1000.0 * _seconds(value, number)
            case "#EXT-X-MAP":
                self._take_map(number, _attributes(line))
            case "#EXT-X-KEY":
                self._take_key(number, _attributes(line))
            case "#EXT-X-TARGETDURATION":
                self.target_duration_s = _seconds(value, number)
            case "#EXT-X-MEDIA-SEQUENCE":
                if self.segments:
                    raise PlaylistError(f"line {number}: EXT-X-MEDIA-SEQUENCE after the first segment")
                self._next_number = _count(value, number)
            case "#EXT-X-DISCONTINUITY-SEQUENCE":
                self._discontinuity = _count(value, number)
            case "#EXT-X-DISCONTINUITY":
                self._discontinuity += 1
                self._utc_s = None
            case "#EXT-X-PROGRAM-DATE-TIME":
                self._utc_s = _utc_s(value)
            case "#EXT-X-GAP":
                self._gap = True
            case "#EXT-X-PLAYLIST-TYPE":
                self.event = value == "EVENT"
            case "#EXT-X-SERVER-CONTROL":
                hold_back = _attributes(line).get("HOLD-BACK")
                self.hold_back_s = None if hold_back is None else _seconds(hold_back, number)
            case "#EXT-X-ENDLIST":
                self.ended = True
            case "#EXT-X-SKIP":
                raise PlaylistError(f"line {number}: a delta update, which was not asked for")
            case "#EXT-X-STREAM-INF":
                raise PlaylistError(f"line {number}: a multivariant playlist where a media playlist was expected")

    def _take_map(self, number: int, attributes: dict[str, str]) -> None:
        if "URI" not in attributes:
            raise PlaylistError(f"line {number}: EXT-X-MAP without URI")
        byte_range = None
        if "BYTERANGE" in attributes:
            length, offset = _byte_range(attributes["BYTERANGE"], number)
            byte_range = ByteRange(offset=offset or 0, length=length)
        if self._key is not None and self._key.iv is None:
            raise PlaylistError(f"line {number}: an encrypted EXT-X-MAP needs an IV in its EXT-X-KEY")
        self._init = InitSegment(
            uri=_join(self.base_uri, attributes["URI"], number),
            byte_range=byte_range,
            key=self._key.of(0) if self._key is not None else None,
        )

    def _take_key(self, number: int, attributes: dict[str, str]) -> None:
        method = attributes.get("METHOD", "")
        if method == "NONE":
            self._key = None
            return
        if method != "AES-128" or attributes.get("KEYFORMAT", "identity") != "identity":
            raise PlaylistError(
                f"line {number}: encrypted media (METHOD={method[:40]}, KEYFORMAT="
                f"{attributes.get('KEYFORMAT', 'identity')[:60]}); this player reads AES-128 with identity keys only"
            )
        if "URI" not in attributes:
            raise PlaylistError(f"line {number}: EXT-X-KEY without URI")
        iv = attributes.get("IV")
        if iv is not None and not re.fullmatch(r"0[xX][0-9a-fA-F]{1,32}", iv):
            raise PlaylistError(f"line {number}: IV {iv[:40]!r} is not a hexadecimal number of 128 bits")
        self._key = _Key(
            uri=_join(self.base_uri, attributes["URI"], number),
            iv=None if iv is None else int(iv, 16).to_bytes(16, "big"),
        )

    def _take_uri(self, number: int, line: str) -> None:
        if self._duration_s is None:
            raise PlaylistError(f"line {number}: a URI without EXTINF before it")
        if len(self.segments) >= MAX_SEGMENTS:
            raise PlaylistError(f"line {number}: more than {MAX_SEGMENTS} segments")
        uri = _join(self.base_uri, line, number)
        byte_range = self._resolved_range(uri, number)
        size_bytes: float | None = byte_range.length if byte_range else None
        if size_bytes is None and self._bitrate_bps:
            size_bytes = self._bitrate_bps * self._duration_s / 8.0
        self.segments.append(
            Segment(
                uri=uri,
                start_s=self._start_s,
                duration_s=self._duration_s,
                number=self._next_number,
                byte_range=byte_range,
                size_bytes=size_bytes,
                init=self._init,
                key=self._key.of(self._next_number) if self._key is not None else None,
                discontinuity=self._discontinuity,
                gap=self._gap,
                utc_s=self._utc_s,
            )
        )
        self._next_number += 1
        self._start_s += self._duration_s
        if self._utc_s is not None:
            self._utc_s += self._duration_s
        self._duration_s = None
        self._range = None
        self._gap = False

    def _resolved_range(self, uri: str, number: int) -> ByteRange | None:
        if self._range is None:
            self._range_end = None
            return None
        length, offset = self._range
        if offset is None:
            if self._range_end is None or self._range_end[0] != uri:
                raise PlaylistError(
                    f"line {number}: EXT-X-BYTERANGE without offset does not follow one on the same URI"
                )
            offset = self._range_end[1]
        self._range_end = (uri, offset + length)
        return ByteRange(offset=offset, length=length)


@dataclass(frozen=True)
class _Key:
    """An ``EXT-X-KEY``; without an IV, the number of the segment is one (RFC 8216, 5.2)."""

    uri: str
    iv: bytes | None

    def of(self, number: int) -> SegmentKey:
        return SegmentKey(uri=self.uri, iv=number.to_bytes(16, "big") if self.iv is None else self.iv)


def _lines(text: str, base_uri: str) -> list[tuple[int, str]]:
    lines = [(number, line.strip()) for number, line in enumerate(text.lstrip("\ufeff").splitlines(), start=1)]
    lines = [(number, line) for number, line in lines if line]
    if not lines or not lines[0][1].startswith("#EXTM3U"):
        raise PlaylistError(f"{base_uri or 'playlist'}: not an HLS playlist: it does not begin with #EXTM3U")
    return lines[1:]


def _attributes(line: str) -> dict[str, str]:
    return {name: value.strip('"') for name, value in _ATTRIBUTE.findall(line.partition(":")[2])}


def _video_track(attributes: dict[str, str], uri: str, number: int) -> Track | None:
    codecs = tuple(codec.strip() for codec in attributes.get("CODECS", "").split(",") if codec.strip())
    if codecs and not any(_VIDEO_CODEC.match(codec) for codec in codecs):
        return None  # an audio-only variant
    peak_bps = _number(attributes.get("BANDWIDTH", ""), "BANDWIDTH", number)
    average = attributes.get("AVERAGE-BANDWIDTH")
    bitrate_bps = _number(average, "AVERAGE-BANDWIDTH", number) if average else peak_bps
    width, height = _resolution(attributes.get("RESOLUTION", ""))
    return Track(
        kind="video",
        rung=rung_name(uri, height, bitrate_bps),
        bitrate_bps=bitrate_bps,
        peak_bitrate_bps=peak_bps,
        codecs=codecs,
        width=width,
        height=height,
        frame_rate=_number(attributes["FRAME-RATE"], "FRAME-RATE", number) if "FRAME-RATE" in attributes else 0.0,
        audio_group=attributes.get("AUDIO"),
        text_group=attributes.get("SUBTITLES"),
        stable_id=attributes.get("STABLE-VARIANT-ID"),
        uri=uri,
    )


def _rendition(kind: TrackKind, attributes: dict[str, str], base_uri: str, number: int) -> Track:
    language = attributes.get("LANGUAGE", "und")
    return Track(
        kind=kind,
        rung=f"{kind}-{language}",
        bitrate_bps=0.0,
        peak_bitrate_bps=0.0,
        language=language,
        name=attributes.get("NAME", ""),
        default=attributes.get("DEFAULT") == "YES",
        audio_group=attributes.get("GROUP-ID") if kind == "audio" else None,
        text_group=attributes.get("GROUP-ID") if kind == "text" else None,
        stable_id=attributes.get("STABLE-RENDITION-ID"),
        uri=_join(base_uri, attributes["URI"], number),
    )


def _resolution(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{1,5})x(\d{1,5})", text, re.ASCII)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def _byte_range(text: str, number: int) -> tuple[int, int | None]:
    match = re.fullmatch(r"(\d{1,15})(?:@(\d{1,15}))?", text.strip(), re.ASCII)
    if match is None or int(match[1]) == 0:
        raise PlaylistError(f"line {number}: byte range {text[:40]!r} is not <length>[@<offset>]")
    return int(match[1]), int(match[2]) if match[2] is not None else None


def _count(text: str, number: int) -> int:
    if not re.fullmatch(r"\d{1,18}", text.strip(), re.ASCII):
        raise PlaylistError(f"line {number}: {text[:40]!r} is not a whole number from 0")
    return int(text)


def _utc_s(text: str) -> float | None:
    """Seconds since 1970; None for what is no date, which nothing needs to play."""
    try:
        moment = dt.datetime.fromisoformat(text.strip())
        return (moment if moment.tzinfo is not None else moment.replace(tzinfo=dt.UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


@lru_cache(maxsize=256)
def _folder(base_uri: str, folder: str) -> str:
    """Where a folder is; for each of thousands of segments anew, this would be much of what a playlist takes."""
    return urljoin(base_uri, folder or "./")


def _seconds(text: str, number: int) -> float:
    return _number(text, "duration", number, highest=_MAX_SECONDS)


def _number(text: str, what: str, number: int, *, highest: float = 1e12) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0.0 <= value <= highest:
        raise PlaylistError(f"line {number}: {what} {text[:40]!r} is not a number from 0 to {highest:g}")
    return value


def _join(base_uri: str, uri: str, number: int) -> str:
    plain = _PLAIN_URI.fullmatch(uri) if "/" in base_uri else None
    try:
        return urljoin(base_uri, uri) if plain is None else _folder(base_uri, plain[1]) + plain[2]
    except ValueError as error:
        raise PlaylistError(f"line {number}: {uri[:80]!r} is not a URI: {error}") from error
