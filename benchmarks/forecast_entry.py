"""Adapter: the forecast that production makes, on weekly charts, in the form that the forecast benchmark scores.

Usage: ``python benchmarks/forecast_entry.py --data charts.parquet --from 2022-03-06 --to 2022-06-26 --calendar
--step 4 --horizons 1,2 --out forecast.parquet``. Writes region, category, title, origin, horizon, score, q10, q50, q90.

A listed title's demand is ``rank ** -0.8``, scaled up so that Poisson's variance suits it. Each origin sees the weeks
up to it and, with ``--calendar``, the titles that come out in the target weeks.
"""

from __future__ import annotations

import argparse
import datetime as dt

import polars as pl

from ml.forecasting import WEEKLY, TrainingSettings, build_panel, forecast_panel
from ml.forecasting.model import DemandModel, train

RANK_EXPONENT = -0.8
SESSIONS_PER_UNIT = 10.0
FIRST_ORIGIN_WEEKS = 20
LOWEST_SCORE = 0.004
SETTINGS = TrainingSettings(
    horizon=2, min_periods=16, origins=13, origin_step=3, max_rows=250_000, rounds=160, seed=7, threads=2
)


def read_charts(paths: str) -> pl.DataFrame:
    charts = pl.concat([pl.read_parquet(path) for path in paths.split(",")])
    return (
        charts.sort("rank")
        .unique(["week", "region", "category", "title"], keep="first")
        .select(
            pl.col("region").alias("region_id"),
            pl.col("title").alias("title_id"),
            pl.col("week").cast(pl.Date).alias("event_day"),
            (pl.col("rank").cast(pl.Float64) ** RANK_EXPONENT * SESSIONS_PER_UNIT).alias("sessions"),
            "category",
        )
    )


def catalogue_at(chart: pl.DataFrame, origin: dt.date, horizon: int, calendar: bool) -> pl.DataFrame:
    """Titles known at an origin: those that charted, and with the calendar those that come out by the target week."""
    known_until = origin + dt.timedelta(weeks=horizon if calendar else 0)
    return (
        chart.group_by("title_id")
        .agg(pl.col("event_day").min().alias("release_date"))
        .filter(pl.col("release_date") <= known_until)
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--global-data", help="accepted for symmetry with the benchmark; not used")
    parser.add_argument("--from", dest="first")
    parser.add_argument("--to", dest="last")
    parser.add_argument("--regions", help="write only these; all are learned from")
    parser.add_argument("--calendar", action="store_true")
    parser.add_argument("--step", type=int, default=1)
    parser.add_argument("--retrain", type=int, default=20, help="weeks between two trainings")
    parser.add_argument("--horizons", default="1,2")
    parser.add_argument("--fallback", action="store_true", help="write the fallback's forecast")
    parser.add_argument("--out", required=True)
    arguments = parser.parse_args()
    charts = read_charts(arguments.data)
    weeks: list[dt.date] = sorted(charts["event_day"].unique())
    origins = [
        week
        for index, week in enumerate(weeks)
        if index >= FIRST_ORIGIN_WEEKS
        and (not arguments.first or str(week) >= arguments.first)
        and (not arguments.last or str(week) <= arguments.last)
    ]
    origins = (origins if arguments.first else origins[-14:])[:: arguments.step]
    horizons = [int(horizon) for horizon in arguments.horizons.split(",")]
    regions = sorted(charts["region_id"].unique())
    wanted = arguments.regions.split(",") if arguments.regions else regions
    parts = []
    for (category,), chart in charts.partition_by("category", as_dict=True, maintain_order=True).items():
        model: DemandModel | None = None
        trained_at = dt.date.min
        for origin in origins:
            tomorrow = origin + dt.timedelta(days=1)
            if not arguments.fallback and (origin - trained_at).days >= 7 * arguments.retrain:
                titles = catalogue_at(chart, origin, 0, arguments.calendar)
                past = build_panel(chart, titles, today=tomorrow, regions=regions, max_history_days=700, cadence=WEEKLY)
                model, trained_at = train(past, SETTINGS), origin
            for horizon in horizons:
                titles = catalogue_at(chart, origin, horizon, arguments.calendar)
                panel = build_panel(
                    chart, titles, today=tomorrow, regions=regions, max_history_days=700, cadence=WEEKLY
                )
                parts.append(
                    forecast_panel(model, panel, [horizon])
                    .filter(pl.col("region_id").is_in(wanted))
                    .with_columns(pl.col("sessions", "q10", "q50", "q90") / SESSIONS_PER_UNIT)
                    .filter(pl.col("sessions") >= LOWEST_SCORE)
                    .select(
                        pl.col("region_id").alias("region"),
                        pl.lit(str(category)).alias("category"),
                        pl.col("title_id").alias("title"),
                        pl.lit(origin).alias("origin"),
                        pl.lit(horizon).alias("horizon"),
                        pl.col("sessions").alias("score"),
                        "q10",
                        "q50",
                        "q90",
                    )
                )
    forecasts = pl.concat(parts)
    forecasts.write_parquet(arguments.out)
    print(f"{len(forecasts)} rows for {len(origins)} origins -> {arguments.out}")


if __name__ == "__main__":
    main()
