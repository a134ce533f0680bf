import datetime as dt

import numpy as np
import polars as pl

from orchestration.defs.demand.mentions_drop import find_faults, read_mentions
from orchestration.sample import WorldSize, make_world
from orchestration.sample.mentions import make_mentions, write_mentions

NOW = dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)
SIZE = WorldSize(titles=60, viewers=200, history_days=14, sessions=20_000)


def test_the_sample_feed_is_one_that_the_platform_takes_whole(tmp_path):
    world = make_world(seed=7, now=NOW, media_title_ids=["film"], size=SIZE)
    today = world.window.end_day
    write_mentions(world, tmp_path, today)
    regions = [region.region_id for region in world.network.regions]
    delivery = read_mentions(tmp_path, titles=world.title_ids, regions=regions, today=today)
    assert delivery.rejected.is_empty()
    assert find_faults(delivery, today) == []
    made = make_mentions(world, world.window.first_day, today)
    assert delivery.accepted.sort("day", "region_id", "title_id").equals(
        made.cast({"mentions": pl.Float64}).sort("day", "region_id", "title_id")
    )


def test_talk_leads_viewing_by_a_day_or_two():
    """A title that comes out is talked about from two days before, and not earlier."""
    world = make_world(seed=7, now=NOW, media_title_ids=["film"], size=SIZE)
    made = make_mentions(world, world.window.first_day, world.window.end_day)
    debuts = world.titles.filter(
        pl.col("release_date").is_between(world.window.first_day + dt.timedelta(days=4), world.window.end_day)
    )
    days_before = (
        made.join(debuts.select("title_id", "release_date"), on="title_id")
        .with_columns(ahead=(pl.col("release_date") - pl.col("day")).dt.total_days())["ahead"]
        .unique()
    )
    assert len(debuts) > 1
    assert days_before.max() == 2


def test_counts_follow_what_will_be_watched_most():
    world = make_world(seed=7, now=NOW, media_title_ids=["film"], size=SIZE)
    made = make_mentions(world, world.window.first_day, world.window.end_day)
    day = world.window.first_day + dt.timedelta(days=5)
    wanted = world.expected_demand(day + dt.timedelta(days=1))
    pairs = wanted.join(made.filter(pl.col("day") == day), on=["region_id", "title_id"], how="left")
    talked = pairs["mentions"].fill_null(0).to_numpy()
    assert np.corrcoef(np.log1p(pairs["sessions"].to_numpy()), np.log1p(talked))[0, 1] > 0.6
