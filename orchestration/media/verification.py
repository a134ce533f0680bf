"""Measure what a title's renditions deliver, and encode again those that miss their target.

Every rendition is measured once: what was found is kept beside the ladder (``quality.json``, `handover.py`), so a step
that is run again measures and encodes nothing. A rendition that was corrected away is named by nothing, so
`retention.py` removes it in time; what it was measured to give stays known, and a ladder that is planned anew starts
with it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import msgspec

from orchestration.media.chunk_encode import OnProgress
from orchestration.media.clear import clear_file
from orchestration.media.correction import Delivered, correct
from orchestration.media.encoders import LIKENESS
from orchestration.media.forms import read_forms
from orchestration.media.handover import read_delivered, read_ladder, write_delivered, write_ladder
from orchestration.media.ladder import Ladder, VideoRung
from orchestration.media.quality import Reference, Window, measure_quality, reference_of, sample_windows
from orchestration.media.renditions import RenditionRecord, Segment
from orchestration.media.report import ProbeReport
from orchestration.media.settings import MediaSettings
from orchestration.media.title_encode import EncodedTitle, encode_title
from orchestration.media.title_work import TitleWork

MEASURE_EVERY = 4
WINDOW_PICTURES = 24
"""Six pictures of each window are measured."""


@dataclass(frozen=True, kw_only=True)
class VerifiedTitle:
    """What an encode with its verification did.

    Attributes:
        encodes: First to last: one, and one more for each correction.
        delivered: One per video rung; empty where nothing is measured.
        cpu_s: What measuring cost in this call, in CPU seconds.
    """

    ladder: Ladder
    encodes: list[EncodedTitle]
    delivered: list[Delivered]
    cpu_s: float


def encode_title_to_target(work: TitleWork, on_progress: OnProgress | None = None) -> VerifiedTitle:
    """Encode a title, and its rungs that miss their target again; a fixed ladder has no targets.

    The ladder in the store is replaced when a rung is corrected, as often as `encoders.Likeness` has it for its codec.

    Raises:
        MediaError: As `encode_title` does, and when a rendition cannot be measured.
    """
    store, title_id = work.store, work.title_id
    encodes = [encode_title(work, on_progress)]
    ladder, cpu_s = read_ladder(store, title_id), 0.0
    delivered: list[Delivered] = []
    if work.settings.quality_frames == 0 or all(rung.target_vmaf is None for rung in ladder.video):
        return VerifiedTitle(ladder=ladder, encodes=encodes, delivered=[], cpu_s=0.0)
    corrections = max(LIKENESS[rung.codec].most_corrections for rung in ladder.video)
    for _ in range(corrections + 2):  # the last round may go back to the best one tried
        delivered, spent_s = measure_title(work)
        cpu_s += spent_s
        corrected = correct(ladder, read_delivered(store, title_id), work.settings)
        if corrected == ladder:
            break
        ladder = corrected
        write_ladder(store, title_id, ladder)
        encodes.append(encode_title(work, on_progress))
    return VerifiedTitle(ladder=ladder, encodes=encodes, delivered=delivered, cpu_s=cpu_s)


def measure_title(work: TitleWork) -> tuple[list[Delivered], float]:
    """What each video rung of an encoded title delivers, in the ladder's order, and what finding out cost now.

    Rungs that the store knows of are not measured again; the cost is in CPU seconds.

    Raises:
        MasterMissing, PackagingError: The title is not encoded.
        ProgramError, QualityUnmeasured, ProtectionError: A rendition cannot be measured.
    """
    store, title_id = work.store, work.title_id
    ladder = read_ladder(store, title_id)
    known = read_delivered(store, title_id)
    found = {item.rendition_id: item for item in known}
    missing = [rung for rung in ladder.video if rung.rendition_id not in found]
    cpu_s = 0.0
    if missing:
        records = {
            record.rendition.rung: record
            for record in read_forms(store, title_id, ladder, work.settings)
            if record.rendition.kind == "video" and record.rendition.protection != "aes-128"
        }
        with work.scratch_folder() as folder:
            new = _measure_rungs(
                missing,
                [records[rung.rung] for rung in missing],
                lambda record: clear_file(store, title_id, record, folder, work.keys),
                _reference(work.probed_master(), work.read_probed().report, ladder, work.settings),
                folder,
            )
        cpu_s = sum(item.cpu_s for item in new)
        found |= {item.rendition_id: item for item in new}
        write_delivered(store, title_id, [*known, *new])
    return [found[rung.rendition_id] for rung in ladder.video], cpu_s


def _reference(master: Path, report: ProbeReport, ladder: Ladder, settings: MediaSettings) -> Reference:
    """The windows of the master that are looked at."""
    count = max(settings.quality_frames * MEASURE_EVERY // WINDOW_PICTURES, 1)
    windows = sample_windows(ladder.duration_s, ladder.rate, count, WINDOW_PICTURES)
    return reference_of(master, report, ladder.rate, windows)


def _measure_rungs(
    rungs: Sequence[VideoRung],
    records: Sequence[RenditionRecord],
    clear: Callable[[RenditionRecord], Path],
    reference: Reference,
    scratch: Path,
) -> list[Delivered]:
    pictures = min(round(record.duration_s * reference.rate) for record in records)
    reference = replace(reference, windows=_within(reference.windows, pictures))
    needed = [_needed_segments(record, reference.rate, reference.windows) for record in records]
    held = _held(records[0], needed[0], reference.rate, reference.windows)
    files = [
        clear(msgspec.structs.replace(record, segments=segments))
        for record, segments in zip(records, needed, strict=True)
    ]
    qualities = measure_quality(reference, files, scratch, every=MEASURE_EVERY, held=held, with_xpsnr=True)
    for file in files:
        file.unlink()
    return [
        Delivered(
            rendition_id=rung.rendition_id,
            rung=rung.rung,
            crf=rung.crf,
            target_vmaf=rung.target_vmaf,
            vmaf=round(quality.mean, 3),
            harmonic_mean=round(quality.harmonic_mean, 3),
            percentile_5=round(quality.percentile_5, 3),
            pictures=quality.pictures,
            cpu_s=round(quality.cpu_s, 3),
            xpsnr_db=None if quality.xpsnr_db is None else round(quality.xpsnr_db, 2),
            bitrate_bps=record.rendition.bitrate_bps,
        )
        for rung, record, quality in zip(rungs, records, qualities, strict=True)
    ]


def _within(windows: Sequence[Window], pictures: int) -> tuple[Window, ...]:
    """The windows, ended where the shortest rendition ends."""
    return tuple(
        Window(first=window.first, count=min(window.count, pictures - window.first))
        for window in windows
        if window.first < pictures
    )


def _needed_segments(record: RenditionRecord, rate: Fraction, windows: Sequence[Window]) -> list[Segment]:
    """The segments that hold pictures of a window."""
    return [
        segment
        for segment, (start, end) in zip(record.segments, _spans(record, rate), strict=True)
        if any(window.first < end and start < window.first + window.count for window in windows)
    ]


def _held(
    record: RenditionRecord, needed: Sequence[Segment], rate: Fraction, windows: Sequence[Window]
) -> list[Window]:
    """Where a file of the needed segments alone holds the pictures of the windows."""
    moved: dict[int, int] = {}
    names = {segment.name for segment in needed}
    position = 0
    for segment, (start, end) in zip(record.segments, _spans(record, rate), strict=True):
        if segment.name in names:
            moved |= {picture: position + picture - start for picture in range(start, end)}
            position += end - start
    return [Window(first=moved[window.first], count=window.count) for window in windows]


def _spans(record: RenditionRecord, rate: Fraction) -> list[tuple[int, int]]:
    """First picture and the one after the last of each segment, counted from the start of the film."""
    start = record.segments[0].start_ticks
    edges = [round((segment.start_ticks - start) * rate / record.timescale) for segment in record.segments]
    return list(zip(edges, [*edges[1:], round(record.duration_s * float(rate))], strict=True))
