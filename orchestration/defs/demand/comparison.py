"""Days that are over beside what had been forecast of them, by forecasts that knew only the days before."""

from __future__ import annotations

import datetime as dt

import polars as pl

from orchestration.defs.demand.forecast_store import read_forecast_for
from orchestration.store import ObjectStore

COMPARED = ("forecast", "actual_over_forecast", "wape", "within_q10_q90")
LATELY_SCHEMA = {
    "day": pl.Date,
    "region_id": pl.String,
    "sessions": pl.Int64,
    "forecast": pl.Float64,
    "wape": pl.Float64,
}


def compare_forecast(forecast: pl.DataFrame | None, actual: pl.DataFrame, day: dt.date) -> pl.DataFrame:
    """One row a region: region_id, sessions, forecast, actual_over_forecast, wape, within_q10_q90.

    ``wape`` is the sum of absolute errors by title over the sum of sessions, ``within_q10_q90`` the share of titles
    that were watched whose sessions lie between these quantiles. Without a forecast all but the sessions are null.
    """
    if forecast is None:
        nothing = [pl.lit(None, pl.Float64).alias(name) for name in COMPARED]
        return actual.group_by("region_id").agg(pl.col("sessions").sum()).with_columns(nothing).sort("region_id")
    ahead = forecast.filter(pl.col("day") == day).rename({"sessions": "forecast"})
    both = ahead.join(actual, on=["region_id", "title_id"], how="full", coalesce=True).with_columns(
        pl.col("forecast", "sessions", "q10", "q90").fill_null(0)
    )
    watched = pl.col("sessions") > 0
    total, expected = pl.col("sessions").sum(), pl.col("forecast").sum()
    within = pl.col("sessions").is_between("q10", "q90")
    return (
        both.group_by("region_id")
        .agg(
            total,
            expected,
            pl.when(expected > 0).then(total / expected).alias("actual_over_forecast"),
            pl.when(total > 0).then((pl.col("sessions") - pl.col("forecast")).abs().sum() / total).alias("wape"),
            within.filter(watched).mean().alias("within_q10_q90"),
        )
        .sort("region_id")
    )


def compare_lately(store: ObjectStore, demand: pl.DataFrame, days: int) -> pl.DataFrame:
    """The last complete days that had a forecast, a row a day and region: columns of ``LATELY_SCHEMA``.

    Args:
        store: Has the forecasts.
        demand: region_id, title_id, event_day, sessions, of complete days only.
        days: How many days to look back.
    """
    rows = [pl.DataFrame(schema=LATELY_SCHEMA)]
    for day in demand["event_day"].unique().sort().tail(days):
        forecast = read_forecast_for(store, day)
        if forecast is not None:
            by_region = compare_forecast(forecast, demand.filter(pl.col("event_day") == day), day)
            rows.append(by_region.select(pl.lit(day).alias("day"), *list(LATELY_SCHEMA)[1:]).cast(LATELY_SCHEMA))  # type: ignore[arg-type]
    return pl.concat(rows)
