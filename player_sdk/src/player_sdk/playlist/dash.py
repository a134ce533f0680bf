"""DASH manifests (ISO/IEC 23009-1), on demand and live: text in, model out.

Read: templates, lists and indexes at any level (``addressing``), several periods, ``BaseURL``, dynamic manifests with
their window and ``UTCTiming``, tracks of video, audio and text. Read past: trick modes, images, events, ``xlink``.
Refused: encrypted media.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from player_sdk.errors import PlaylistError
from player_sdk.models import Pathway
from player_sdk.playlist.addressing import RepresentationPlace, Span, segments_of
from player_sdk.playlist.lazy import Chain, LazySequence
from player_sdk.playlist.model import (
    MAX_SEGMENTS,
    ClockScheme,
    ClockSource,
    MediaPlaylist,
    Presentation,
    Segment,
    Track,
    TrackKind,
    distinct_renditions,
    distinct_rungs,
    most_like,
    rung_name,
)
from player_sdk.playlist.xml import (
    Element,
    children,
    first_child,
    frame_rate,
    integer,
    join,
    name_of,
    parse_xml,
    seconds,
    text_of,
    utc_seconds,
)

_CLOCK_SCHEMES: tuple[ClockScheme, ...] = ("direct", "http-head", "http-iso", "http-xsdate")
_TRICK_MODE = "http://dashif.org/guidelines/trickmode"
_TEXT_CODECS = ("stpp", "wvtt")


def parse_mpd(text: str, base_uri: str = "", utc_s: float | None = None) -> Presentation:
    """Read a manifest.

    Args:
        text: The MPD.
        base_uri: Its own URI or path, against which relative ones are resolved.
        utc_s: The time now, in seconds since 1970: what a dynamic manifest offers depends on it.

    Raises:
        PlaylistError: Not an MPD, not of the kind described above, or without a video track.
    """
    what = base_uri or "manifest"
    root = parse_xml(text, what)
    if name_of(root) != "MPD":
        raise PlaylistError(f"{what}: the root element is {name_of(root)!r}, not MPD")
    kind = root.get("type", "static")
    if kind not in ("static", "dynamic"):
        raise PlaylistError(f"{what}: type {kind!r} is neither static nor dynamic")
    live = _Live.of(root, what, utc_s) if kind == "dynamic" else None
    pathways = _service_locations(root, base_uri) if live is None else ()
    periods = _periods(root, "/" if pathways else _below(base_uri, root), live)
    if not periods:
        raise PlaylistError(f"{what}: no period that has begun")
    steering = first_child(root, "ContentSteering")
    tracks = _joined([_tracks(period) for period in periods], live)
    video = [track for track in tracks if track.kind == "video"]
    if not video:
        raise PlaylistError(f"{what}: no video representation in it")
    return Presentation(
        video=tuple(video),
        audio=distinct_renditions(tracks, "audio"),
        text=distinct_renditions(tracks, "text"),
        duration_s=_total_s(periods) if live is None else None,
        protocol="dash",
        pathways=pathways,
        steering_uri=None if steering is None else join(base_uri, text_of(steering)),
        steering_pathway=None if steering is None else steering.get("defaultServiceLocation"),
        reload_uri=None if live is None else join(base_uri, text_of(first_child(root, "Location"))),
    )


@dataclass(frozen=True, kw_only=True)
class _Live:
    """What a dynamic MPD says of itself.

    Attributes:
        now_s: The time on the presentation's own timeline.
        window_s: How much of the past is kept, None for all of it.
    """

    now_s: float
    window_s: float | None
    refresh_s: float
    hold_back_s: float | None

    @classmethod
    def of(cls, root: Element, what: str, utc_s: float | None) -> _Live:
        begun_s = utc_seconds(root.get("availabilityStartTime"), "availabilityStartTime")
        if begun_s is None or utc_s is None:
            raise PlaylistError(f"{what}: a dynamic manifest needs availabilityStartTime, and the time now to read it")
        return cls(
            now_s=utc_s - begun_s,
            window_s=seconds(root.get("timeShiftBufferDepth")),
            refresh_s=seconds(root.get("minimumUpdatePeriod")) or 0.0,
            hold_back_s=seconds(root.get("suggestedPresentationDelay")),
        )

    @property
    def window_start_s(self) -> float:
        return 0.0 if self.window_s is None else self.now_s - self.window_s


@dataclass(frozen=True, kw_only=True)
class _Period:
    element: Element
    base_uri: str
    span: Span


def _periods(root: Element, base_uri: str, live: _Live | None) -> list[_Period]:
    """The periods with their places on the timeline; of a live presentation those that are in its window."""
    elements = children(root, "Period")
    total_s = seconds(root.get("mediaPresentationDuration"))
    lengths = [seconds(element.get("duration")) for element in elements]
    starts: list[float | None] = []
    for index, element in enumerate(elements):
        start_s = seconds(element.get("start"))
        if start_s is None and index == 0:
            start_s = 0.0
        elif start_s is None:
            before_s, length_s = starts[-1], lengths[index - 1]
            start_s = None if before_s is None or length_s is None else before_s + length_s
        starts.append(start_s)
    periods = []
    for index, (element, start_s) in enumerate(zip(elements, starts, strict=True)):
        if start_s is None:
            if live is None:
                raise PlaylistError(f"period {index} says neither when it starts nor how long the one before it is")
            continue  # an early announcement
        following_s = next((start for start in starts[index + 1 :] if start is not None), None)
        end_s = following_s if following_s is not None else total_s
        length_s = lengths[index] if lengths[index] is not None else None if end_s is None else end_s - start_s
        if length_s is not None and length_s <= 0.0 and len(elements) > 1:
            continue
        span = Span(start_s=start_s, duration_s=length_s)
        if live is not None:
            if start_s > live.now_s or (length_s is not None and start_s + length_s < live.window_start_s):
                continue
            span = replace(span, available_from_s=live.window_start_s, available_until_s=live.now_s)
        periods.append(_Period(element=element, base_uri=_below(base_uri, element), span=span))
    return periods


def _total_s(periods: Sequence[_Period]) -> float | None:
    last = periods[-1].span
    return None if last.duration_s is None else last.start_s + last.duration_s


def _tracks(period: _Period) -> list[Track]:
    """Its tracks; those of video by ascending bit rate, each of a name of its own."""
    found: list[Track] = []
    for adaptation in children(period.element, "AdaptationSet"):
        if any(one.get("schemeIdUri") == _TRICK_MODE for one in children(adaptation, "EssentialProperty")):
            continue
        for representation in children(adaptation, "Representation"):
            kind = _kind(adaptation, representation)
            if kind is not None:
                found.append(_track(kind, period, adaptation, representation))
    others = [track for track in found if track.kind != "video"]
    return [*distinct_rungs([track for track in found if track.kind == "video"]), *others]


def _track(kind: TrackKind, period: _Period, adaptation: Element, representation: Element) -> Track:
    if children(adaptation, "ContentProtection") or children(representation, "ContentProtection"):
        raise PlaylistError("an encrypted adaptation set; this player holds no keys")

    def attribute(name: str, default: str = "") -> str:
        return representation.get(name) or adaptation.get(name) or default

    bitrate_bps = float(integer(representation.get("bandwidth"), "bandwidth", 0))
    identifier = representation.get("id", "")
    height = integer(attribute("height") or None, "height", 0)
    language = adaptation.get("lang", "und")
    place = RepresentationPlace(
        levels=(period.element, adaptation, representation),
        identifier=identifier,
        bitrate_bps=bitrate_bps,
        base_uri=_below(_below(period.base_uri, adaptation), representation),
        has_own_url=bool(children(representation, "BaseURL")),
        span=period.span,
    )
    roles = {role.get("value") for role in children(adaptation, "Role")}
    return Track(
        kind=kind,
        rung=rung_name(identifier, height, bitrate_bps) if kind == "video" else f"{kind}-{language}",
        bitrate_bps=bitrate_bps,
        peak_bitrate_bps=bitrate_bps,
        codecs=tuple(codec.strip() for codec in attribute("codecs").split(",") if codec.strip()),
        width=integer(attribute("width") or None, "width", 0),
        height=height,
        frame_rate=frame_rate(attribute("frameRate")),
        language=language,
        name=text_of(first_child(adaptation, "Label")),
        default=not roles or "main" in roles,
        media=segments_of(place),
    )


def _kind(adaptation: Element, representation: Element) -> TrackKind | None:
    mime = representation.get("mimeType") or adaptation.get("mimeType") or ""
    codecs = representation.get("codecs") or adaptation.get("codecs") or ""
    word = adaptation.get("contentType") or mime.split("/", 1)[0]
    if word == "text" or mime == "application/ttml+xml" or codecs.startswith(_TEXT_CODECS):
        return "text"
    if word == "video":
        return "video"
    return "audio" if word == "audio" else None


def _joined(periods: Sequence[Sequence[Track]], live: _Live | None) -> list[Track]:
    """The tracks of the first period that has most rungs, each going on in the others in the track most like it.

    A track of sound or text that another period does not have is left out; picture has to be in each of them.
    """
    videos = [sum(track.kind == "video" for track in tracks) for tracks in periods]
    if min(videos) == 0 < max(videos):
        raise PlaylistError("a period without video; this player cannot show one")
    joined = []
    for track in periods[videos.index(max(videos))]:
        parts = [part for tracks in periods if (part := most_like(track, tracks)) is not None]
        if len(parts) == len(periods):
            joined.append(replace(track, media=_one_playlist(parts, live)))
    return joined


def _one_playlist(parts: Sequence[Track], live: _Live | None) -> MediaPlaylist:
    """The segments of a track in all periods, numbered on from those of the first one."""
    playlists = [part.media for part in parts if part.media is not None]
    described = [replace(part, media=None) for part in parts]
    chain = Chain(len(playlist.segments) for playlist in playlists)
    if len(chain) > MAX_SEGMENTS:
        raise PlaylistError(f"more than {MAX_SEGMENTS} segments")
    first_number = next((playlist.first_number for playlist in playlists if playlist.segments), 0)

    def numbered(index: int) -> Segment:
        period, place = chain.find(index)
        segment = playlists[period].segments[place]
        return replace(segment, number=first_number + index, discontinuity=period, part_of=described[period])

    whole = MediaPlaylist(
        segments=LazySequence(len(chain), numbered),
        target_duration_s=max(playlist.target_duration_s for playlist in playlists),
        timed=True,
        unindexed=any(playlist.unindexed for playlist in playlists),
    )
    if live is None:
        return whole
    if whole.unindexed:
        raise PlaylistError("a segment index in a dynamic manifest, which cannot say what is there yet")
    refresh_s = live.refresh_s or whole.target_duration_s
    return replace(whole, ended=False, refresh_s=refresh_s, hold_back_s=live.hold_back_s)


def clock_source(text: str, base_uri: str = "") -> ClockSource | None:
    """Where the time comes from by which a dynamic manifest is to be read: its first ``UTCTiming`` of a known scheme.

    Raises:
        PlaylistError: Not XML.
    """
    root = parse_xml(text, base_uri or "manifest")
    if root.get("type") != "dynamic":
        return None
    for element in children(root, "UTCTiming"):
        value = element.get("value", "")
        for scheme in _CLOCK_SCHEMES:
            if element.get("schemeIdUri", "").startswith(f"urn:mpeg:dash:utc:{scheme}:") and value.split():
                uri = value if scheme == "direct" else join(base_uri, value.split()[0])
                return ClockSource(scheme=scheme, value=uri)
    return None


def _service_locations(root: Element, base_uri: str) -> tuple[Pathway, ...]:
    """The places that an MPD on demand names for all of it, the default one first; none if it names only one."""
    found = [element for element in children(root, "BaseURL") if element.get("serviceLocation")]
    if len(found) < 2:
        return ()
    places = [
        Pathway(pathway_id=one.get("serviceLocation", ""), base_url=join(base_uri, text_of(one))) for one in found
    ]
    steering = first_child(root, "ContentSteering")
    default_id = "" if steering is None else steering.get("defaultServiceLocation", "")
    return tuple(sorted(places, key=lambda place: place.pathway_id != default_id))


def _below(base_uri: str, element: Element) -> str:
    """The first ``BaseURL`` of an element, against what stands above it; others are alternatives to it."""
    found = first_child(element, "BaseURL")
    return base_uri if found is None else join(base_uri, text_of(found))
