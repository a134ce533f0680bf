"""Adapter: the forecast that production makes, on weekly charts, in the form that the forecast benchmark scores.

Usage: ``python benchmarks/forecast_entry.py --data charts.parquet --from 2022-03-06 --to 2022-06-26 --calendar
--step 4 --horizons 1,2 --out forecast.parquet``. Writes region, category, title, origin, horizon, score, q10, q50, q90.

A listed title's demand is ``rank ** -0.8``, scaled up so that Poisson's variance suits it. Each origin sees the weeks
up to it and, with ``--calendar``, the titles that come out in the target weeks. The score is the median, which has the
least absolute error, and a thousandth of the chance to be listed, which ranks the many that will more likely miss it.
"""

from __future__ import annotations

import argparse
import datetime as dt
from collections.abc import Sequence

import polars as pl

from ml.forecasting import WEEKLY, DemandPanel, TrainingSettings, build_panel, forecast_panel
from ml.forecasting.model import DemandModel, train

RANK_EXPONENT = -0.8
SESSIONS_PER_UNIT = 10.0
FIRST_ORIGIN_WEEKS = 20
LEAST_CHANCE = 0.002
CHANCE_SHARE = 1e-3
SETTINGS = TrainingSettings(
    horizon=2,
    min_periods=16,
    origins=40,
    origin_step=1,
    max_rows=800_000,
    rounds=160,
    members=3,
    leaves=31,
    min_leaf_rows=200,
    seed=7,
    threads=2,
)


def read_charts(paths: str) -> pl.DataFrame:
    """The lists as demand; a title's id tells its list, because films and series may share a name."""
    charts = pl.concat([pl.read_parquet(path) for path in paths.split(",")])
    list_of = pl.col("category") + "|"
    return (
        charts.sort("rank")
        .unique(["week", "region", "category", "title"], keep="first")
        .select(
            pl.col("region").alias("region_id"),
            (list_of + pl.col("title")).alias("title_id"),
            pl.col("week").cast(pl.Date).alias("event_day"),
            (pl.col("rank").cast(pl.Float64) ** RANK_EXPONENT * SESSIONS_PER_UNIT).alias("sessions"),
            pl.col("title").alias("name"),
            pl.col("category").alias("kind"),
            (list_of + pl.col("show_title")).alias("series"),
        )
    )


def panel_at(charts: pl.DataFrame, origin: dt.date, horizon: int, calendar: bool) -> DemandPanel:
    """What is known at an origin: the weeks up to it and, with the calendar, what comes out by the target week."""
    known_until = origin + dt.timedelta(weeks=horizon if calendar else 0)
    titles = (
        charts.group_by("title_id")
        .agg(pl.col("event_day").min().alias("release_date"), pl.col("name", "kind", "series").first())
        .filter(pl.col("release_date") <= known_until)
    )
    return build_panel(
        charts,
        titles if calendar else titles.drop("release_date"),
        today=origin + dt.timedelta(days=1),
        regions=sorted(charts["region_id"].unique()),
        max_history_days=700,
        cadence=WEEKLY,
    )


def forecast_charts(
    charts: pl.DataFrame,
    origins: Sequence[dt.date],
    horizons: Sequence[int],
    *,
    calendar: bool,
    retrain_weeks: int = 4,
    settings: TrainingSettings | None = SETTINGS,
) -> pl.DataFrame:
    """Forecast every list from every origin; by the fallback when there are no settings to train with."""
    parts = []
    model: DemandModel | None = None
    trained_at = dt.date.min
    for origin in origins:
        if settings and (origin - trained_at).days >= 7 * retrain_weeks:
            model, trained_at = train(panel_at(charts, origin, 0, calendar), settings), origin
        for horizon in horizons:
            ahead = forecast_panel(model, panel_at(charts, origin, horizon, calendar), [horizon])
            parts.append(
                ahead.with_columns(pl.col("q10", "q50", "q90") / SESSIONS_PER_UNIT)
                .filter(pl.col("chance") >= LEAST_CHANCE)
                .select(
                    pl.col("region_id").alias("region"),
                    pl.col("title_id").str.split_exact("|", 1).struct.rename_fields(["category", "title"]),
                    pl.lit(origin).alias("origin"),
                    pl.lit(horizon).alias("horizon"),
                    (pl.col("q50") + CHANCE_SHARE * pl.col("chance")).alias("score"),
                    "q10",
                    "q50",
                    "q90",
                )
                .unnest("title_id")
            )
    return pl.concat(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--global-data", help="accepted for symmetry with the benchmark; not used")
    parser.add_argument("--from", dest="first")
    parser.add_argument("--to", dest="last")
    parser.add_argument("--regions", help="write only these; all are learned from")
    parser.add_argument("--calendar", action="store_true")
    parser.add_argument("--step", type=int, default=1)
    parser.add_argument("--retrain", type=int, default=4, help="weeks between two trainings")
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
    forecasts = forecast_charts(
        charts,
        origins,
        [int(horizon) for horizon in arguments.horizons.split(",")],
        calendar=arguments.calendar,
        retrain_weeks=arguments.retrain,
        settings=None if arguments.fallback else SETTINGS,
    )
    if arguments.regions:
        forecasts = forecasts.filter(pl.col("region").is_in(arguments.regions.split(",")))
    forecasts.write_parquet(arguments.out)
    print(f"{len(forecasts)} rows for {len(origins)} origins -> {arguments.out}")


if __name__ == "__main__":
    main()
