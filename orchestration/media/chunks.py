"""Divide a film into chunks that are encoded apart and give one rendition when they are joined.

A chunk is what one step encodes and what an interruption may lose: two stretches of the film with all rungs of one
codec. Each stretch is decoded once and scaled in a cascade. Two are encoded side by side, for the largest rung takes
half the work or more and one encoder thread: alone it leaves a part of the second core idle, longest at the end.

Stretches start where groups of pictures start, so all rungs of all codecs are still cut at the same moments, and where
possible where a shot changes, so that no rate control is interrupted in the middle of one. A chunk carries a minute of
encoder work or more, for a Dagster step, a seek and an encoder's start have costs of their own. A film with little more
is one chunk of one stretch.

Each stretch's encoder starts with a full rate control buffer. So a rung may exceed its cap once more at its start, by
at most one buffer; bandwidths are declared as measured and stay true.

The plan is made once for a master and a set of rungs and kept in the store, so that all steps on all hosts share it.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence

import msgspec

from orchestration.media.encode import WHOLE, Span
from orchestration.media.encoders import encoder_cpu_s, keyframe_distance
from orchestration.media.handover import ingest_prefix
from orchestration.media.ladder import Ladder, VideoCodec
from orchestration.media.records import read_record
from orchestration.media.report import ProbeReport
from orchestration.media.settings import MediaSettings
from orchestration.store import ObjectStore

SIDE_BY_SIDE = 2
"""Stretches of a chunk: two of them keep two cores busy, and cost the memory of two encodes."""
SHORTEST_STRETCH_S = 16.0
"""Of film. Below, the encoders' start and end, when not all of their threads have work, would show."""
REACH_S = 4.0
"""How far a stretch's start may move to a change of shot."""
SOUGHT_CONTAINERS = ("mov", "mp4", "matroska", "webm")
"""Containers with an index of exact timestamps. A master in another one is encoded in one piece."""

CutFinder = Callable[[Sequence[float], float], Mapping[float, Sequence[float]]]
"""Takes moments and a reach, in seconds; gives the changes of shot near each moment."""


class Chunk(msgspec.Struct, frozen=True, kw_only=True):
    """One piece of work.

    Attributes:
        codec: All rungs of it.
        number: From 1.
        count: Chunks of this codec.
        spans: Its stretches, which are encoded side by side.
    """

    codec: VideoCodec
    number: int
    count: int
    spans: list[Span]

    @property
    def name(self) -> str:
        """Unique within a title, and fit for a key."""
        return f"{self.codec}_{self.number:04d}"


class ChunkPlan(msgspec.Struct, frozen=True, kw_only=True):
    """All chunks of a title's ladder, by codec and then in order of time."""

    chunks: list[Chunk]

    def of(self, codec: VideoCodec) -> list[Chunk]:
        """The chunks of one codec."""
        return [chunk for chunk in self.chunks if chunk.codec == codec]

    def spans_of(self, codec: VideoCodec) -> list[Span]:
        """The stretches of one codec: the film without gap or overlap."""
        return [span for chunk in self.of(codec) for span in chunk.spans]


def plan_chunks(ladder: Ladder, report: ProbeReport, settings: MediaSettings, find_cuts: CutFinder) -> ChunkPlan:
    """Divide the film, for each codec of the ladder apart, since a slow one fills a chunk sooner."""
    chunks: list[Chunk] = []
    for codec in dict.fromkeys(rung.codec for rung in ladder.video):
        rungs = [rung for rung in ladder.video if rung.codec == codec]
        spans = [WHOLE]
        if can_be_sought(report):
            cpu_per_film_s = encoder_cpu_s(rungs, ladder.rate, settings)
            spans = divide(
                math.floor(ladder.duration_s * ladder.rate),
                keyframe_distance(ladder.rate, settings.keyframe_interval_s),
                shortest=math.ceil(
                    max(settings.chunk_cpu_s / SIDE_BY_SIDE / cpu_per_film_s, SHORTEST_STRETCH_S) * ladder.rate
                ),
                reach=math.floor(REACH_S * ladder.rate),
                find_cuts=_in_pictures(find_cuts, ladder),
            )
        together = [spans[first : first + SIDE_BY_SIDE] for first in range(0, len(spans), SIDE_BY_SIDE)]
        chunks += [
            Chunk(codec=codec, number=number, count=len(together), spans=stretches)
            for number, stretches in enumerate(together, start=1)
        ]
    return ChunkPlan(chunks=chunks)


def divide(
    pictures: int,
    distance: int,
    *,
    shortest: int,
    reach: int,
    find_cuts: Callable[[Sequence[int], int], Mapping[int, Sequence[int]]],
) -> list[Span]:
    """Spans that cover a film without gap or overlap: as many as may be and fill chunks, or one.

    Args:
        pictures: Length of the film.
        distance: Pictures from one key frame to the next; every span starts at a multiple of it.
        shortest: No span is shorter.
        reach: How far a start may be moved from the even division, towards a change of shot.
        find_cuts: The changes of shot near each of some pictures.
    """
    # Both ends of a span may move, one where there are two spans, and each is rounded to the grid.
    moves = reach + distance
    count = pictures // (shortest + 2 * moves) // SIDE_BY_SIDE * SIDE_BY_SIDE
    if count == 0 and pictures >= SIDE_BY_SIDE * (shortest + moves):
        count = SIDE_BY_SIDE
    if count == 0:
        return [WHOLE]
    evenly = [pictures * number // count for number in range(1, count)]
    cuts = find_cuts(evenly, reach)
    starts = [0, *(_start_near(even, cuts.get(even, ()), distance, reach) for even in evenly)]
    ends: list[int | None] = [*starts[1:], None]
    return [Span(start=start, end=end) for start, end in zip(starts, ends, strict=True)]


def can_be_sought(report: ProbeReport) -> bool:
    """Whether a seek in the master lands where its timestamps say."""
    return any(name in (report.container or "") for name in SOUGHT_CONTAINERS)


def read_plan(store: ObjectStore, title_id: str, ladder: Ladder, settings: MediaSettings) -> ChunkPlan | None:
    """The plan that was made for a ladder; None when there is none yet.

    Raises:
        RecordDamaged: It cannot be read.
    """
    return read_record(store, _plan_key(title_id, ladder, settings), ChunkPlan, "media/renditions")


def write_plan(store: ObjectStore, title_id: str, ladder: Ladder, settings: MediaSettings, plan: ChunkPlan) -> None:
    """Keep the plan of a ladder."""
    store.put_bytes(_plan_key(title_id, ladder, settings), msgspec.json.encode(plan), replace=True)


def _plan_key(title_id: str, ladder: Ladder, settings: MediaSettings) -> str:
    made_of = [settings.chunk_cpu_s, [rung.rendition_id for rung in ladder.video]]
    digest = hashlib.sha256(msgspec.json.encode(made_of)).hexdigest()[:16]
    return f"{ingest_prefix(title_id, ladder.source_sha256)}chunks/plan-{digest}.json"


def _start_near(even: int, cuts: Sequence[int], distance: int, reach: int) -> int:
    """The key frame nearest to a change of shot near ``even``; the one nearest to ``even`` when nothing changes."""
    grid = range(_up(max(even - reach, distance), distance), even + reach + distance, distance)
    nearest = round(even / distance) * distance
    if not cuts:
        return nearest
    return min(grid, key=lambda start: (min(abs(start - cut) for cut in cuts), abs(start - even), start))


def _up(picture: int, distance: int) -> int:
    return -(-picture // distance) * distance


def _in_pictures(find_cuts: CutFinder, ladder: Ladder) -> Callable[[Sequence[int], int], Mapping[int, Sequence[int]]]:
    def in_pictures(pictures: Sequence[int], reach: int) -> Mapping[int, Sequence[int]]:
        moments_s = [float(picture / ladder.rate) for picture in pictures]
        found = find_cuts(moments_s, float(reach / ladder.rate))
        return {
            picture: [round(cut_s * ladder.rate) for cut_s in found.get(moment_s, ())]
            for picture, moment_s in zip(pictures, moments_s, strict=True)
        }

    return in_pictures
