"""The replay: yesterday's sessions, block by block at each edge, under several placements; and the gate.

A session asks for the manifest and, group by group as far as it watched, for its rung and for one audio track. It goes
to an edge of its region that holds the title's prefix, else to the edge that the title hashes to. Placed blocks are
hits; all others pass through an LRU in what the placement leaves free for pull-through.

What the gate proves is that a plan does no harm on the last day that is known. It is no estimate of tomorrow: the
forecast behind the plan has seen that day. The causal measure is the back-test and the benchmark.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from ml.placement.catalogue import (
    BLOCK,
    Blocks,
    BoolArray,
    FloatArray,
    IntArray,
    read_blocks,
    require_columns,
    rung_height,
)
from ml.placement.errors import PlacementInputError
from ml.placement.lru import LeastRecentlyUsed
from ml.placement.objective import score
from ml.placement.spread import EdgeRoom, read_edges, route_titles
from ml.placement.watching import LAYOUT, GroupLayout

LRU = "lru"
RUNNING = "running"
CANDIDATE = "candidate"
ORACLE = "oracle"

MAX_SESSIONS = 200_000
SECONDS_AN_HOUR = 3600
SCORE = "score"
MEASURES = {SCORE: "score", "byte_hit_ratio": "byte hit ratio", "local_start_ratio": "local starts"}
ALLOWED_LOSS = {SCORE: 0.005, "byte_hit_ratio": 0.02, "local_start_ratio": 0.02}
"""How much lower a candidate may be in each, whatever it gains in another."""
ERRORS_ALLOWED = 2.0
"""In either measure alone, what a day cannot tell from chance is no harm: so many standard errors of the difference.
The score has no such allowance: a region of few sessions would then take any plan."""

TABLE_SCHEMA = {
    "placement": pl.String,
    "sessions": pl.Int64,
    "asked_bytes": pl.Float64,
    "byte_hit_ratio": pl.Float64,
    "placed_hit_ratio": pl.Float64,
    "local_start_ratio": pl.Float64,
    "upstream_bytes": pl.Float64,
    "peak_upstream_bps": pl.Float64,
    "fill_bytes": pl.Float64,
    "score": pl.Float64,
}
WHOLES, PARTS = (0, 2), (1, 3)
"""Columns of :meth:`_Outcome.by_session`: what is asked for, bytes and starts, and what of it is local."""
MIXES = {
    SCORE: np.array([score(1.0, 0.0), score(0.0, 1.0)]),
    "byte_hit_ratio": np.array([1.0, 0.0]),
    "local_start_ratio": np.array([0.0, 1.0]),
}
"""How much bytes and starts count in each measure."""
PAIRED_SCHEMA = {
    "placement": pl.String,
    "measure": pl.String,
    "candidate": pl.Float64,
    "beside": pl.Float64,
    "difference": pl.Float64,
    "standard_error": pl.Float64,
}


@dataclass(frozen=True, kw_only=True)
class ReplayResult:
    """What a replay measured.

    Attributes:
        table: One row a placement: sessions, asked_bytes, byte_hit_ratio, placed_hit_ratio (hits on what was placed),
            local_start_ratio (sessions whose video prefix was at the edge), upstream_bytes (misses), peak_upstream_bps
            (misses of the worst hour, those of a session in the hour in which it starts), fill_bytes (new bytes that
            the placement would have pushed), score.
        by_edge: The same by edge_id, without fill_bytes and score.
        by_title: One row a placement, edge_id and title_id that was asked for there or filled in vain: sessions, starts
            (with a picture), local_starts, asked_bytes, local_placed_bytes (answered by what was placed),
            upstream_bytes, unasked_fill_bytes (new bytes of blocks that no session of the region asked for).
        paired: The candidate beside every other placement, session by session: one row a placement and measure:
            candidate and beside (both values), difference, standard_error (of the difference, of as many sessions drawn
            from the same demand).
        sessions: Sessions of the scored day in the region.
        sampled_share: Share of them that was replayed; below 1 when there were more than the cap.
        notes: What was left out.
    """

    table: pl.DataFrame
    by_edge: pl.DataFrame
    by_title: pl.DataFrame
    sessions: int
    sampled_share: float
    paired: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=PAIRED_SCHEMA))
    notes: tuple[str, ...] = ()

    def metric(self, placement: str, name: str) -> float:
        """One number of the table; NaN when that placement was not replayed."""
        row = self.table.filter(pl.col("placement") == placement)
        return float(row[name][0]) if len(row) else float("nan")

    def compared_with(self, placement: str) -> pl.DataFrame:
        """The candidate beside one placement, a row a measure.

        Returns:
            Columns of ``paired``, low and high (the difference less and plus ``ERRORS_ALLOWED`` standard errors),
            allowed_loss, is_worse.
        """
        error = ERRORS_ALLOWED * pl.col("standard_error")
        by_chance = pl.when(pl.col("measure") != SCORE).then(error)
        fixed = pl.col("measure").replace_strict(ALLOWED_LOSS, return_dtype=pl.Float64)
        allowed = pl.max_horizontal(fixed, by_chance)
        return self.paired.filter(pl.col("placement") == placement).with_columns(
            low=pl.col("difference") - error,
            high=pl.col("difference") + error,
            allowed_loss=allowed,
            is_worse=pl.col("difference") < -allowed,
        )


@dataclass(frozen=True, kw_only=True)
class GateVerdict:
    """Whether a plan may be filled, and why.

    Attributes:
        beside: What it was compared with: ``running`` or ``lru``.
        comparison: :meth:`ReplayResult.compared_with`; empty where there was nothing to replay.
    """

    accepted: bool
    reason: str
    beside: str
    comparison: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=PAIRED_SCHEMA))


def replay(
    placements: Mapping[str, pl.DataFrame],
    requests: pl.DataFrame,
    objects: pl.DataFrame,
    edges: pl.DataFrame,
    *,
    region_id: str,
    day: dt.date,
    resident: pl.DataFrame | None = None,
    layout: GroupLayout = LAYOUT,
    max_sessions: int = MAX_SESSIONS,
    seed: int = 7,
) -> ReplayResult:
    """Replay one day under several placements, beside pure LRU on the whole of each edge.

    Args:
        placements: Frames with edge_id and the columns of a block, by name (``candidate``, ``running``, ``oracle``).
        requests: region_id, title_id, rung, seconds_watched, started_at. Sessions before ``day`` warm the caches up.
        objects: title_id, package_id, rung, segment_group, size_bytes.
        edges: edge_id, region_id, failure_domain, capacity_bytes, pull_reserve_share.
        region_id: The region to replay.
        day: The day that is scored, UTC.
        resident: What stands on the edges now, for the bytes that a placement would have to push.
        layout: When segment groups start.
        max_sessions: Larger days are sampled down to so many sessions, warm-up likewise.
        seed: Of the sample.

    Raises:
        PlacementInputError: A placement is larger than an edge, or a frame lacks a column.
    """
    blocks = read_blocks(objects)
    rooms = read_edges(edges, region_id)
    sessions, total, share, notes = _sessions(blocks, requests, region_id, day, max_sessions, seed)
    asked = _ask(blocks, sessions, layout)
    rows, edge_rows, title_frames = [], [], []
    by_session: dict[str, FloatArray] = {}
    for name, placement in {LRU: None, **placements}.items():
        placed = np.stack([_placed(blocks, placement, room, name) for room in rooms], axis=1)
        held = np.stack([_placed(blocks, resident, room, None) for room in rooms], axis=1)
        outcome = _play(blocks, sessions, asked, placed, rooms)
        rows.append({"placement": name, **outcome.totals(float((blocks.size_bytes @ (placed & ~held)).sum()))})
        edge_rows += [{"placement": name, **row} for row in outcome.by_edge(rooms)]
        by_session[name] = outcome.by_session(len(sessions.title))[sessions.scored]
        by_title = _by_title(blocks, outcome, placed & ~held, rooms)
        title_frames.append(by_title.select(pl.lit(name).alias("placement"), pl.all()))
    return ReplayResult(
        table=pl.DataFrame(rows, schema=TABLE_SCHEMA),
        by_edge=pl.DataFrame(edge_rows),
        by_title=pl.concat(title_frames),
        paired=_pair(by_session),
        sessions=total,
        sampled_share=share,
        notes=tuple(notes),
    )


def judge(result: ReplayResult) -> GateVerdict:
    """Refuse a candidate that is worse than what runs: the running plan, or LRU when nothing runs.

    Worse means a score (:mod:`ml.placement.objective`) or one of its two measures that is lower by more than
    ``ALLOWED_LOSS``: local starts are not bought with bytes that viewers then wait for, nor bytes with starts. A day of
    few sessions tells such a sale from chance badly, so that in a measure, not in the score, a loss within
    ``ERRORS_ALLOWED`` standard errors is none.
    """
    has_running = bool((result.table["placement"] == RUNNING).any())
    beside = RUNNING if has_running else LRU
    compared = result.compared_with(beside)
    if result.sessions == 0:
        reason = "no session to replay" + (": the running plan stays" if has_running else ", and nothing runs to lose")
        return GateVerdict(accepted=not has_running, reason=reason, beside=beside, comparison=compared)
    if compared.is_empty():
        reason = "the candidate was not replayed"
        return GateVerdict(accepted=False, reason=reason, beside=beside, comparison=compared)
    numbers = ", ".join(
        f"{MEASURES[row['measure']]} {row['candidate']:.4f} against {row['beside']:.4f} ({row['difference']:+.4f}, "
        f"{row['low']:+.4f} to {row['high']:+.4f})"
        for row in compared.iter_rows(named=True)
    )
    worse = [MEASURES[measure] for measure in compared.filter("is_worse")["measure"]]
    if worse:
        reason = f"worse than what runs ({beside}) in {' and '.join(worse)}: {numbers}"
    else:
        reason = f"not worse than what runs ({beside}): {numbers}"
    return GateVerdict(accepted=not worse, reason=reason, beside=beside, comparison=compared)


def _pair(by_session: Mapping[str, FloatArray]) -> pl.DataFrame:
    """The candidate beside every other placement; the variance of a difference of ratios by linearisation.

    Sessions are the draws: each is independent of the others given what is in demand, while all that a session asks for
    hits or misses together.

    Args:
        by_session: :meth:`_Outcome.by_session` of each placement; all have the same sessions and asked the same.
    """
    own = by_session.get(CANDIDATE)
    if own is None or not len(own):
        return pl.DataFrame(schema=PAIRED_SCHEMA)
    totals = np.maximum(own[:, WHOLES].sum(axis=0), 1.0)
    rows = []
    for name, other in by_session.items():
        if name == CANDIDATE:
            continue
        values, beside = own[:, PARTS].sum(axis=0) / totals, other[:, PARTS].sum(axis=0) / totals
        errors = (own[:, PARTS] - other[:, PARTS] - (values - beside) * own[:, WHOLES]) / totals
        for measure, mix in MIXES.items():
            spread = float(np.sqrt(((errors @ mix) ** 2).sum() * len(errors) / max(len(errors) - 1, 1)))
            rows.append((name, measure, values @ mix, beside @ mix, (values - beside) @ mix, spread))
    return pl.DataFrame(rows, schema=PAIRED_SCHEMA, orient="row")


@dataclass(frozen=True, kw_only=True)
class _Sessions:
    """Sessions in order of time, as arrays."""

    title: IntArray
    height: IntArray
    seconds_watched: FloatArray
    hour: IntArray
    scored: BoolArray


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """Block requests in order: for each session its blocks, flattened."""

    session: IntArray
    block: IntArray
    is_start: BoolArray


def _sessions(
    blocks: Blocks, requests: pl.DataFrame, region_id: str, day: dt.date, max_sessions: int, seed: int
) -> tuple[_Sessions, int, float, list[str]]:
    require_columns(requests, ("region_id", "title_id", "rung", "seconds_watched", "started_at"), "requests")
    notes: list[str] = []
    own = requests.filter(
        (pl.col("region_id") == region_id) & pl.col("started_at").is_not_null() & pl.col("seconds_watched").is_finite()
    ).with_columns((pl.col("started_at").dt.date() == day).alias("scored"))
    own = own.filter(pl.col("started_at").dt.date() <= day)
    known = own.filter(pl.col("title_id").is_in(list(blocks.titles)))
    if len(known) < len(own):
        notes.append(f"{len(own) - len(known)} of {len(own)} sessions are of titles that are not in the catalogue")
    scored, warm = known.filter(pl.col("scored")), known.filter(~pl.col("scored"))
    total = len(scored)
    share = min(1.0, max_sessions / total) if total else 1.0
    if share < 1.0:
        scored = scored.sample(max_sessions, seed=seed)
        notes.append(f"{max_sessions} of {total} sessions replayed: a random sample with seed {seed}")
    if len(warm) > max_sessions:
        warm = warm.sort("started_at").tail(max_sessions)
    ordered = pl.concat([warm, scored]).sort("started_at", "title_id", "rung", "seconds_watched")
    rungs = ordered["rung"].fill_null("").to_list()
    heights = {rung: rung_height(rung) for rung in set(rungs)}
    return (
        _Sessions(
            title=np.searchsorted(
                np.array(blocks.titles, dtype=object), ordered["title_id"].to_numpy().astype(object)
            ).astype(np.int64),
            height=np.array([heights[rung] for rung in rungs], dtype=np.int64),
            seconds_watched=ordered["seconds_watched"].to_numpy().astype(np.float64),
            hour=ordered["started_at"].dt.hour().to_numpy().astype(np.int64),
            scored=ordered["scored"].to_numpy(),
        ),
        total,
        share,
        notes,
    )


def _ask(blocks: Blocks, sessions: _Sessions, layout: GroupLayout) -> _Asked:
    """Expand sessions to block requests: manifest, then video and the first audio track by group."""
    start_of: dict[tuple[int, int], tuple[int, int]] = {}
    ladder: dict[int, list[int]] = {}
    audio: dict[int, tuple[int, int]] = {}
    manifest: dict[int, int] = {}
    boundaries = np.concatenate([[0], np.nonzero(np.diff(blocks.chain))[0] + 1, [len(blocks)]]).astype(np.int64)
    for first, end in zip(boundaries[:-1].tolist(), boundaries[1:].tolist(), strict=True):
        if first == end:
            continue
        title, kind = int(blocks.title[first]), str(blocks.kind[first])
        if kind == "video":
            start_of[title, int(blocks.height[first])] = (first, end - first)
            ladder.setdefault(title, []).append(int(blocks.height[first]))
        elif kind == "audio":
            audio.setdefault(title, (first, end - first))
        else:
            manifest[title] = first
    reached = layout.groups_reached(sessions.seconds_watched).tolist()
    session_of: list[int] = []
    block_of: list[int] = []
    is_start: list[bool] = []
    for index, (title, height) in enumerate(zip(sessions.title.tolist(), sessions.height.tolist(), strict=True)):
        wanted: list[int] = []
        if title in manifest:
            wanted.append(manifest[title])
        start = None
        rungs = ladder.get(title)
        if rungs:
            served = max((rung for rung in rungs if rung <= height), default=min(rungs))
            start, count = start_of[title, served]
            wanted.extend(range(start, start + min(reached[index], count)))
        if title in audio:
            first, count = audio[title]
            wanted.extend(range(first, first + min(reached[index], count)))
        block_of.extend(wanted)
        session_of.extend([index] * len(wanted))
        is_start.extend([block == start for block in wanted])
    return _Asked(
        session=np.array(session_of, dtype=np.int64),
        block=np.array(block_of, dtype=np.int64),
        is_start=np.array(is_start, dtype=np.bool_),
    )


def _placed(blocks: Blocks, placement: pl.DataFrame | None, room: EdgeRoom, name: str | None) -> BoolArray:
    if placement is None or not len(placement):
        return np.zeros(len(blocks), dtype=np.bool_)
    require_columns(placement, ("edge_id", *BLOCK), name or "resident")
    here = placement.filter(pl.col("edge_id") == room.edge_id).select(
        *BLOCK[:3], pl.col("segment_group").cast(pl.Int64), pl.lit(value=True).alias("placed")
    )
    joined = blocks.frame.join(here.unique(BLOCK), on=BLOCK, how="left", maintain_order="left")
    placed = joined["placed"].fill_null(value=False).to_numpy()
    size = float(blocks.size_bytes[placed].sum())
    # a running plan may be older than the catalogue or the disk; a new one may not be too large
    if name == CANDIDATE and size > room.capacity_bytes:
        raise PlacementInputError(
            f"the plan puts {size:.0f} bytes on {room.edge_id}, which holds {room.capacity_bytes:.0f}: make it again"
        )
    return placed


@dataclass(frozen=True, kw_only=True)
class _Outcome:
    """The block requests of the scored day, and how they were answered."""

    block: IntArray
    sizes: FloatArray
    hits: BoolArray
    placed_hits: BoolArray
    edge: IntArray
    starts: BoolArray
    session: IntArray
    hour: IntArray

    def totals(self, fill_bytes: float) -> dict[str, object]:
        measured = self._measure(np.ones(len(self.sizes), dtype=np.bool_))
        return {
            **measured,
            "fill_bytes": fill_bytes,
            "score": score(measured["byte_hit_ratio"], measured["local_start_ratio"]),
        }

    def by_edge(self, rooms: tuple[EdgeRoom, ...]) -> list[dict[str, object]]:
        return [{"edge_id": room.edge_id, **self._measure(self.edge == index)} for index, room in enumerate(rooms)]

    def by_session(self, count: int) -> FloatArray:
        """Asked and hit bytes, starts and local starts of every session, shape [count, 4]."""
        weights = (self.sizes, self.sizes * self.hits, self.starts, self.starts & self.hits)
        return np.stack([np.bincount(self.session, weight, minlength=count) for weight in weights], axis=1)

    def _measure(self, of: BoolArray) -> dict[str, float]:
        asked = self.sizes[of].sum()
        starts = of & self.starts
        missed = of & ~self.hits
        hourly = np.bincount(self.hour[missed], self.sizes[missed], minlength=1)
        return {
            "sessions": len(np.unique(self.session[of])),
            "asked_bytes": float(asked),
            "byte_hit_ratio": float(self.sizes[of & self.hits].sum() / asked) if asked else 0.0,
            "placed_hit_ratio": float(self.sizes[of & self.placed_hits].sum() / asked) if asked else 0.0,
            "local_start_ratio": float(self.hits[starts].mean()) if starts.any() else 0.0,
            "upstream_bytes": float(self.sizes[missed].sum()),
            "peak_upstream_bps": float(hourly.max()) * 8 / SECONDS_AN_HOUR,
        }


def _play(
    blocks: Blocks,
    sessions: _Sessions,
    asked: _Asked,
    placed: BoolArray,
    rooms: tuple[EdgeRoom, ...],
) -> _Outcome:
    route = route_titles(blocks, placed)
    edge = route[blocks.title[asked.block]]
    placed_hits = placed[asked.block, edge]
    hits = placed_hits.copy()
    sizes = blocks.size_bytes[asked.block]
    for index, room in enumerate(rooms):
        placed_bytes = float(blocks.size_bytes[placed[:, index]].sum())
        # an edge pulls into all that is free; its reserve is what a plan may not take
        cache = LeastRecentlyUsed(max(room.reserve_bytes, room.capacity_bytes - placed_bytes))
        pulled = np.nonzero((edge == index) & ~hits)[0]
        answers = [
            cache.ask(block, size)
            for block, size in zip(asked.block[pulled].tolist(), sizes[pulled].tolist(), strict=True)
        ]
        hits[pulled] = np.array(answers, dtype=np.bool_)
    scored = sessions.scored[asked.session]
    return _Outcome(
        block=asked.block[scored],
        sizes=sizes[scored],
        hits=hits[scored],
        placed_hits=placed_hits[scored],
        edge=edge[scored],
        starts=asked.is_start[scored],
        session=asked.session[scored],
        hour=sessions.hour[asked.session[scored]],
    )


def _by_title(blocks: Blocks, outcome: _Outcome, new: BoolArray, rooms: tuple[EdgeRoom, ...]) -> pl.DataFrame:
    """What came of each title at each edge; ``new`` is what a placement had to push, shape [blocks, edges]."""
    cells = len(blocks.titles) * len(rooms)
    cell = blocks.title[outcome.block] * len(rooms) + outcome.edge
    _, first = np.unique(outcome.session, return_index=True)
    unasked = np.ones(len(blocks), dtype=np.bool_)
    unasked[outcome.block] = False

    def total(weight: FloatArray | BoolArray) -> FloatArray:
        return np.bincount(cell, weight, minlength=cells).astype(np.float64)

    fill = np.zeros((len(blocks.titles), len(rooms)))
    np.add.at(fill, blocks.title, blocks.size_bytes[:, None] * (new & unasked[:, None]))
    title, edge = np.divmod(np.arange(cells), len(rooms))
    return pl.DataFrame(
        {
            "edge_id": np.array([room.edge_id for room in rooms])[edge],
            "title_id": np.array(blocks.titles)[title],
            "sessions": np.bincount(cell[first], minlength=cells),
            "starts": total(outcome.starts).astype(np.int64),
            "local_starts": total(outcome.starts & outcome.hits).astype(np.int64),
            "asked_bytes": total(outcome.sizes),
            "local_placed_bytes": total(outcome.sizes * outcome.placed_hits),
            "upstream_bytes": total(outcome.sizes * ~outcome.hits),
            "unasked_fill_bytes": fill.ravel(),
        }
    ).filter((pl.col("sessions") > 0) | (pl.col("unasked_fill_bytes") > 0))
