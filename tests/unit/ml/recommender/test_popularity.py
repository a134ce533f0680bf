from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from ml.recommender.features import read_interactions
from ml.recommender.popularity import measure_group_trend, measure_popularity


def test_recent_viewing_outweighs_old_viewing(build_viewing):
    viewing = build_viewing()
    start = viewing["started_at"].min()
    old = viewing.filter(pl.col("started_at") == start).with_columns(title_id=pl.lit("s-9999"))
    many_old = pl.concat([old.with_columns(session_id=pl.lit(f"o{n}"), viewer_id=pl.lit(f"w-{n}")) for n in range(5)])
    interactions = read_interactions(pl.concat([viewing, many_old]))
    old_title = interactions.title_ids.index("s-9999")
    recent = measure_popularity(interactions, half_life_days=0.5).shares[0]
    lasting = measure_popularity(interactions, half_life_days=1e6).shares[0]
    assert recent[old_title] < np.median(recent)
    liked = interactions.affinities - 1.0
    expected = liked[interactions.titles == old_title].sum() / liked.sum()
    assert lasting[old_title] == pytest.approx(expected, rel=1e-3)


def test_of_two_titles_with_as_many_viewers_the_one_watched_to_the_end_is_more_popular(build_viewing):
    viewing = build_viewing()
    begun = viewing.filter(pl.col("title_id") == "s-0001").with_columns(
        title_id=pl.lit("s-9999"), completion=pl.lit(0.2), session_id=pl.format("b-{}", "session_id")
    )
    interactions = read_interactions(pl.concat([viewing, begun]))
    shares = measure_popularity(interactions).shares[0]
    begun_share, watched_share = (shares[interactions.title_ids.index(title)] for title in ("s-9999", "s-0001"))
    assert 0 < begun_share < 0.5 * watched_share


def test_rows_are_shares_and_regions_differ(viewing):
    popularity = measure_popularity(read_interactions(viewing))
    assert popularity.region_ids == ["*", "north", "south"]
    np.testing.assert_allclose(popularity.shares.sum(axis=1), 1.0)
    assert not np.allclose(popularity.shares[1], popularity.shares[2])


def test_the_trend_is_standardised_and_keeps_the_order(viewing):
    popularity = measure_popularity(read_interactions(viewing))
    trend = popularity.trend().astype(float)
    np.testing.assert_allclose(trend.mean(axis=1), 0.0, atol=1e-2)
    np.testing.assert_allclose(trend.std(axis=1), 1.0, atol=1e-2)
    assert np.argmax(trend[1]) == np.argmax(popularity.shares[1])


def test_a_group_is_told_by_how_it_differs_from_everybody_else(viewing):
    interactions = read_interactions(viewing)
    camps = np.array([int(viewer_id[-1]) % 2 for viewer_id in interactions.viewer_ids])
    odd = np.array([int(title_id[-1]) % 2 == 1 for title_id in interactions.title_ids])

    even_camp, odd_camp, all_of_them = np.uint64(1), np.uint64(2), np.uint64(4)
    memberships = np.where(camps == 0, even_camp, odd_camp) | all_of_them
    trend = measure_group_trend(interactions, memberships, 3)
    assert (trend[0][odd] < 0).all()
    assert (trend[0][~odd] > 0).all()
    np.testing.assert_array_equal(np.sign(trend[1]), -np.sign(trend[0]))
    np.testing.assert_allclose(trend[2], 0, atol=1e-3, err_msg="whoever is like everybody moves nothing")
    nobody_known = measure_group_trend(interactions, np.zeros(len(camps), np.uint64), 1)
    np.testing.assert_allclose(nobody_known, 0, atol=1e-3)


@pytest.mark.parametrize("lead", [0.0, 1e-7], ids=["alike", "next to alike"])
def test_where_all_titles_are_as_popular_what_groups_watch_stays_finite(viewing, lead):
    camp_size = 1000
    titles = np.repeat([0, 1], camp_size)
    interactions = replace(
        read_interactions(viewing),
        viewer_ids=[f"w-{number:04d}" for number in range(2 * camp_size)],
        title_ids=["s-0001", "s-0002"],
        viewers=np.arange(2 * camp_size),
        titles=titles,
        affinities=np.where(titles == 0, 4.0 + lead, 4.0),
        weights=np.ones(2 * camp_size),
        watched_at=np.zeros(2 * camp_size),
    )
    trend = measure_group_trend(interactions, np.repeat(np.array([1, 2], np.uint64), camp_size), 2)
    assert np.isfinite(trend).all()
    np.testing.assert_array_equal(np.sign(trend), [[1, -1], [-1, 1]])
