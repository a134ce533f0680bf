"""The plan that a perfect forecast would have led to: the bound that a replay shows beside the others."""

from __future__ import annotations

import datetime as dt

import polars as pl

from ml.placement.plan import PlacementPlan, PlacementSettings, plan
from ml.placement.watching import WatchThrough

NO_CHURN = PlacementSettings(retention=0.0, fill_price=0.0)


def plan_from_truth(
    objects: pl.DataFrame,
    requests: pl.DataFrame,
    rung_mix: pl.DataFrame,
    edges: pl.DataFrame,
    *,
    region_id: str,
    day: dt.date,
    watch_through: WatchThrough,
) -> PlacementPlan:
    """Plan from the sessions that really came on ``day``, from empty edges and without a price on churn.

    Raises:
        NoDemand: Nobody watched anything on that day.
    """
    truth = (
        requests.filter(pl.col("started_at").dt.date() == day)
        .group_by("region_id", "title_id")
        .agg(pl.len().cast(pl.Float64).alias("sessions"))
    )
    return plan(objects, truth, rung_mix, edges, region_id=region_id, watch_through=watch_through, settings=NO_CHURN)
