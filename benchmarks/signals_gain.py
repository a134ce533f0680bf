"""What mentions and holidays are worth to the forecast: the production back-test with and without, on sample worlds.

python -m benchmarks.signals_gain --seeds 11,23,31
"""

from __future__ import annotations

import argparse
import datetime as dt

import polars as pl

from ml.forecasting import MODEL, Signals, backtest
from orchestration.public_holidays import public_holidays
from orchestration.sample import SampleWorld, make_world
from orchestration.sample.mentions import make_mentions

NOW = dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)
MEASURES = ("wape_total", "wape", "recall_at_k", "new_recall_at_k", "pinball")


def demand_of(world: SampleWorld) -> pl.DataFrame:
    """Sessions by region, title and day, as the warehouse would count them."""
    viewing = world.viewing()
    regions = [region.region_id for region in world.network.regions]
    return (
        pl.DataFrame(
            {
                "region_id": [regions[index] for index in world.region_of[viewing.viewer].tolist()],
                "title_id": [world.title_ids[index] for index in viewing.title.tolist()],
                "event_day": [world.window.dates[int(moment // 86400)] for moment in viewing.started_s.tolist()],
            }
        )
        .group_by("region_id", "title_id", "event_day")
        .agg(pl.len().alias("sessions"))
        .sort("region_id", "title_id", "event_day")
    )


def main() -> None:
    """Print one row a seed and signal."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seeds", default="11,23,31")
    options.add_argument("--origins", type=int, default=3)
    chosen = options.parse_args()
    print("| seed | told |", " | ".join(MEASURES), "|\n|---|---|" + "---:|" * len(MEASURES))
    for seed in (int(text) for text in chosen.seeds.split(",")):
        world = make_world(seed=seed, now=NOW, media_title_ids=["film"])
        demand, today = demand_of(world), world.window.end_day
        feed = make_mentions(world, world.window.first_day, today)
        calendar = public_holidays(world.network.regions, world.window.first_day, today)
        for label, signals in (
            ("neither", Signals()),
            ("mentions", Signals(mentions=feed)),
            ("holidays", Signals(holidays=calendar)),
            ("both", Signals(mentions=feed, holidays=calendar)),
        ):
            result = backtest(demand, world.titles, today=today, origins=chosen.origins, signals=signals)
            numbers = " | ".join(f"{result.metric(MODEL, name):.4f}" for name in MEASURES)
            print(f"| {seed} | {label} | {numbers} |", flush=True)


if __name__ == "__main__":
    main()
