"""DASH manifests (ISO/IEC 23009-1) of on-demand titles with one period: text in, model out.

Read: ``SegmentTemplate`` with ``$Number$`` or ``$Time$``, by duration or by ``SegmentTimeline``, at any level;
``BaseURL``. Ignored: text and image tracks. Refused: live manifests, several periods, ``SegmentList``/``SegmentBase``,
encrypted media.
"""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urljoin

from player_sdk.errors import PlaylistError
from player_sdk.playlist.model import (
    MAX_SEGMENTS,
    MediaPlaylist,
    Presentation,
    Segment,
    Track,
    distinct_rungs,
    rung_name,
)

_DURATION = re.compile(r"P(?:(\d{1,6})D)?(?:T(?:(\d{1,6})H)?(?:(\d{1,8})M)?(?:(\d{1,9}(?:\.\d{1,12})?)S)?)?", re.ASCII)
_PLACEHOLDER = re.compile(r"\$(RepresentationID|Number|Time|Bandwidth|)(?:%0(\d{1,2})d)?\$", re.ASCII)


def parse_mpd(text: str, base_uri: str = "") -> Presentation:
    """Read a manifest.

    Args:
        text: The MPD.
        base_uri: Its own URI or path, against which relative ones are resolved.

    Raises:
        PlaylistError: Not an MPD, not of the kind described above, or without a video track.
    """
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise PlaylistError(f"{base_uri or 'manifest'}: document types and entities are not accepted in an MPD")
    try:
        root = ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError) as error:
        raise PlaylistError(f"{base_uri or 'manifest'}: not XML: {error}") from error
    if _name(root) != "MPD":
        raise PlaylistError(f"{base_uri or 'manifest'}: the root element is {_name(root)!r}, not MPD")
    if root.get("type", "static") != "static":
        raise PlaylistError(
            f"{base_uri or 'manifest'}: type {root.get('type')!r}; only static (on-demand) is supported"
        )
    periods = _children(root, "Period")
    if len(periods) != 1:
        raise PlaylistError(f"{base_uri or 'manifest'}: {len(periods)} periods; exactly one is supported")
    duration_s = _duration(periods[0].get("duration") or root.get("mediaPresentationDuration"))
    place = _Place(base_uri=_below(_below(base_uri, root), periods[0]), duration_s=duration_s)
    video: list[Track] = []
    audio: list[Track] = []
    for adaptation in _children(periods[0], "AdaptationSet"):
        for track in _tracks(adaptation, place):
            (video if track.kind == "video" else audio).append(track)
    if not video:
        raise PlaylistError(f"{base_uri or 'manifest'}: no video representation in it")
    return Presentation(
        video=distinct_rungs(video),
        audio=tuple(audio),
        duration_s=duration_s,
    )


@dataclass(frozen=True)
class _Place:
    base_uri: str
    duration_s: float | None


@dataclass(frozen=True)
class _Template:
    """The merged attributes of the ``SegmentTemplate`` elements that apply to a representation."""

    attributes: dict[str, str]
    timeline: ElementTree.Element | None

    def integer(self, name: str, default: int) -> int:
        return _integer(self.attributes.get(name), name, default)


def _tracks(adaptation: ElementTree.Element, place: _Place) -> list[Track]:
    kind = _kind(adaptation)
    if kind is None:
        return []
    if _children(adaptation, "ContentProtection"):
        raise PlaylistError("an encrypted adaptation set; this player holds no keys")
    language = adaptation.get("lang", "und")
    tracks = []
    for index, representation in enumerate(_children(adaptation, "Representation")):
        bitrate_bps = float(_integer(representation.get("bandwidth"), "bandwidth", 0))
        height = _integer(representation.get("height") or adaptation.get("height"), "height", 0)
        identifier = representation.get("id", "")
        codecs = representation.get("codecs") or adaptation.get("codecs") or ""
        base_uri = _below(_below(place.base_uri, adaptation), representation)
        template = _template(adaptation, representation)
        tracks.append(
            Track(
                kind=kind,
                rung=rung_name(identifier, height, bitrate_bps) if kind == "video" else f"audio-{language}",
                bitrate_bps=bitrate_bps,
                peak_bitrate_bps=bitrate_bps,
                codecs=tuple(codec.strip() for codec in codecs.split(",") if codec.strip()),
                width=_integer(representation.get("width") or adaptation.get("width"), "width", 0),
                height=height,
                frame_rate=_frame_rate(representation.get("frameRate") or adaptation.get("frameRate")),
                language=language,
                default=index == 0,
                media=_media(template, identifier, bitrate_bps, _Place(base_uri, place.duration_s)),
            )
        )
    return tracks


def _kind(adaptation: ElementTree.Element) -> Literal["video", "audio"] | None:
    representations = _children(adaptation, "Representation")
    mime = adaptation.get("mimeType") or (representations[0].get("mimeType") if representations else None) or ""
    word = adaptation.get("contentType") or mime.split("/", 1)[0]
    if word == "video":
        return "video"
    return "audio" if word == "audio" else None


def _template(*levels: ElementTree.Element) -> _Template:
    attributes: dict[str, str] = {}
    timeline = None
    for level in levels:
        for element in _children(level, "SegmentTemplate"):
            attributes.update(element.attrib)
            timelines = _children(element, "SegmentTimeline")
            timeline = timelines[0] if timelines else timeline
    if "media" not in attributes:
        raise PlaylistError("a representation without SegmentTemplate@media; other addressing is not supported")
    return _Template(attributes, timeline)


def _media(template: _Template, identifier: str, bitrate_bps: float, place: _Place) -> MediaPlaylist:
    timescale = template.integer("timescale", 1)
    if timescale < 1:
        raise PlaylistError("SegmentTemplate@timescale must be at least 1")
    number = template.integer("startNumber", 1)
    offset = template.integer("presentationTimeOffset", 0)
    cuts = _timeline_cuts(template, timescale, offset, place) if template.timeline is not None else None
    if cuts is None:
        cuts = _even_cuts(template, timescale, offset, place)
    if not cuts:
        raise PlaylistError(f"representation {identifier!r} has no segments")
    values: dict[str, str | int] = {"RepresentationID": identifier, "Bandwidth": int(bitrate_bps)}
    segments = tuple(
        Segment(
            uri=_fill(template.attributes["media"], {**values, "Number": number + index, "Time": time}, place),
            start_s=(time - offset) / timescale,
            duration_s=duration / timescale,
        )
        for index, (time, duration) in enumerate(cuts)
    )
    initialization = template.attributes.get("initialization")
    return MediaPlaylist(
        segments=segments,
        init_uri=_fill(initialization, values, place) if initialization else None,
        target_duration_s=max(segment.duration_s for segment in segments),
    )


def _even_cuts(template: _Template, timescale: int, offset: int, place: _Place) -> list[tuple[int, int]]:
    duration = template.integer("duration", 0)
    if duration < 1 or place.duration_s is None:
        raise PlaylistError("SegmentTemplate needs a SegmentTimeline, or @duration and the length of the presentation")
    total = round(place.duration_s * timescale)
    count = -(-total // duration)
    if count > MAX_SEGMENTS:
        raise PlaylistError(f"more than {MAX_SEGMENTS} segments")
    return [(offset + i * duration, min(duration, total - i * duration)) for i in range(count)]


def _timeline_cuts(template: _Template, timescale: int, offset: int, place: _Place) -> list[tuple[int, int]]:
    cuts: list[tuple[int, int]] = []
    time = offset
    entries = _children(template.timeline, "S") if template.timeline is not None else []
    for position, entry in enumerate(entries):
        earliest, time = time, _integer(entry.get("t"), "S@t", time)
        if time < earliest:
            raise PlaylistError(f"S@t={time} lies before the end of the segments before it ({earliest})")
        duration = _integer(entry.get("d"), "S@d", 0)
        repeat = _integer(entry.get("r"), "S@r", 0, lowest=-1)
        if duration < 1:
            raise PlaylistError("S@d must be at least 1")
        if repeat < 0:
            following = entries[position + 1].get("t") if position + 1 < len(entries) else None
            if following is None and place.duration_s is None:
                raise PlaylistError("S@r=-1 in a presentation of unknown length")
            end = _integer(following, "S@t", offset + round((place.duration_s or 0.0) * timescale))
            repeat = max(0, -(-(end - time) // duration) - 1)
        if len(cuts) + repeat + 1 > MAX_SEGMENTS:
            raise PlaylistError(f"more than {MAX_SEGMENTS} segments")
        cuts.extend((time + i * duration, duration) for i in range(repeat + 1))
        time += (repeat + 1) * duration
    return cuts


def _fill(pattern: str, values: dict[str, str | int], place: _Place) -> str:
    def value(match: re.Match[str]) -> str:
        name, width = match[1], match[2]
        if name == "":
            return "$"
        if name not in values:
            raise PlaylistError(f"${name}$ cannot stand in {pattern[:80]!r}")
        text = str(values[name])
        return text.zfill(int(width)) if width else text

    return _resolve(place.base_uri, _PLACEHOLDER.sub(value, pattern))


def _below(base_uri: str, element: ElementTree.Element) -> str:
    found = _children(element, "BaseURL")
    return _resolve(base_uri, (found[0].text or "").strip()) if found else base_uri


def _resolve(base_uri: str, uri: str) -> str:
    try:
        return urljoin(base_uri, uri)
    except ValueError as error:
        raise PlaylistError(f"{uri[:80]!r} is not a URI: {error}") from error


def _name(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _children(element: ElementTree.Element, name: str) -> list[ElementTree.Element]:
    return [child for child in element if _name(child) == name]


def _integer(text: str | None, what: str, default: int, *, lowest: int = 0) -> int:
    if text is None:
        return default
    if not re.fullmatch(r"-?\d{1,18}", text, re.ASCII) or int(text) < lowest:
        raise PlaylistError(f"{what}={text[:40]!r} is not a whole number from {lowest}")
    return int(text)


def _frame_rate(text: str | None) -> float:
    match = re.fullmatch(r"(\d{1,9})(?:/(\d{1,9}))?", text or "", re.ASCII)
    if match is None or (match[2] is not None and int(match[2]) == 0):
        return 0.0
    return int(match[1]) / int(match[2] or 1)


def _duration(text: str | None) -> float | None:
    if text is None:
        return None
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise PlaylistError(f"duration {text[:40]!r} is not of the form PT1H2M3.4S")
    days, hours, minutes, seconds = (float(part or 0) for part in match.groups())
    duration_s = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    return duration_s if math.isfinite(duration_s) else None
