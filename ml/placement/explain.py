"""Why a title is on an edge, or why it is not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from ml.placement.catalogue import rung_height
from ml.placement.errors import PlacementInputError
from ml.placement.plan import WAITS
from ml.placement.spread import NO_COPY


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """What a plan thought of one title at one edge.

    Attributes:
        edge_id, title_id: What was asked.
        placed: Whether anything of the title is placed there.
        expected_sessions: Of the title in the whole region.
        score: Value per byte of the best of its blocks: expected requests, bonus and advantage of residents included.
        cutoff: The lowest score that got in at this edge before room ran out.
        rungs: Per rung the number of groups placed, of those it has.
        reason: One sentence.
        blocks: Every block with its score and decision.
    """

    edge_id: str
    title_id: str
    placed: bool
    expected_sessions: float
    score: float
    cutoff: float
    rungs: dict[str, tuple[int, int]]
    reason: str
    blocks: pl.DataFrame


def explain(candidates: pl.DataFrame, cutoffs: Mapping[str, float], title_id: str, edge_id: str) -> Explanation:
    """Say why a title is, or is not, on an edge.

    Args:
        candidates: Of the plan, as it was made or as it was kept.
        cutoffs: The plan's cut-off of each edge.
        title_id: Whose blocks.
        edge_id: Where.

    Raises:
        PlacementInputError: The plan knows no such edge or title.
    """
    if edge_id not in cutoffs:
        raise PlacementInputError(f"the plan knows the edges {sorted(cutoffs)}, not {edge_id!r}")
    blocks = candidates.filter((pl.col("edge_id") == edge_id) & (pl.col("title_id") == title_id))
    if not len(blocks):
        raise PlacementInputError(f"the catalogue that the plan was made from has no title {title_id!r}")
    cutoff = cutoffs[edge_id]
    score = float(blocks["score"].max())  # type: ignore[arg-type]
    placed = blocks.filter(pl.col("decision") == "placed")
    by_rung = blocks.group_by("rung").agg((pl.col("decision") == "placed").sum().alias("placed"), pl.len().alias("all"))
    rungs = {row[0]: (int(row[1]), int(row[2])) for row in sorted(by_rung.iter_rows(), key=_rung_order)}
    return Explanation(
        edge_id=edge_id,
        title_id=title_id,
        placed=len(placed) > 0,
        # no block is asked for more often than once a session, and the manifest is asked for by each
        expected_sessions=float(blocks["requests"].max()),  # type: ignore[arg-type]
        score=score,
        cutoff=cutoff,
        rungs=rungs,
        reason=_reason(blocks, placed, score, cutoff, edge_id),
        blocks=blocks.sort("rung", "segment_group"),
    )


def _reason(blocks: pl.DataFrame, placed: pl.DataFrame, score: float, cutoff: float, edge_id: str) -> str:
    copy = int(blocks["copy"][0])
    role = "its home edge" if copy == 0 else f"copy {copy + 1}"
    if len(placed):
        size = int(placed["size_bytes"].sum())
        return (
            f"placed as {role}: {len(placed)} of {len(blocks)} blocks, {size} bytes; best value per byte {score:.4g} "
            f"against a cut-off of {cutoff:.4g}"
        )
    if float(blocks["requests"].sum()) <= 0:
        return "not placed: no session is expected, or its licence does not cover the day"
    if copy == NO_COPY:
        return f"not placed: {edge_id} has no room at all, or an edge that fails together with it is to hold the title"
    # of equal scores the one that was decided itself tells more than those that wait for it
    first = blocks.sort(-pl.col("score"), pl.col("decision") == WAITS)["decision"][0]
    return f"not placed ({role}): {first}; best value per byte {score:.4g} against a cut-off of {cutoff:.4g}"


def _rung_order(row: tuple[str, int, int]) -> tuple[int, str]:
    return rung_height(row[0]), row[0]
