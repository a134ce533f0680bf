"""The media itself: what the init segment and the segments of each rendition hold, and whether that is sound.

Segments are read and parsed, not decoded: boxes, times, sizes, and the headers of the pictures that start a segment.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from orchestration.media.check.bitstream import starts_alone
from orchestration.media.check.boxes import BoxError, InitFacts, read_init, read_segment
from orchestration.media.check.findings import Finding, error
from orchestration.media.check.package import CheckedPackage

TOLERANCE_TICKS = 1


@dataclass(frozen=True, kw_only=True)
class SegmentFacts:
    """One media segment, in ticks of the rendition's timescale.

    Attributes:
        start_ticks, end_ticks: As presented, the edit list applied.
        key_ranges: Byte ranges (start, end) of the pictures that start its fragments, with the fragment's header.
    """

    start_ticks: int
    end_ticks: int
    sample_count: int
    key_ranges: tuple[tuple[int, int], ...]


@dataclass(frozen=True, kw_only=True)
class RenditionFacts:
    """What a rendition really is. ``segments`` holds those that could be read."""

    init_key: str
    init: InitFacts
    segments: dict[str, SegmentFacts]
    sound: bool

    def duration_s(self, key: str) -> float:
        """How long a segment lasts."""
        facts = self.segments[key]
        return (facts.end_ticks - facts.start_ticks) / self.init.timescale

    def start_s(self, key: str) -> float:
        """When a segment starts."""
        return self.segments[key].start_ticks / self.init.timescale

    def frame_rate(self) -> float:
        """Pictures a second over all segments."""
        ticks = sum(facts.end_ticks - facts.start_ticks for facts in self.segments.values())
        samples = sum(facts.sample_count for facts in self.segments.values())
        return float(Fraction(samples * self.init.timescale, ticks)) if ticks else 0.0


class MediaFacts:
    """The renditions of a package, each looked at once however many manifests name it."""

    def __init__(self, package: CheckedPackage) -> None:
        self._package = package
        self._known: dict[tuple[str, ...], RenditionFacts | None] = {}
        self.findings: list[Finding] = []

    def look(self, init_key: str, segment_keys: Sequence[str]) -> RenditionFacts | None:
        """What a rendition holds; None when its init segment cannot be read."""
        known = (init_key, *segment_keys)
        if known not in self._known:
            self._known[known] = self._read(init_key, segment_keys)
        return self._known[known]

    def _read(self, init_key: str, segment_keys: Sequence[str]) -> RenditionFacts | None:
        content = self._package.read(init_key)
        if content is None:
            return None
        try:
            init = read_init(content)
        except BoxError as fault:
            self.findings.append(error("init-boxes", init_key, str(fault)))
            return None
        segments: dict[str, SegmentFacts] = {}
        findings: list[Finding] = []
        for key in segment_keys:
            content = self._package.read(key)
            if content is not None:
                facts, faults = _read_facts(key, content, init)
                findings += faults
                if facts is not None:
                    segments[key] = facts
        findings += _check_continuous(segment_keys, segments)
        self.findings += findings
        sound = not findings and len(segments) == len(set(segment_keys))
        return RenditionFacts(init_key=init_key, init=init, segments=segments, sound=sound)


def _read_facts(key: str, content: bytes, init: InitFacts) -> tuple[SegmentFacts | None, list[Finding]]:
    try:
        fragments = read_segment(content, init)
    except BoxError as fault:
        return None, [error("segment-boxes", key, str(fault))]
    findings = []
    first = fragments[0]
    if init.kind == "video":
        if not first.sync:
            findings.append(error("sync-sample", key, "its first sample is not flagged as a sync sample"))
        if not starts_alone(first.first_sample, init.entry, init.nal_length_bytes):
            findings.append(error("idr", key, f"its first picture ({init.entry}) cannot be decoded alone"))
    for before, after in itertools.pairwise(fragments):
        gap = after.decode_start_ticks - before.decode_start_ticks - before.duration_ticks
        if abs(gap) > TOLERANCE_TICKS:
            findings.append(error("tfdt", key, f"a fragment starts {gap} ticks after the one before it ends"))
            break
    start_ticks = first.first_shown_ticks - init.edit_start_ticks
    end_ticks = start_ticks + sum(fragment.duration_ticks for fragment in fragments)
    facts = SegmentFacts(
        start_ticks=max(start_ticks, 0),  # an edit list cuts off what the encoder needs to get going
        end_ticks=end_ticks,
        sample_count=sum(fragment.sample_count for fragment in fragments),
        key_ranges=tuple((fragment.range_start, fragment.range_end) for fragment in fragments),
    )
    return facts, findings


def _check_continuous(keys: Sequence[str], segments: dict[str, SegmentFacts]) -> Iterator[Finding]:
    """Each segment must start where the one before it ends, the first one at zero."""
    expected: int | None = 0
    for key in keys:
        facts = segments.get(key)
        if facts is None:
            expected = None
            continue
        if expected is not None and abs(facts.start_ticks - expected) > TOLERANCE_TICKS:
            message = f"starts at {facts.start_ticks} ticks, the segments before it end at {expected}"
            yield error("tfdt", key, message)
            return
        expected = facts.end_ticks
