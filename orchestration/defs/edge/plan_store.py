"""The plans of a region in the object store: rows, totals with the gate's verdict, and the reasons behind every block.

::

    plans/<region_id>/<plan_id>.parquet            the rows, see :mod:`orchestration.edge.plan`
    plans/<region_id>/<plan_id>.reasons.parquet    every block at every edge with what the plan thought of it
    plans/<region_id>/<plan_id>.json               the record; written last, so that what has one is whole

A refused plan is kept like an accepted one. Which plan is in force stands in ``plans/<region_id>/CURRENT``.
"""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec
import polars as pl

from ml.placement import CANDIDATE, GateVerdict, PlacementPlan, ReplayResult, gap
from orchestration.edge import plan_key
from orchestration.store import ObjectStore

if TYPE_CHECKING:
    from orchestration.defs.edge.planning import PlanInputs

ROWS, REASONS, RECORD = ".parquet", ".reasons.parquet", ".json"


class PlanRecord(msgspec.Struct, frozen=True, kw_only=True):
    """``plans/<region_id>/<plan_id>.json``: the totals of a plan and what the gate said."""

    plan_id: str
    region_id: str
    forecast_id: str
    first_day: dt.date
    replay_day: dt.date
    accepted: bool
    reason: str
    expected_hit_ratio: float
    expected_start_ratio: float
    placed_bytes: int
    titles_with_prefix: int
    titles_in_catalogue: int
    edges: list[dict[str, float | int | str]]
    replay: list[dict[str, float | int | str]]
    notes: list[str]
    rebalanced_at: dt.datetime | None = None
    """Until when it had looked at its own first day; null for a plan from complete days."""


def store_plan(
    store: ObjectStore, inputs: PlanInputs, made: PlacementPlan, result: ReplayResult, verdict: GateVerdict
) -> PlanRecord:
    """Write the plan, its reasons and its record, without putting it in force."""
    for suffix, frame in ((ROWS, made.rows), (REASONS, made.candidates)):
        buffer = io.BytesIO()
        frame.write_parquet(buffer, compression="zstd")
        store.put_bytes(_key(made.region_id, made.plan_id, suffix), buffer.getvalue())
    record = PlanRecord(
        plan_id=made.plan_id,
        region_id=made.region_id,
        forecast_id=inputs.forecast_id,
        first_day=inputs.first_day,
        replay_day=inputs.replay_day,
        accepted=verdict.accepted,
        reason=verdict.reason,
        expected_hit_ratio=made.expected_hit_ratio,
        expected_start_ratio=made.expected_start_ratio,
        placed_bytes=made.placed_bytes,
        titles_with_prefix=made.titles_with_prefix,
        titles_in_catalogue=made.titles_in_catalogue,
        edges=_edge_table(made, result).to_dicts(),
        replay=result.table.to_dicts(),
        notes=[*inputs.notes, *made.notes, *result.notes],
        rebalanced_at=inputs.rebalanced_at,
    )
    store.put_bytes(_key(made.region_id, made.plan_id, RECORD), msgspec.json.encode(record))
    return record


def read_plans(store: ObjectStore, region_id: str) -> Iterator[PlanRecord]:
    """The records of a region's plans, newest first, with those that the gate refused."""
    # ids begin with the moment of making, so that the last key is the newest plan
    for key in sorted(store.keys(f"plans/{region_id}"), reverse=True):
        if key.endswith(RECORD):
            yield msgspec.json.decode(store.read_bytes(key), type=PlanRecord)


def read_plans_of_day(store: ObjectStore, region_id: str, day: dt.date) -> Iterator[PlanRecord]:
    """The plans that were made for a day or before it, newest first, refused ones too; none that had seen the day."""
    for plan in read_plans(store, region_id):
        if plan.first_day <= day and (plan.rebalanced_at is None or plan.first_day < day):
            yield plan


def read_reasons(store: ObjectStore, region_id: str, plan_id: str) -> pl.DataFrame:
    """Every block at every edge with what the plan thought of it: ``PlacementPlan.candidates``.

    Raises:
        ObjectMissing: It was kept without them.
    """
    return pl.read_parquet(io.BytesIO(store.read_bytes(_key(region_id, plan_id, REASONS))))


def _edge_table(made: PlacementPlan, result: ReplayResult) -> pl.DataFrame:
    """Totals by edge, with how far the plan is under the linear program's bound."""
    totals = pl.DataFrame(
        [
            {
                "edge_id": edge.edge_id,
                "capacity_bytes": int(edge.capacity_bytes),
                "placed_bytes": edge.placed_bytes,
                "fill_bytes": edge.fill_bytes,
                "blocks": edge.blocks,
                "titles": edge.titles,
                "expected_sessions": edge.expected_sessions,
                "promised_bytes": edge.promised_bytes,
                "expected_upstream_bytes": edge.expected_upstream_bytes,
                "upstream_price": edge.upstream_price,
                "cutoff": edge.cutoff,
                "gap_to_bound": gap(question.knapsack, question.placed),
            }
            for edge, question in zip(made.edges, made.questions, strict=True)
        ]
    )
    replayed = result.by_edge.filter(pl.col("placement") == CANDIDATE)
    return totals.join(
        replayed.select("edge_id", pl.col("byte_hit_ratio").alias("replayed_hit_ratio")),
        on="edge_id",
        how="left",
        maintain_order="left",
    )


def _key(region_id: str, plan_id: str, suffix: str) -> str:
    return plan_key(region_id, plan_id).removesuffix(ROWS) + suffix
