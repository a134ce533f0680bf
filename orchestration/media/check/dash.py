"""DASH rules: ISO/IEC 23009-1 and DASH-IF's interoperability points, on one MPD and the media behind it."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from orchestration.media.check.codecs import same_codec
from orchestration.media.check.findings import Finding, error
from orchestration.media.check.images import Sheets, check_sheets, find_tiles
from orchestration.media.check.media import MediaFacts, RenditionFacts
from orchestration.media.check.package import CheckedPackage
from orchestration.media.check.playlist import fill_number, read_number
from orchestration.media.check.rates import TOLERANCE_SHARE, average_bps, peak_bps

DURATION_TOLERANCE_S = 0.1
TIMELINE_TOLERANCE_S = 0.001
FRAME_RATE_TOLERANCE = 0.002
_NAMES = {"mpd": "urn:mpeg:dash:schema:mpd:2011", "cenc": "urn:mpeg:cenc:2013"}
_ISO_DURATION = re.compile(r"PT(?:(\d+)H)?(?:(\d+)M)?(?:([0-9.]+)S)?")
_PROTECTION = "urn:mpeg:dash:mp4protection:2011"
_TILES = ("http://dashif.org/guidelines/thumbnail_tile", "http://dashif.org/thumbnail_tile")
_GRID = re.compile(r"[1-9]\d*x[1-9]\d*")


@dataclass(frozen=True, kw_only=True)
class _Representation:
    """One Representation with what it takes from its AdaptationSet.

    Attributes:
        starts_s: When its segments start, and at the end when the last one ends; from the timeline.
        gapless: Whether the timeline is whole; nothing is measured by one that is not.
    """

    name: str
    element: ElementTree.Element
    parent: ElementTree.Element
    init_key: str
    segment_keys: list[str]
    starts_s: list[float]
    gapless: bool
    facts: RenditionFacts | None

    def attribute(self, name: str) -> str | None:
        return self.element.get(name) or self.parent.get(name)

    @property
    def durations_s(self) -> list[float]:
        return [end - start for start, end in zip(self.starts_s, self.starts_s[1:], strict=False)]


def check_dash(package: CheckedPackage, media: MediaFacts, key: str) -> Generator[Finding, None, set[str]]:
    """Check an MPD and everything that it names; returns the files of the renditions it presents."""
    try:
        return (yield from _check_mpd(package, media, key))
    except (ValueError, ZeroDivisionError) as fault:
        yield error("mpd-number", key, f"an attribute is no number that can be used: {fault}")
        return set()


def _check_mpd(package: CheckedPackage, media: MediaFacts, key: str) -> Generator[Finding, None, set[str]]:
    text = package.read_text(key)
    if text is None:
        return set()
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as fault:
        yield error("mpd", key, f"is not XML: {fault}")
        return set()
    if root.get("type", "static") != "static":
        yield error("mpd-type", key, "is not static")
    files: set[str] = set()
    everything: list[_Representation] = []
    for adaptation_set in root.iterfind(".//mpd:AdaptationSet", _NAMES):
        single = [item for item in adaptation_set.iterfind("mpd:Representation", _NAMES) if _base_url(item)]
        for item in single:
            file = package.use(key, _base_url(item))
            if file is None:
                yield error("mpd-segments", key, f"{item.get('id')}: {_base_url(item)} is no object")
                continue
            files.add(file)
            measured = average_bps([package.sizes_bytes[file]], [package.record.duration_s])
            yield from _check_declared(key, item.get("id", "?"), int(item.get("bandwidth", 0)), measured)
        if adaptation_set.get("contentType") == "image":
            yield from _check_images(package, key, adaptation_set)
            continue
        if single:
            continue
        yield from _check_alignment(key, adaptation_set)
        read = yield from _read_set(package, media, key, adaptation_set)
        for representation in read:
            yield from _check_representation(package, key, representation)
        yield from _check_same_cuts(key, read)
        everything += read
    yield from _check_durations(package, key, root, everything)
    return files | {item.init_key for item in everything}


def _base_url(representation: ElementTree.Element) -> str:
    return (representation.findtext("mpd:BaseURL", "", _NAMES) or "").strip()


def _check_images(package: CheckedPackage, key: str, adaptation_set: ElementTree.Element) -> Iterator[Finding]:
    """Sheets of pictures (DASH-IF IOP, 6.2.6): the template that names them, their grid, size and bit rate."""
    for representation in adaptation_set.iterfind("mpd:Representation", _NAMES):
        name = representation.get("id", "?")
        template = representation.find("mpd:SegmentTemplate", _NAMES)
        if template is None:
            template = adaptation_set.find("mpd:SegmentTemplate", _NAMES)
        if template is None:
            yield error("mpd-template", key, f"{name}: no SegmentTemplate")
            continue
        sheet_s = float(Fraction(int(template.get("duration", 0)), int(template.get("timescale", 1))))
        keys = find_tiles(package, key, template.get("media", ""), sheet_s)
        if keys is None:
            yield error("image-tiles", key, f"{name}: sheets of {sheet_s:g} s over the whole title are no objects")
            continue
        levels = (representation, adaptation_set)
        found = [item for level in levels for item in level.iterfind("mpd:EssentialProperty", _NAMES)]
        grid = next((item.get("value", "") for item in found if item.get("schemeIdUri") in _TILES), "")
        if not _GRID.fullmatch(grid):
            yield error("image-tiles", key, f"{name}: says no grid of pictures")
            continue
        sheets = Sheets(
            keys=keys,
            bandwidth=read_number(representation.get("bandwidth")),
            width=int(representation.get("width", 0)),
            height=int(representation.get("height", 0)),
            sheet_s=sheet_s,
        )
        yield from check_sheets(package, key, sheets)


def _check_alignment(key: str, adaptation_set: ElementTree.Element) -> Iterator[Finding]:
    name = adaptation_set.get("id")
    if adaptation_set.get("startWithSAP") != "1":
        yield error("start-with-sap", key, f"set {name}: startWithSAP is not 1")
    if adaptation_set.get("segmentAlignment") != "true":
        yield error("segment-alignment", key, f"set {name}: segmentAlignment is not true")


def _read_set(
    package: CheckedPackage, media: MediaFacts, key: str, adaptation_set: ElementTree.Element
) -> Generator[Finding, None, list[_Representation]]:
    read = []
    for element in adaptation_set.iterfind("mpd:Representation", _NAMES):
        name = element.get("id", "?")
        template = element.find("mpd:SegmentTemplate", _NAMES)
        if template is None:
            template = adaptation_set.find("mpd:SegmentTemplate", _NAMES)
        if template is None or template.find("mpd:SegmentTimeline", _NAMES) is None:
            yield error("mpd-template", key, f"{name}: no SegmentTemplate with a SegmentTimeline")
            continue
        starts_s, gapless = yield from _read_timeline(key, name, template)
        number = int(template.get("startNumber", 1))
        media_template = template.get("media", "").replace("$RepresentationID$", name)
        uris = [fill_number(media_template, number + index) for index in range(len(starts_s) - 1)]
        wanted = [template.get("initialization", "").replace("$RepresentationID$", name), *uris]
        keys = [package.use(key, uri) for uri in wanted]
        missing = [uri for uri, found in zip(wanted, keys, strict=True) if found is None]
        if missing:
            message = f"{name}: {len(missing)} files are no objects, the first is {missing[0]}"
            yield error("mpd-segments", key, message)
            continue
        found = [one for one in keys if one is not None]
        read.append(
            _Representation(
                name=name,
                element=element,
                parent=adaptation_set,
                init_key=found[0],
                segment_keys=found[1:],
                starts_s=starts_s,
                gapless=gapless,
                facts=media.look(found[0], found[1:]),
            )
        )
    return read


def _read_timeline(
    key: str, name: str, template: ElementTree.Element
) -> Generator[Finding, None, tuple[list[float], bool]]:
    """When segments start and when the last one ends, and whether there is no gap between them."""
    timescale = int(template.get("timescale", 1))
    offset = int(template.get("presentationTimeOffset", 0))
    moment: int | None = None
    starts: list[int] = []
    gapless = True
    for entry in template.iterfind("mpd:SegmentTimeline/mpd:S", _NAMES):
        start = int(entry.get("t", moment or 0))
        if moment is not None and start != moment:
            said = "a gap" if start > moment else "an overlap"
            gapless = False
            yield error("timeline-gap", key, f"{name}: {said} of {abs(start - moment)} ticks before t={start}")
        moment = start
        for _ in range(int(entry.get("r", 0)) + 1):
            starts.append(moment)
            moment += int(entry.get("d", 0))
    ticks = [*starts, *([] if moment is None else [moment])]
    return [float(Fraction(tick - offset, timescale)) for tick in ticks], gapless


def _check_representation(package: CheckedPackage, key: str, item: _Representation) -> Iterator[Finding]:
    missing = [name for name in ("bandwidth", "codecs", "mimeType") if not item.attribute(name)]
    if missing:
        yield error("mpd-attributes", key, f"{item.name}: {', '.join(missing)} missing")
        return
    yield from _check_bandwidth(package, key, item)
    facts = item.facts
    if facts is None:
        return
    codecs = item.attribute("codecs") or ""
    if not same_codec(codecs, facts.init.codec):
        yield error("mpd-codecs", key, f"{item.name}: codecs is {codecs}, the init segment says {facts.init.codec}")
    yield from _check_protection(key, item, facts)
    if facts.init.kind == "video":
        yield from _check_picture(key, item, facts)
    if not facts.sound or not item.gapless:
        return
    drifted = next(
        (
            (start_s, segment)
            for start_s, segment in zip(item.starts_s, item.segment_keys, strict=False)
            if abs(start_s - facts.start_s(segment)) > TIMELINE_TOLERANCE_S
        ),
        None,
    )
    last_s = facts.start_s(item.segment_keys[-1]) + facts.duration_s(item.segment_keys[-1])
    if drifted is not None:
        start_s, segment = drifted
        message = f"{item.name}: {segment} starts at {facts.start_s(segment):.3f} s, the timeline says {start_s:.3f} s"
        yield error("mpd-timeline", key, message)
    elif abs(last_s - item.starts_s[-1]) > TIMELINE_TOLERANCE_S:
        message = f"{item.name}: ends at {last_s:.3f} s, the timeline says {item.starts_s[-1]:.3f} s"
        yield error("mpd-timeline", key, message)


def _check_bandwidth(package: CheckedPackage, key: str, item: _Representation) -> Iterator[Finding]:
    """``bandwidth`` is what HLS calls the peak: with it, one segment of start-up buffer lasts to the end."""
    if not item.gapless:
        return
    measured = peak_bps([package.sizes_bytes[name] for name in item.segment_keys], item.durations_s)
    yield from _check_declared(key, item.name, int(item.attribute("bandwidth") or 0), measured)


def _check_declared(key: str, name: str, declared: int, measured: int) -> Iterator[Finding]:
    if not measured - 2 <= declared <= (1 + TOLERANCE_SHARE) * measured + 2:
        yield error("mpd-bandwidth", key, f"{name}: bandwidth is {declared}, measured {measured}")


def _check_picture(key: str, item: _Representation, facts: RenditionFacts) -> Iterator[Finding]:
    said = f"{item.attribute('width')}x{item.attribute('height')}"
    if said != f"{facts.init.width}x{facts.init.height}":
        found = f"{facts.init.width}x{facts.init.height}"
        yield error("mpd-resolution", key, f"{item.name}: {said}, the init segment says {found}")
    rate = item.attribute("frameRate")
    if rate is not None and facts.sound and abs(float(Fraction(rate)) - facts.frame_rate()) > FRAME_RATE_TOLERANCE:
        yield error("mpd-frame-rate", key, f"{item.name}: {rate}, measured {facts.frame_rate():.3f}")


def _check_protection(key: str, item: _Representation, facts: RenditionFacts) -> Iterator[Finding]:
    found = [
        element for level in (item.parent, item.element) for element in level.iterfind("mpd:ContentProtection", _NAMES)
    ]
    general = next((element for element in found if element.get("schemeIdUri") == _PROTECTION), None)
    if facts.init.scheme is None:
        if found:
            yield error("content-protection", key, f"{item.name}: declared as encrypted, the media is clear")
        return
    if general is None or general.get("value") != facts.init.scheme:
        yield error("content-protection", key, f"{item.name}: no ContentProtection with value={facts.init.scheme}")
        return
    declared = (general.get(f"{{{_NAMES['cenc']}}}default_KID") or "").replace("-", "").lower()
    if declared != facts.init.default_kid:
        message = f"{item.name}: default_KID is {declared or 'missing'}, the media's is {facts.init.default_kid}"
        yield error("default-kid", key, message)
    has_pssh = any(element.find("cenc:pssh", _NAMES) is not None for element in found)
    if not has_pssh and not facts.init.pssh_systems:
        yield error("pssh", key, f"{item.name}: encrypted, and neither MPD nor init segment has a pssh box")
    if facts.init.pssh_key_ids and facts.init.default_kid not in facts.init.pssh_key_ids:
        yield error("pssh-kid", item.init_key, f"its pssh box does not list the key id {facts.init.default_kid}")


def _check_same_cuts(key: str, read: Sequence[_Representation]) -> Iterator[Finding]:
    """The media itself is compared where it can be read, else the timelines."""
    cuts = [
        (item.name, [item.facts.start_s(name) for name in item.segment_keys])
        if item.facts is not None and item.facts.sound
        else (item.name, item.starts_s[:-1])
        for item in read
        if item.gapless
    ]
    for name, starts_s in cuts[1:]:
        first_name, first = cuts[0]
        if len(starts_s) != len(first) or any(
            abs(one - other) > TIMELINE_TOLERANCE_S for one, other in zip(starts_s, first, strict=True)
        ):
            yield error("mpd-same-cuts", key, f"{name} is cut at other points than {first_name}")


def _check_durations(
    package: CheckedPackage, key: str, root: ElementTree.Element, everything: Sequence[_Representation]
) -> Iterator[Finding]:
    found = _ISO_DURATION.fullmatch(root.get("mediaPresentationDuration", ""))
    declared_s = (
        sum(float(part or 0) * unit for part, unit in zip(found.groups(), (3600, 60, 1), strict=True)) if found else 0.0
    )
    if abs(declared_s - package.record.duration_s) > DURATION_TOLERANCE_S:
        said = root.get("mediaPresentationDuration")
        yield error("mpd-duration", key, f"declares {said}, the title lasts {package.record.duration_s:.2f} s")
    for item in everything:
        lasts_s = sum(item.durations_s)
        if item.gapless and abs(lasts_s - package.record.duration_s) > DURATION_TOLERANCE_S:
            message = f"{item.name} lasts {lasts_s:.2f} s, the title {package.record.duration_s:.2f} s"
            yield error("representation-duration", key, message)
