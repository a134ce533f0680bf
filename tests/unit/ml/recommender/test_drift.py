from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest

from ml.recommender.drift import FEWEST_EVENTS, drift, profile_of, stability_index
from ml.recommender.features import read_interactions


def test_the_index_by_hand():
    before, now = {"a": 50, "b": 50}, {"a": 25, "b": 75}
    assert stability_index(before, before) == 0.0
    assert stability_index(before, now) == pytest.approx(-0.25 * math.log(0.5) + 0.25 * math.log(1.5))
    assert stability_index(before, now) == pytest.approx(stability_index({"a": 2, "b": 2}, {"a": 1, "b": 3}))


def test_a_bin_that_appears_counts_and_is_not_infinitely_far():
    assert 0.25 < stability_index({"a": 100}, {"a": 50, "b": 50}) < 10


@pytest.mark.parametrize(
    ("spoilt", "feature"),
    [
        (pl.lit(0.2).alias("completion"), "liking"),
        (pl.lit("south").alias("region_id"), "region"),
    ],
)
def test_a_broken_source_shows_in_the_feature_that_it_broke(viewing, spoilt, feature):
    before = profile_of(read_interactions(viewing))
    assert all(index < 0.1 for index in drift(before, before).values())
    assert len(drift(before, before)) == 3
    assert drift(before, profile_of(read_interactions(viewing.with_columns(spoilt))))[feature] > 0.25


def test_watching_one_title_alone_shows_in_popularity(build_viewing):
    viewing = build_viewing(viewers=200)
    one = pl.when(pl.Series(np.arange(viewing.height) % 8 > 0)).then(pl.lit("s-0001")).otherwise("title_id")
    moved = read_interactions(viewing.with_columns(one.alias("title_id")))
    assert drift(profile_of(read_interactions(viewing)), profile_of(moved))["popularity"] > 0.25


def test_other_titles_of_the_same_popularity_are_no_drift(viewing):
    renamed = viewing.with_columns(pl.col("title_id").str.replace("s-", "t-"))
    before, now = (profile_of(read_interactions(frame)) for frame in (viewing, renamed))
    assert drift(before, now) == {"region": 0.0, "liking": 0.0, "popularity": 0.0}


def test_few_events_and_models_of_before_say_nothing():
    few = {"region": {"north": FEWEST_EVENTS - 1}}
    assert drift(few, {"region": {"south": 10 * FEWEST_EVENTS}}) == {}
    assert drift({}, {"region": {"south": 10 * FEWEST_EVENTS}}) == {}
