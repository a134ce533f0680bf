"""A made-up feed of mentions: what people say about titles a day or two before they watch them."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import polars as pl

from orchestration.sample.world import World

FILE = "sample-mentions.csv"
LEAD_DAYS = (1, 2)
"""Talk of a day is about what is wanted on the mean of these days after it."""
MENTIONS_A_SESSION = 2.0
CHATTER_SIGMA = 0.5
"""Some titles are talked about more than they are watched, and others less: the log-normal spread of that."""


def make_mentions(world: World, first_day: dt.date, end_day: dt.date) -> pl.DataFrame:
    """Mentions by region and title for the days from the first on, before the end; the same for a world at every call.

    Counts are drawn around the true demand of the days that follow, by a chatter of each title that nobody is told.

    Returns:
        day, region_id, title_id, mentions; only rows with a mention.
    """
    chatter = np.exp(np.random.default_rng([world.seed, 5]).normal(0.0, CHATTER_SIGMA, len(world.titles)))
    days = [first_day + dt.timedelta(days=number) for number in range((end_day - first_day).days)]
    wanted: dict[dt.date, pl.DataFrame] = {}
    frames = []
    for day in days:
        ahead = [day + dt.timedelta(days=lead) for lead in LEAD_DAYS]
        for coming in ahead:
            if coming not in wanted:
                wanted[coming] = world.expected_demand(coming)
        mean = np.mean([wanted[coming]["sessions"].to_numpy() for coming in ahead], axis=0)
        rate = mean * np.tile(chatter, len(mean) // len(chatter)) * MENTIONS_A_SESSION
        counts = np.random.default_rng([world.seed, 6, day.toordinal()]).poisson(rate)
        frames.append(
            wanted[ahead[0]].select(pl.lit(day).alias("day"), "region_id", "title_id", pl.Series("mentions", counts))
        )
    schema = {"day": pl.Date, "region_id": pl.String, "title_id": pl.String, "mentions": pl.Int64}
    return pl.concat([pl.DataFrame(schema=schema), *frames]).filter(pl.col("mentions") > 0)


def write_mentions(world: World, folder: Path, end_day: dt.date) -> None:
    """Deliver the feed from the first day of the world's history up to the day before ``end_day``, by rename."""
    folder.mkdir(parents=True, exist_ok=True)
    staged = folder / f".{FILE}.staged"
    make_mentions(world, world.window.first_day, end_day).write_csv(staged)
    staged.rename(folder / FILE)
