"""Does it pay to forecast by age band? Real ratings as viewing, the last week held back.

python -m benchmarks.audience --ratings FOLDER    # of MovieLens 1M as Parquet

Four forecasts of a week's sessions by region, title and age band: every title by its region's mix of bands; what the
platform makes (the region's forecast dealt to bands); each band forecast like a region of its own; and, for scale, the
region's forecast dealt by what bands really watched. The second column is the error of their sums over bands.
"""

from __future__ import annotations

import argparse
import datetime as dt
from pathlib import Path

import polars as pl

from ml.forecasting import deal_to_age_bands, fit, forecast
from orchestration.sample.movielens import read_movielens_world

NOW = dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)
HORIZON_DAYS = 7
AUDIENCE_DAYS = 28
KEYS = ["region_id", "title_id", "age_band"]


def wape(made: pl.DataFrame, actual: pl.DataFrame, keys: list[str]) -> float:
    """Sum of absolute errors over the sum of sessions."""
    made = made.group_by(keys).agg(pl.col("sessions").sum().alias("made"))
    actual = actual.group_by(keys).agg(pl.col("sessions").sum().alias("actual"))
    both = made.join(actual, on=keys, how="full", coalesce=True).fill_null(0.0)
    return float((both["made"] - both["actual"]).abs().sum() / both["actual"].sum())


def main() -> None:
    """Print one row a seed and method."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--ratings", type=Path, required=True)
    options.add_argument("--seeds", default="1,2")
    options.add_argument("--titles", type=int, default=600, help="only the most watched: of others errors are noise")
    chosen = options.parse_args()
    print("| seed | forecast | WAPE by region, title and band | by region and title |\n|---|---|---:|---:|")
    for seed in (int(text) for text in chosen.seeds.split(",")):
        world = read_movielens_world(chosen.ratings, seed=seed, now=NOW, media_title_ids=["film"])
        viewing, regions = world.viewing(), [region.region_id for region in world.network.regions]
        sessions = pl.DataFrame(
            {
                "region_id": [regions[index] for index in world.region_of[viewing.viewer].tolist()],
                "title_id": [world.title_ids[index] for index in viewing.title.tolist()],
                "age_band": world.viewers["age_band"].gather(viewing.viewer),
                "event_day": [world.window.dates[int(moment // 86400)] for moment in viewing.started_s.tolist()],
            }
        )
        popular = sessions["title_id"].value_counts(sort=True).head(chosen.titles)["title_id"]
        daily = (
            sessions.filter(pl.col("title_id").is_in(popular.implode()))
            .group_by("region_id", "title_id", "age_band", "event_day")
            .agg(pl.len().cast(pl.Float64).alias("sessions"))
        )
        today = world.window.end_day - dt.timedelta(days=HORIZON_DAYS)
        past, actual = daily.filter(pl.col("event_day") < today), daily.filter(pl.col("event_day") >= today)
        titles = world.titles.filter(pl.col("title_id").is_in(popular.implode()))
        watched = past.filter(pl.col("event_day") >= today - dt.timedelta(days=AUDIENCE_DAYS))
        model = fit(past, titles, today=today)
        whole = forecast(model, past, titles, today=today, horizon_days=HORIZON_DAYS)
        as_regions = past.with_columns(region_id=pl.col("region_id") + "|" + pl.col("age_band")).drop("age_band")
        apart = forecast(
            fit(as_regions, titles, today=today), as_regions, titles, today=today, horizon_days=HORIZON_DAYS
        ).with_columns(
            region_id=pl.col("region_id").str.split("|").list.first(),
            age_band=pl.col("region_id").str.split("|").list.last(),
        )
        mix = watched.group_by("region_id", "age_band").agg(pl.col("sessions").sum())
        mix = mix.with_columns(share=pl.col("sessions") / pl.col("sessions").sum().over("region_id")).drop("sessions")
        truth = actual.group_by(KEYS).agg(pl.col("sessions").sum())
        truth = truth.with_columns(share=pl.col("sessions") / pl.col("sessions").sum().over("region_id", "title_id"))
        made = {
            "the region's mix": whole.join(mix, on="region_id").with_columns(pl.col("sessions") * pl.col("share")),
            "dealt by leanings (the platform's)": deal_to_age_bands(whole, watched, titles),
            "each band by itself": apart,
            "dealt by the truth": whole.join(truth.drop("sessions"), on=["region_id", "title_id"]).with_columns(
                pl.col("sessions") * pl.col("share")
            ),
        }
        for name, frame in made.items():
            numbers = [wape(frame, actual, keys) for keys in (KEYS, KEYS[:2])]
            print(f"| {seed} | {name} | {numbers[0]:.4f} | {numbers[1]:.4f} |", flush=True)


if __name__ == "__main__":
    main()
