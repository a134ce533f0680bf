"""Where the segments of one DASH representation are: templates, lists and indexes (ISO/IEC 23009-1, 5.3.9)."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from player_sdk.errors import PlaylistError
from player_sdk.playlist.lazy import Chain, LazySequence
from player_sdk.playlist.model import MAX_SEGMENTS, ByteRange, InitSegment, MediaPlaylist, Segment
from player_sdk.playlist.xml import Element, byte_range, children, first_child, integer, join, name_of

_PLACEHOLDER = re.compile(r"\$(RepresentationID|Number|Time|Bandwidth|)(?:%0(\d{1,2})d)?\$", re.ASCII)
_KINDS = ("SegmentTemplate", "SegmentList", "SegmentBase")


@dataclass(frozen=True, kw_only=True)
class Span:
    """A period on the timeline of its presentation.

    Attributes:
        start_s: From the beginning of the presentation.
        duration_s: None where nobody knows yet.
        available_from_s, available_until_s: The part of the presentation whose segments a live server has now.
    """

    start_s: float
    duration_s: float | None
    available_from_s: float = -math.inf
    available_until_s: float = math.inf

    @property
    def known_end_s(self) -> float | None:
        """How far from its start segments can be expected: to its end, or to what a live server has now."""
        available_s = self.available_until_s - self.start_s
        if self.duration_s is not None:
            return min(self.duration_s, available_s)
        return available_s if math.isfinite(available_s) else None


@dataclass(frozen=True, kw_only=True)
class RepresentationPlace:
    """What addresses are made of.

    Attributes:
        levels: Period, adaptation set and representation, outermost first.
        has_own_url: Its ``BaseURL`` names a resource of its own.
    """

    levels: Sequence[Element]
    identifier: str
    bitrate_bps: float
    base_uri: str
    has_own_url: bool
    span: Span


def segments_of(place: RepresentationPlace) -> MediaPlaylist:
    """The segments that are there, numbered from the start of the period.

    Raises:
        PlaylistError: No addressing that is known, or numbers that make no sense.
    """
    elements = _addressing(place.levels)
    if not elements:
        if not place.has_own_url:
            raise PlaylistError(f"representation {place.identifier!r} says nowhere where its segments are")
        return _whole(place, index_range=None, init=None)
    info = _Info(place, elements)
    match name_of(elements[-1]):
        case "SegmentTemplate":
            playlist = _templated(info)
        case "SegmentList":
            playlist = _listed(info)
        case _:
            playlist = _whole(place, index_range=info.range_of("indexRange"), init=info.initialization())
    if not playlist.segments and place.span.available_until_s == math.inf:
        raise PlaylistError(f"representation {place.identifier!r} has no segments")
    return playlist


def _addressing(levels: Sequence[Element]) -> list[Element]:
    """The elements of the kind that stands lowest, outermost first."""
    for level in reversed(levels):
        for kind in _KINDS:
            if children(level, kind):
                return [element for one in levels for element in children(one, kind)[:1]]
    return []


@dataclass(frozen=True, kw_only=True, slots=True)
class _Run:
    """Segments of one length, each after the other, in units of the timescale.

    Attributes:
        place: Of the first one in the period, from 0.
        time: Where that starts.
    """

    place: int
    time: int
    duration: int
    count: int

    def within(self, kept_from: float, end_place: int | None) -> _Run:
        """Those that end after a time, and stand before a place."""
        gone = max(0, math.floor((kept_from - self.time) / self.duration)) if math.isfinite(kept_from) else 0
        count = self.count if end_place is None else min(self.count, end_place - self.place)
        return replace(self, place=self.place + gone, time=self.time + gone * self.duration, count=max(0, count - gone))


class _Info:
    """The merged attributes and children of the addressing elements of a representation."""

    def __init__(self, place: RepresentationPlace, elements: Sequence[Element]) -> None:
        self.place = place
        self._elements = elements
        self._attributes: dict[str, str] = {}
        for element in elements:
            self._attributes.update(element.attrib)
        self.timescale = self.integer("timescale", 1)
        if self.timescale < 1:
            raise PlaylistError("@timescale must be at least 1")
        self.first_number = self.integer("startNumber", 1)
        self.time_offset = self.integer("presentationTimeOffset", 0)

    def integer(self, name: str, default: int) -> int:
        return integer(self._attributes.get(name), name, default)

    def attribute(self, name: str) -> str | None:
        return self._attributes.get(name)

    def range_of(self, name: str) -> ByteRange | None:
        return byte_range(self._attributes.get(name), name)

    def lowest(self, name: str) -> Element | None:
        """The child of that name that stands lowest."""
        found = (first_child(element, name) for element in reversed(self._elements))
        return next((child for child in found if child is not None), None)

    def children(self, name: str) -> list[Element]:
        """Children of the lowest element that has any."""
        return next((found for one in reversed(self._elements) if (found := children(one, name))), [])

    def initialization(self) -> InitSegment | None:
        pattern = self._attributes.get("initialization")
        if pattern is not None:
            return InitSegment(uri=self.fill(pattern))
        element = self.lowest("Initialization")
        if element is None:
            return None
        return InitSegment(
            uri=join(self.place.base_uri, element.get("sourceURL", "")),
            byte_range=byte_range(element.get("range"), "Initialization@range"),
        )

    def fill(self, pattern: str, **more: int) -> str:
        values: dict[str, str | int] = {
            "RepresentationID": self.place.identifier,
            "Bandwidth": int(self.place.bitrate_bps),
            **more,
        }

        def value(match: re.Match[str]) -> str:
            name, width = match[1], match[2]
            if name == "":
                return "$"
            if name not in values:
                raise PlaylistError(f"${name}$ cannot stand in {pattern[:80]!r}")
            text = str(values[name])
            return text.zfill(int(width)) if width else text

        return join(self.place.base_uri, _PLACEHOLDER.sub(value, pattern))

    def runs(self, count: int | None = None) -> list[_Run]:
        """The segments that are there and still kept; ``count`` is how many there are at the most, where it is known.

        Raises:
            PlaylistError: The numbers make no sense, or there are too many.
        """
        timeline = self.lowest("SegmentTimeline")
        runs = self._even_runs(count) if timeline is None else self._timeline_runs(timeline)
        last = self._attributes.get("endNumber")
        if last is not None:
            declared = integer(last, "endNumber", 0) - self.first_number + 1
            count = declared if count is None else min(count, declared)
        kept_from = (self.place.span.available_from_s - self.place.span.start_s) * self.timescale + self.time_offset
        found = [part for run in runs if (part := run.within(kept_from, count)).count > 0]
        if sum(run.count for run in found) > MAX_SEGMENTS:
            raise PlaylistError(f"more than {MAX_SEGMENTS} segments")
        return found

    def playlist(
        self, runs: Sequence[_Run], address: Callable[[int, int], tuple[str, ByteRange | None]]
    ) -> MediaPlaylist:
        """The segments of runs; ``address`` says where the one with that place and time is."""
        init = self.initialization()
        chain = Chain(run.count for run in runs)

        def segment(index: int) -> Segment:
            part, later = chain.find(index)
            run = runs[part]
            time = run.time + later * run.duration
            uri, piece = address(run.place + later, time)
            return Segment(
                uri=uri,
                start_s=self.place.span.start_s + (time - self.time_offset) / self.timescale,
                duration_s=run.duration / self.timescale,
                number=run.place + later,
                byte_range=piece,
                size_bytes=None if piece is None else piece.length,
                init=init,
            )

        return MediaPlaylist(
            segments=LazySequence(len(chain), segment),
            target_duration_s=max((run.duration for run in runs), default=0) / self.timescale,
        )

    def _even_runs(self, count: int | None) -> Iterator[_Run]:
        duration, span = self.integer("duration", 0), self.place.span
        if duration < 1:
            raise PlaylistError("a template or list needs a SegmentTimeline, or @duration")
        known_end_s = span.known_end_s
        if count is None and known_end_s is None:
            raise PlaylistError("a template with @duration needs the length of the presentation")
        if count is None and known_end_s is not None:
            known = max(0, math.floor(known_end_s * self.timescale + 0.5))
            complete = span.duration_s is not None and known_end_s >= span.duration_s
            count = -(-known // duration) if complete else known // duration
        count = count or 0
        total = count * duration if span.duration_s is None else round(span.duration_s * self.timescale)
        whole = max(0, min(count, total // duration))
        yield _Run(place=0, time=self.time_offset, duration=duration, count=whole)
        if whole < count and total > whole * duration:
            rest = total - whole * duration
            yield _Run(place=whole, time=self.time_offset + whole * duration, duration=rest, count=1)

    def _timeline_runs(self, timeline: Element) -> Iterator[_Run]:
        time, index = self.time_offset, 0
        entries = children(timeline, "S")
        for position, entry in enumerate(entries):
            earliest, time = time, integer(entry.get("t"), "S@t", time)
            if index > 0 and time < earliest:
                raise PlaylistError(f"S@t={time} lies before the end of the segments before it ({earliest})")
            duration = integer(entry.get("d"), "S@d", 0)
            repeat = integer(entry.get("r"), "S@r", 0, lowest=-1)
            if duration < 1:
                raise PlaylistError("S@d must be at least 1")
            if repeat < 0:
                following = entries[position + 1].get("t") if position + 1 < len(entries) else None
                repeat = self._repeats_to(following, time, duration) - 1
            yield _Run(place=index, time=time, duration=duration, count=repeat + 1)
            index += repeat + 1
            time += (repeat + 1) * duration

    def _repeats_to(self, following: str | None, time: int, duration: int) -> int:
        """How often a segment of ``@r=-1`` stands: up to the next one, the end of the period, or what is there now."""
        span = self.place.span
        known_end_s = span.known_end_s
        if following is None and known_end_s is None:
            raise PlaylistError("S@r=-1 in a presentation of unknown length")
        end = integer(following, "S@t", self.time_offset + round((known_end_s or 0.0) * self.timescale))
        complete = following is not None or (span.duration_s is not None and known_end_s == span.duration_s)
        return max(1 if complete else 0, -(-(end - time) // duration) if complete else (end - time) // duration)


def _templated(info: _Info) -> MediaPlaylist:
    pattern = info.attribute("media")
    if pattern is None:
        raise PlaylistError("a representation without SegmentTemplate@media")
    info.fill(pattern, Number=0, Time=0)  # what cannot be filled is refused now, not in the middle of the title
    return info.playlist(
        info.runs(), lambda place, time: (info.fill(pattern, Number=info.first_number + place, Time=time), None)
    )


def _listed(info: _Info) -> MediaPlaylist:
    urls = info.children("SegmentURL")
    if len(urls) > MAX_SEGMENTS:
        raise PlaylistError(f"more than {MAX_SEGMENTS} segments")
    uris = [join(info.place.base_uri, url.get("media", "")) for url in urls]
    pieces = [byte_range(url.get("mediaRange"), "SegmentURL@mediaRange") for url in urls]
    if info.attribute("duration") is None and info.lowest("SegmentTimeline") is None:
        if len(urls) != 1 or info.place.span.duration_s is None:
            raise PlaylistError("a SegmentList needs @duration or a SegmentTimeline")
        length = round(info.place.span.duration_s * info.timescale)
        runs = [_Run(place=0, time=info.time_offset, duration=length, count=1)]
    else:
        runs = info.runs(len(urls))
    return info.playlist(runs, lambda place, _: (uris[place], pieces[place]))


def _whole(place: RepresentationPlace, *, index_range: ByteRange | None, init: InitSegment | None) -> MediaPlaylist:
    """One resource for the whole period, to be cut by its index if it has one."""
    if place.span.duration_s is None:
        raise PlaylistError(f"representation {place.identifier!r} is one resource in a period of unknown length")
    segment = Segment(
        uri=place.base_uri,
        start_s=place.span.start_s,
        duration_s=place.span.duration_s,
        init=init,
        index_range=index_range,
    )
    return MediaPlaylist(segments=(segment,), target_duration_s=segment.duration_s, unindexed=index_range is not None)
