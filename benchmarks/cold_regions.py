"""What likeness is worth to a region that has just opened: countries of weekly charts hidden and foretold from others.

python -m benchmarks.cold_regions --data charts.parquet

At every origin a tenth of the countries at a time is hidden, all of their past too, and their next week's lists are
foretold by the fallback, which is what a region without history gets: from all others alike, from those that language
and clock say are like it, and, for scale, from their own past.
"""

from __future__ import annotations

import argparse
import datetime as dt
from dataclasses import replace

import polars as pl
from babel.core import get_global

from benchmarks.forecast_entry import read_charts
from ml.forecasting import WEEKLY, Signals, forecast
from orchestration.edge.topology import Region, read_network
from orchestration.region_likeness import likeness_of

LIST_LENGTH = 10
FOLDS = 10
METHODS = ("from all alike", "from those it is like", "by its own past")


def regions_of(countries: list[str]) -> list[Region]:
    """Countries as regions, on the clock of the first of their zones."""
    zones, any_region = get_global("territory_zones"), read_network().regions[0]
    return [
        replace(any_region, region_id=country, country=country, time_zone=zones.get(country, ["UTC"])[0])
        for country in countries
    ]


def recall(ahead: pl.DataFrame, actual: pl.DataFrame, hidden: list[str]) -> tuple[int, int]:
    """How many of the listed titles of hidden countries are among the first ten foretold, and of how many."""
    kind = pl.col("title_id").str.split("|").list.first().alias("kind")
    first = (
        ahead.filter(pl.col("region_id").is_in(hidden))
        .with_columns(kind)
        .sort(["region_id", "kind", "sessions", "title_id"], descending=[False, False, True, False])
        .group_by("region_id", "kind", maintain_order=True)
        .head(LIST_LENGTH)
    )
    listed = actual.filter(pl.col("region_id").is_in(hidden))
    return len(listed.join(first, on=["region_id", "title_id"], how="semi")), len(listed)


def main() -> None:
    """Print one row a method."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--data", required=True)
    options.add_argument("--from", dest="first", default="2022-01-09")
    options.add_argument("--to", dest="last", default="2022-06-26")
    options.add_argument("--origins", type=int, default=6)
    chosen = options.parse_args()
    charts = read_charts(chosen.data)
    countries = sorted(charts["region_id"].unique())
    likeness = likeness_of(regions_of(countries))
    weeks = [week for week in sorted(charts["event_day"].unique()) if chosen.first <= str(week) <= chosen.last]
    found = dict.fromkeys(METHODS, (0, 0))
    for origin in weeks[:: max(len(weeks) // chosen.origins, 1)][: chosen.origins]:
        known = charts.filter(pl.col("event_day") <= origin)
        actual = charts.filter(pl.col("event_day") == origin + dt.timedelta(weeks=1))
        today = origin + dt.timedelta(days=1)
        for fold in range(FOLDS):
            hidden = countries[fold::FOLDS]
            others = known.filter(~pl.col("region_id").is_in(hidden))
            for method in METHODS:
                demand = known if method == METHODS[2] else others
                ahead = forecast(
                    None,
                    demand,
                    demand.select("title_id", "name", "kind", "series").unique("title_id"),
                    today=today,
                    horizon_days=1,
                    regions=countries,
                    cadence=WEEKLY,
                    signals=Signals(likeness=likeness) if method == METHODS[1] else Signals(),
                )
                hits, lists = recall(ahead, actual, hidden)
                found[method] = (found[method][0] + hits, found[method][1] + lists)
    print("| its lists are foretold | R@10 |\n|---|---:|")
    for method, (hits, lists) in found.items():
        print(f"| {method} | {hits / lists:.3f} |")


if __name__ == "__main__":
    main()
