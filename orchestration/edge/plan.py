"""The placement plan in force for a region, as the graph stored it.

plans/<region_id>/<plan_id>.parquet     one row per edge, title, rung and segment group
plans/<region_id>/CURRENT               the plan_id in force
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import polars as pl

from orchestration.edge.errors import PlanUnusableError
from orchestration.store import ObjectMissing, ObjectStore

PLAN_COLUMNS = (
    "plan_id",
    "region_id",
    "edge_id",
    "title_id",
    "package_id",
    "rung",
    "segment_group",
    "value",
    "size_bytes",
    "rank",
)


@dataclass(frozen=True, kw_only=True)
class PlacementPlan:
    """A plan of one region; ``rows`` has ``PLAN_COLUMNS``."""

    plan_id: str
    region_id: str
    rows: pl.DataFrame

    def of_edge(self, edge_id: str) -> pl.DataFrame:
        """One edge's rows in fill order."""
        return self.rows.filter(pl.col("edge_id") == edge_id).sort("rank")


def current_plan_key(region_id: str) -> str:
    """The pointer that names a region's plan."""
    return f"plans/{region_id}/CURRENT"


def plan_key(region_id: str, plan_id: str) -> str:
    """Where a plan stands in the store."""
    return f"plans/{region_id}/{plan_id}.parquet"


def read_current_plan(store: ObjectStore, region_id: str) -> PlacementPlan | None:
    """The plan in force, None when none was made yet.

    Raises:
        PlanUnusableError: The pointer names a plan that is not there, or one without the columns of a plan.
    """
    try:
        plan_id = store.read_bytes(current_plan_key(region_id)).decode().strip()
    except ObjectMissing:
        return None
    try:
        return read_plan(store, region_id, plan_id)
    except ObjectMissing as error:
        raise PlanUnusableError(f"{current_plan_key(region_id)} names {plan_id}, but {error}") from error


def read_plan(store: ObjectStore, region_id: str, plan_id: str) -> PlacementPlan:
    """A stored plan, in force or not.

    Raises:
        ObjectMissing: There is none of that id.
        PlanUnusableError: It lacks columns of a plan.
    """
    return plan_from_rows(
        plan_id, region_id, pl.read_parquet(io.BytesIO(store.read_bytes(plan_key(region_id, plan_id))))
    )


def plan_from_rows(plan_id: str, region_id: str, rows: pl.DataFrame) -> PlacementPlan:
    """Check a frame and make it a plan.

    Raises:
        PlanUnusableError: Columns are missing, or rows belong to another plan or region.
    """
    missing = [name for name in PLAN_COLUMNS if name not in rows.columns]
    if missing:
        raise PlanUnusableError(f"plan {plan_id} has no columns {missing}; it needs {list(PLAN_COLUMNS)}")
    strangers = rows.filter((pl.col("plan_id") != plan_id) | (pl.col("region_id") != region_id)).height
    if strangers:
        raise PlanUnusableError(f"{strangers} rows of plan {plan_id} belong to another plan or another region")
    return PlacementPlan(plan_id=plan_id, region_id=region_id, rows=rows.select(PLAN_COLUMNS))
