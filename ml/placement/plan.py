"""The plan: which blocks each edge of a region should hold, by expected bytes served locally per byte held.

Greedy by value per byte is within a fraction of a percent of the optimum for knapsacks of many small items (Dantzig's
bound is one item away), and its order is the order of the fill. A title's first item is its start pack (manifest, first
audio and the prefix of its most used rung), which weighs little and lets sessions start locally; every later group
needs the group before it, so that what an edge holds can be played from the start.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from ml.placement.catalogue import (
    BLOCK,
    Blocks,
    BoolArray,
    FloatArray,
    IntArray,
    read_blocks,
    require_columns,
    rung_shares,
)
from ml.placement.errors import NoDemand
from ml.placement.knapsack import NO_PARENT, Knapsack
from ml.placement.objective import start_worth_bytes
from ml.placement.spread import NO_COPY, EdgeRoom, read_edges, route_titles, spread_titles
from ml.placement.watching import WatchThrough

PLAN_SCHEMA = {
    "plan_id": pl.String,
    "region_id": pl.String,
    "edge_id": pl.String,
    "title_id": pl.String,
    "package_id": pl.String,
    "rung": pl.String,
    "segment_group": pl.Int64,
    "value": pl.Float64,
    "size_bytes": pl.Int64,
    "rank": pl.Int64,
}
REPLICA_SHARE = 0.15
"""What a further copy is worth of the copy before it: the load it takes and the failures it covers."""
UPSTREAM_PRICES = (0.0, 0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
"""What a byte from upstream may cost, in bytes served locally; the lowest that keeps an edge's limit is used."""
WAITS = "the group before it is not placed"
DEFAULT_REACH = WatchThrough(reach=np.array([1.0, 0.8]))


@dataclass(frozen=True, kw_only=True)
class PlacementSettings:
    """What a plan weighs.

    Attributes:
        retention: A resident block counts so much more (0.25: a quarter), because it costs no fill.
        fill_price: Further advantage of a resident block over one to be filled, in expected requests.
        fill_budget_bytes: Most new bytes for each edge in one fill; None for any number.
    """

    retention: float = 0.25
    fill_price: float = 0.10
    fill_budget_bytes: float | None = None


DEFAULT_PLACEMENT = PlacementSettings()


@dataclass(frozen=True, kw_only=True)
class EdgeTotals:
    """What a plan does with one edge."""

    edge_id: str
    capacity_bytes: float
    usable_bytes: float
    placed_bytes: int
    fill_bytes: int
    blocks: int
    titles: int
    expected_sessions: float
    """Of the titles that viewers are sent there for, as a replay sends them; the edges of a region add up to it."""
    promised_bytes: float
    """Expected bytes that it serves from what is placed, of the titles whose home it is."""
    expected_upstream_bytes: float
    """Its fill and what of those titles is expected and not placed; pull-through, which keeps some, is left out."""
    upstream_price: float
    """What a byte from upstream cost the plan, so that the edge's limit is kept; 0 where none binds."""
    cutoff: float
    """Lowest score (expected requests per byte held, with the bonus and the advantage of residents) that got in before
    the first block found no room; small ones below it may have filled the gaps that were left."""


@dataclass(frozen=True, kw_only=True)
class EdgeQuestion:
    """What was asked of the planner at one edge and what it answered, for :func:`ml.placement.gap`."""

    edge_id: str
    knapsack: Knapsack
    placed: BoolArray


@dataclass(frozen=True, kw_only=True)
class PlacementPlan:
    """A plan for one region.

    Attributes:
        plan_id: Label and digest of the rows.
        region_id: The region.
        rows: The plan, columns of ``PLAN_SCHEMA``; ``rank`` counts per edge, 0 is filled first.
        candidates: Every block at every edge with what the plan thought of it, for :func:`ml.placement.explain`:
            edge_id, title_id, rung, segment_group, size_bytes, copy, requests, score, decision.
        edges: Totals by edge.
        questions: What was asked of the planner at each edge, with its answer.
        expected_hit_ratio: Share of the region's expected bytes that the plan holds somewhere in the region.
        expected_start_ratio: Share of expected sessions whose prefix it holds at their rung.
        titles_with_prefix: Titles that can start at an edge of the region.
        titles_in_catalogue: Titles with at least one block.
        notes: Fallbacks and oddities, for people to read.
    """

    plan_id: str
    region_id: str
    rows: pl.DataFrame
    candidates: pl.DataFrame
    edges: tuple[EdgeTotals, ...]
    questions: tuple[EdgeQuestion, ...]
    expected_hit_ratio: float
    expected_start_ratio: float
    titles_with_prefix: int
    titles_in_catalogue: int
    notes: tuple[str, ...] = ()

    @property
    def placed_bytes(self) -> int:
        """Bytes on all edges together, replicas counted."""
        return sum(edge.placed_bytes for edge in self.edges)


@dataclass(frozen=True, kw_only=True)
class _Units:
    """What is decided at once: a start pack or a single block. Columns of equal length."""

    of_block: IntArray
    parent: IntArray
    depth: IntArray


def plan(
    objects: pl.DataFrame,
    demand: pl.DataFrame,
    rung_mix: pl.DataFrame,
    edges: pl.DataFrame,
    resident: pl.DataFrame | None = None,
    *,
    region_id: str,
    watch_through: WatchThrough = DEFAULT_REACH,
    titles: pl.DataFrame | None = None,
    day: dt.date | None = None,
    settings: PlacementSettings = DEFAULT_PLACEMENT,
    label: str = "",
) -> PlacementPlan:
    """Make the plan of one region.

    Args:
        objects: title_id, package_id, rung, segment_group, size_bytes.
        demand: region_id, title_id, sessions (expected over the plan's life). Rows of other regions serve as the
            fallback of a region without any.
        rung_mix: region_id, rung, share.
        edges: edge_id, region_id, failure_domain, capacity_bytes, pull_reserve_share and, where there are limits,
            upstream_limit_bytes of the plan's life: what an edge may take from upstream, fill and misses together.
        resident: edge_id and the columns of a block: what stands on the edges now.
        region_id: The region to plan.
        watch_through: Share of sessions that reach each segment group.
        titles: title_id and, where known, kind (chooses the curve of ``watch_through``), licence_start and licence_end:
            with ``day``, titles outside their window are not placed.
        day: First day of the plan's life.
        settings: What the plan weighs.
        label: Start of the plan's id.

    Raises:
        PlacementInputError: A frame or the network makes no sense.
        NoDemand: No session is expected in any region.
    """
    blocks = read_blocks(objects)
    rooms = read_edges(edges, region_id)
    notes: list[str] = []
    sessions = _sessions_by_title(blocks, demand, region_id, notes)
    sessions = np.where(_licensed(blocks, titles, day, notes), sessions, 0.0)
    share = rung_shares(blocks, _mix_of(rung_mix, region_id, notes))
    kind = _kind_of_titles(blocks, titles)[blocks.title]
    reach = np.where(blocks.kind == "manifest", 1.0, watch_through.at(blocks.group, kind))
    requests = sessions[blocks.title] * share * reach
    expected_bytes = requests * blocks.size_bytes
    starts = (blocks.group == 0) & (blocks.kind == "video")
    # the same for a large prefix and a small one: small ones, which start most sessions for their bytes, come first
    start_bytes = start_worth_bytes(expected_bytes.sum(), requests[starts].sum())
    worth = expected_bytes + np.where(starts, requests * start_bytes, 0.0)
    held = np.stack([_held(blocks, resident, room.edge_id) for room in rooms], axis=1)
    units = _units(blocks, share)
    load = np.bincount(blocks.title, expected_bytes, minlength=len(blocks.titles)).astype(np.float64)
    copies = spread_titles(load, _titles_held(blocks, held), rooms)

    parts, candidates, choices, questions = [], [], [], []
    placed, at_home = np.zeros(held.shape, dtype=np.bool_), np.zeros(held.shape)
    for index, room in enumerate(rooms):
        copy = copies[blocks.title, index]
        value = np.where(copy == NO_COPY, 0.0, worth * REPLICA_SHARE ** np.maximum(copy, 0))
        if room.usable_bytes <= 0:
            notes.append(f"{room.edge_id} has no room for placements ({room.capacity_bytes:.0f} bytes)")
        at_home[:, index] = np.where(copy == 0, expected_bytes, 0.0)
        choice = _choose_within_limit(blocks, units, value, at_home[:, index], held[:, index], room, settings, notes)
        placed[:, index] = choice.rank >= 0
        parts.append(_plan_rows(blocks, room, region_id, value, choice.rank))
        candidates.append(_candidate_rows(blocks, room, copy, requests, choice))
        choices.append(choice)
        questions.append(EdgeQuestion(edge_id=room.edge_id, knapsack=choice.knapsack, placed=choice.answer))
    placed_anywhere = placed.any(axis=1)
    sent = np.bincount(route_titles(blocks, placed), sessions, minlength=len(rooms))
    totals = [
        _totals(blocks, room, held[:, index], choices[index], at_home[:, index], float(sent[index]))
        for index, room in enumerate(rooms)
    ]
    rows = pl.concat(parts)
    return PlacementPlan(
        plan_id=(plan_id := _plan_id(rows, label)),
        region_id=region_id,
        rows=rows.select(pl.lit(plan_id).alias("plan_id"), pl.all()).cast(PLAN_SCHEMA),  # type: ignore[arg-type]
        candidates=pl.concat(candidates),
        edges=tuple(totals),
        questions=tuple(questions),
        expected_hit_ratio=_ratio(expected_bytes[placed_anywhere].sum(), expected_bytes.sum()),
        expected_start_ratio=_ratio(requests[placed_anywhere & starts].sum(), requests[starts].sum()),
        titles_with_prefix=len(np.unique(blocks.title[placed_anywhere & starts])),
        titles_in_catalogue=len(blocks.titles),
        notes=tuple(notes),
    )


def _sessions_by_title(blocks: Blocks, demand: pl.DataFrame, region_id: str, notes: list[str]) -> FloatArray:
    require_columns(demand, ("region_id", "title_id", "sessions"), "demand")
    rows = demand.select("region_id", "title_id", pl.col("sessions").cast(pl.Float64))
    good = rows.filter(pl.col("sessions").is_finite() & (pl.col("sessions") >= 0))
    if len(good) < len(rows):
        notes.append(f"{len(rows) - len(good)} of {len(rows)} demand rows ignored: null, NaN, infinite or negative")
    own = good.filter((pl.col("region_id") == region_id) & (pl.col("sessions") > 0))
    if not len(own):
        notes.append(f"no demand for {region_id}: planned by what the other regions are expected to watch")
        own = good.filter(pl.col("sessions") > 0)
    if not len(own):
        raise NoDemand(f"no session is expected in {region_id} nor anywhere else; make a forecast first")
    # sums of floats depend on their order: sorted rows keep a plan the same for rows in any order
    in_order = own.sort("title_id", "region_id", "sessions")
    by_title = dict(in_order.group_by("title_id", maintain_order=True).agg(pl.col("sessions").sum()).iter_rows())
    return np.array([by_title.get(title, 0.0) for title in blocks.titles])


def _mix_of(rung_mix: pl.DataFrame, region_id: str, notes: list[str]) -> Mapping[str, float]:
    require_columns(rung_mix, ("region_id", "rung", "share"), "rung_mix")
    good = rung_mix.filter(pl.col("share").is_finite() & (pl.col("share") > 0))
    own = good.filter(pl.col("region_id") == region_id)
    if not len(own):
        notes.append(
            f"no rung mix for {region_id}: planned by "
            + ("the mean of the other regions" if len(good) else "an even mix over each title's ladder")
        )
        own = good
    in_order = own.sort("rung", "region_id", "share")
    return dict(in_order.group_by("rung", maintain_order=True).agg(pl.col("share").sum()).iter_rows())


def _licensed(blocks: Blocks, titles: pl.DataFrame | None, day: dt.date | None, notes: list[str]) -> BoolArray:
    allowed = np.ones(len(blocks.titles), dtype=np.bool_)
    if titles is None or day is None:
        return allowed
    require_columns(titles, ("title_id", "licence_start", "licence_end"), "titles")
    outside = titles.filter((pl.col("licence_end") < day) | (pl.col("licence_start") > day))
    closed = set(outside["title_id"])
    allowed = np.array([title not in closed for title in blocks.titles], dtype=np.bool_)
    if not allowed.all():
        notes.append(f"{int((~allowed).sum())} titles are outside their licence window on {day} and are not placed")
    return allowed


def _kind_of_titles(blocks: Blocks, titles: pl.DataFrame | None) -> npt.NDArray[np.object_]:
    """``film``, ``series`` or what the catalogue says; empty where it says nothing, shape [titles]."""
    if titles is None or "kind" not in titles.columns:
        return np.full(len(blocks.titles), "", dtype=object)
    known = dict(titles.select("title_id", "kind").iter_rows())
    return np.array([known.get(title) or "" for title in blocks.titles], dtype=object)


def _held(blocks: Blocks, resident: pl.DataFrame | None, edge_id: str) -> BoolArray:
    """Which blocks stand on an edge now; what left the catalogue is ignored."""
    if resident is None or not len(resident):
        return np.zeros(len(blocks), dtype=np.bool_)
    require_columns(resident, ("edge_id", *BLOCK), "resident")
    here = resident.filter(pl.col("edge_id") == edge_id).select(
        *BLOCK[:3], pl.col("segment_group").cast(pl.Int64), pl.lit(value=True).alias("held")
    )
    joined = blocks.frame.join(here.unique(BLOCK), on=BLOCK, how="left", maintain_order="left")
    return joined["held"].fill_null(value=False).to_numpy()


def _titles_held(blocks: Blocks, held: BoolArray) -> BoolArray:
    """Whether an edge holds a video prefix of a title, shape [titles, edges]."""
    prefix = (blocks.group == 0) & (blocks.kind == "video")
    by_title = np.zeros((len(blocks.titles), held.shape[1]), dtype=np.bool_)
    np.logical_or.at(by_title, blocks.title[prefix], held[prefix])
    return by_title


def _units(blocks: Blocks, share: FloatArray) -> _Units:
    """Bind each title's start pack, and say what every unit needs to be placed before it.

    A pack's unit is the index of its first block; every other block is its own unit.
    """
    count = len(blocks)
    index = np.arange(count)
    first_group = blocks.group == 0
    prefix = first_group & (blocks.kind == "video")
    # the most used rung of each title, the lower one of equals
    order = np.lexsort((blocks.height, -share, blocks.title))
    order = order[prefix[order]]
    _, first = np.unique(blocks.title[order], return_index=True)
    in_pack = first_group & (blocks.kind != "video")
    in_pack[order[first]] = True
    pack_of_title = np.full(len(blocks.titles), NO_PARENT)
    np.maximum.at(pack_of_title, blocks.title[in_pack], index[in_pack])
    of_block = np.where(in_pack, pack_of_title[blocks.title], index)
    same_chain = np.concatenate([[False], blocks.chain[1:] == blocks.chain[:-1]]) if count else np.zeros(0, np.bool_)
    previous = np.concatenate([[NO_PARENT], of_block[:-1]]) if count else np.zeros(0, np.int64)
    parent = np.where(same_chain, previous, np.where(in_pack, NO_PARENT, pack_of_title[blocks.title]))
    depth = np.where(in_pack, 0, np.where(same_chain, blocks.group + 1, 1))
    return _Units(of_block=of_block.astype(np.int64), parent=parent.astype(np.int64), depth=depth.astype(np.int64))


@dataclass(frozen=True, kw_only=True)
class _Choice:
    """What was chosen at one edge, by block: rank (-1: not placed), score, and why; where room ran out.

    ``knapsack`` is the question in units, ``answer`` the units that were placed, ``price`` that of an upstream byte.
    """

    rank: IntArray
    score: FloatArray
    decision: list[str]
    cutoff: float
    knapsack: Knapsack
    answer: BoolArray
    price: float

    def upstream_bytes(self, blocks: Blocks, expected_bytes: FloatArray, held: BoolArray) -> float:
        """What is to come from upstream: the fill, and all that is expected of blocks that are not placed."""
        placed = self.rank >= 0
        return float(blocks.size_bytes[placed & ~held].sum() + expected_bytes[~placed].sum())


def _choose_within_limit(
    blocks: Blocks,
    units: _Units,
    value: FloatArray,
    expected_bytes: FloatArray,
    held: BoolArray,
    room: EdgeRoom,
    settings: PlacementSettings,
    notes: list[str],
) -> _Choice:
    """Choose at the lowest price of upstream bytes that keeps the edge's limit; if none does, as near as can be."""
    nearest, least = None, float("inf")
    for price in UPSTREAM_PRICES:
        choice = _choose(blocks, units, value + price * expected_bytes, held, room.usable_bytes, settings, price)
        upstream = choice.upstream_bytes(blocks, expected_bytes, held)
        if upstream <= room.upstream_limit_bytes:
            return choice
        if nearest is None or upstream < least:
            nearest, least = choice, upstream
    assert nearest is not None
    notes.append(
        f"{room.edge_id} is to take {least:.0f} bytes from upstream, more than its limit of "
        f"{room.upstream_limit_bytes:.0f}: no plan comes nearer"
    )
    return nearest


def _choose(
    blocks: Blocks,
    units: _Units,
    value: FloatArray,
    held: BoolArray,
    usable_bytes: float,
    settings: PlacementSettings,
    upstream_price: float,
) -> _Choice:
    count = len(blocks)
    size: FloatArray = np.bincount(units.of_block, blocks.size_bytes, minlength=count).astype(np.float64)
    gain = np.bincount(units.of_block, value, minlength=count)
    kept: FloatArray = np.bincount(units.of_block, blocks.size_bytes * held, minlength=count).astype(np.float64)
    is_unit = size > 0
    share_held = kept / np.maximum(size, 1.0)
    worth = gain * (1.0 + settings.retention * share_held) + settings.fill_price * share_held * size * (gain > 0)
    worth = worth - upstream_price * (size - kept)
    score = worth / np.maximum(size, 1.0)
    # what is needed first is worth what it lets in: a resident body must not wait for ever for its prefix
    for depth in range(int(units.depth.max(initial=0)), 0, -1):
        level = np.nonzero((units.depth == depth) & (units.parent != NO_PARENT))[0]
        np.maximum.at(score, units.parent[level], score[level])
    matters = is_unit & (worth > 0)
    candidates = np.nonzero(matters)[0]
    order = candidates[np.lexsort((candidates, units.depth[candidates], -score[candidates]))]

    placed = np.full(count, -1, dtype=np.int64)
    reason = np.where(gain > 0, "its fill costs more than it saves upstream", "no expected session").astype(object)
    left = usable_bytes
    budget = budget_bytes = float("inf") if settings.fill_budget_bytes is None else settings.fill_budget_bytes
    new_bytes = (size - kept).tolist()
    sizes, parents = size.tolist(), units.parent.tolist()
    rank = 0
    is_placed = [False] * count
    cutoff, room_ran_out = 0.0, False
    for unit in order.tolist():
        parent = parents[unit]
        if parent != NO_PARENT and not is_placed[parent]:
            reason[unit] = WAITS
        elif sizes[unit] > left:
            reason[unit] = "no room left at its value per byte"
            room_ran_out = True
        elif new_bytes[unit] > budget:
            reason[unit] = "over the fill budget"
        else:
            is_placed[unit] = True
            placed[unit] = rank
            reason[unit] = "placed"
            cutoff = cutoff if room_ran_out else float(score[unit])
            rank += 1
            left -= sizes[unit]
            budget -= new_bytes[unit]
    unit_rank = placed[units.of_block]
    chosen = np.nonzero(unit_rank >= 0)[0]
    asked = Knapsack(
        worth=worth,
        size_bytes=size,
        new_bytes=size - kept,
        capacity_bytes=usable_bytes,
        fill_budget_bytes=budget_bytes,
        parent=units.parent,
    )
    block_rank = np.full(count, -1, dtype=np.int64)
    block_rank[chosen[np.lexsort((chosen, -(blocks.kind[chosen] == "manifest").astype(int), unit_rank[chosen]))]] = (
        np.arange(len(chosen))
    )
    return _Choice(
        rank=block_rank,
        score=score[units.of_block],
        decision=reason[units.of_block].tolist(),
        cutoff=cutoff,
        knapsack=asked.subset(matters),
        answer=placed[matters] >= 0,
        price=upstream_price,
    )


def _plan_rows(blocks: Blocks, room: EdgeRoom, region_id: str, value: FloatArray, rank: IntArray) -> pl.DataFrame:
    return (
        blocks.frame.select(
            pl.lit(region_id).alias("region_id"),
            pl.lit(room.edge_id).alias("edge_id"),
            *BLOCK,
            pl.Series("value", value),
            "size_bytes",
            pl.Series("rank", rank),
        )
        .filter(pl.col("rank") >= 0)
        .sort("rank")
    )


def _candidate_rows(
    blocks: Blocks, room: EdgeRoom, copy: IntArray, requests: FloatArray, choice: _Choice
) -> pl.DataFrame:
    return blocks.frame.select(
        pl.lit(room.edge_id).alias("edge_id"),
        "title_id",
        "rung",
        "segment_group",
        "size_bytes",
        pl.Series("copy", copy),
        pl.Series("requests", requests),
        pl.Series("score", choice.score),
        pl.Series("decision", choice.decision, dtype=pl.String),
    )


def _totals(
    blocks: Blocks,
    room: EdgeRoom,
    held: BoolArray,
    choice: _Choice,
    expected_bytes: FloatArray,
    expected_sessions: float,
) -> EdgeTotals:
    placed = choice.rank >= 0
    return EdgeTotals(
        edge_id=room.edge_id,
        capacity_bytes=room.capacity_bytes,
        usable_bytes=room.usable_bytes,
        placed_bytes=int(blocks.size_bytes[placed].sum()),
        fill_bytes=int(blocks.size_bytes[placed & ~held].sum()),
        blocks=int(placed.sum()),
        titles=len(np.unique(blocks.title[placed])),
        expected_sessions=expected_sessions,
        promised_bytes=float(expected_bytes[placed].sum()),
        expected_upstream_bytes=choice.upstream_bytes(blocks, expected_bytes, held),
        upstream_price=choice.price,
        cutoff=choice.cutoff,
    )


def _plan_id(rows: pl.DataFrame, label: str) -> str:
    digest = hashlib.sha256(rows.drop("value").write_csv().encode()).hexdigest()[:10]
    return f"{label}-{digest}" if label else digest


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole > 0 else 0.0
