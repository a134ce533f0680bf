import datetime as dt

import numpy as np
import polars as pl
import pytest

from orchestration.edge.topology import read_network
from orchestration.sample import SampleWorldError, WorldSize, make_world
from orchestration.sample.catalogue import GENRES, genre_matrix
from orchestration.sample.world import pick

NOW = dt.datetime(2026, 5, 14, 9, 30, tzinfo=dt.UTC)


def test_there_are_as_many_sessions_as_asked_for_in_order_of_time(world, viewing):
    assert len(viewing) == 40_000
    assert (np.diff(viewing.started_s) >= 0).all()
    assert viewing.started_s.min() >= 0
    assert viewing.started_s.max() <= 42 * 86400
    assert ((viewing.completion > 0) & (viewing.completion <= 1)).all()


def test_popularity_falls_with_the_rank_as_published(world, viewing):
    shares = np.sort(np.bincount(viewing.title, minlength=len(world.titles)))[::-1] / len(viewing)

    assert 0.20 < shares[:10].sum() < 0.42
    assert 0.68 < shares[:100].sum() < 0.90
    slope = np.polyfit(np.log(np.arange(1, 101)), np.log(shares[:100]), 1)[0]
    assert slope == pytest.approx(-0.8, abs=0.2)


def test_a_debut_decays(world, viewing):
    released = np.array([(date - world.window.first_day).days for date in world.titles["release_date"]])
    debuts = np.flatnonzero((released >= 0) & (released <= 42 - 21))
    assert len(debuts) >= 3
    by_age = np.zeros(3)
    for title in debuts:
        age = (viewing.started_s[viewing.title == title] / 86400 - released[title]) // 7
        by_age += [(age == week).sum() for week in range(3)]

    assert 0.5 < by_age[1] / by_age[0] < 0.95
    assert by_age[2] < by_age[1]


def test_nothing_is_watched_before_its_release_nor_by_who_has_not_signed_up(world, viewing):
    day = np.array(world.window.first_day.toordinal() + viewing.started_s // 86400, dtype=np.int64)
    released = np.array([date.toordinal() for date in world.titles["release_date"]])
    created_s = world.viewers["created_at"].dt.epoch("s").to_numpy() - world.window.start.timestamp()

    assert (day >= released[viewing.title]).all()
    assert (viewing.started_s >= created_s[viewing.viewer] - 1).all()


def test_children_see_nothing_for_adults(world, viewing):
    young = (world.viewers["age_band"] == "under-18").to_numpy()
    adult_title = (world.titles["maturity_age"] >= 18).to_numpy()

    assert young.any()
    assert not (young[viewing.viewer] & adult_title[viewing.title]).any()


def test_weekends_and_local_evenings_are_busiest(world, viewing):
    days = np.bincount((viewing.started_s // 86400).astype(int), minlength=42)
    weekday = (np.arange(42) + world.window.first_day.weekday()) % 7
    assert days[weekday == 5].mean() > 1.15 * days[weekday == 1].mean()

    kolkata = [region.region_id for region in read_network().regions].index("ap-south")
    own = world.region_of[viewing.viewer] == kolkata
    hours = np.bincount(((viewing.started_s[own] / 3600 + 5.5) % 24).astype(int), minlength=24)
    assert 19 <= hours.argmax() <= 22


def test_no_day_stands_out(viewing):
    days = np.bincount((viewing.started_s // 86400).astype(int), minlength=42)

    assert days.min() > 0.6 * days.mean()
    assert days.max() < 1.6 * days.mean()


def test_regions_like_different_things(world, viewing):
    regions = world.region_of[viewing.viewer]
    top = [
        set(np.argsort(np.bincount(viewing.title[regions == region], minlength=300))[-20:]) for region in range(3)
    ]  # fmt: skip

    assert 2 <= len(top[0] & top[1]) <= 18


def test_viewers_have_a_taste_that_can_be_learnt(world, viewing):
    favourite = genre_matrix(world.viewers["preferred_genres"].to_list(), GENRES) > 0
    of_title = genre_matrix(world.titles["genres"].to_list(), GENRES) > 0
    hit = (favourite[viewing.viewer] & of_title[viewing.title]).any(axis=1).mean()
    shuffled = np.random.default_rng(0).permutation(viewing.title)
    by_chance = (favourite[viewing.viewer] & of_title[shuffled]).any(axis=1).mean()

    assert hit > 1.4 * by_chance


def test_what_is_liked_is_seen_further(world, viewing):
    affinity = world.taste.affinity[viewing.viewer, viewing.title]

    assert np.corrcoef(affinity, viewing.completion)[0, 1] > 0.1
    assert viewing.completion[affinity > 1].mean() > viewing.completion[affinity < 0].mean() + 0.1
    assert 0.3 < (viewing.completion >= 0.95).mean() < 0.75


def test_seasons_are_watched_one_after_the_other(world, viewing):
    followed, opportunities = 0, 0
    order = np.lexsort((viewing.started_s, viewing.viewer))
    viewer, title = viewing.viewer[order], viewing.title[order]
    same = viewer[1:] == viewer[:-1]
    following = world.next_in_series[title[:-1]]
    opportunities = (same & (following >= 0)).sum()
    followed = (same & (following >= 0) & (title[1:] == following)).sum()

    assert opportunities > 1000
    assert followed / opportunities > 0.05
    assert followed / opportunities > 8 / len(world.titles)


def test_the_same_seed_and_day_give_the_same_world(small_world):
    def again(**changes):
        size = WorldSize(titles=40, viewers=60, history_days=7, sessions=600)
        return make_world(**({"seed": 3, "now": NOW, "media_title_ids": ["animation", "motorway", "lake"], "size": size}
                             | changes))  # fmt: skip

    same = again(now=NOW + dt.timedelta(hours=9))
    other = again(seed=4)

    assert same.titles.equals(small_world.titles)
    assert same.viewers.equals(small_world.viewers)
    for column in ("viewer", "title", "started_s", "completion"):
        np.testing.assert_array_equal(getattr(same.viewing(), column), getattr(small_world.viewing(), column))
    assert not np.array_equal(other.viewing().title, small_world.viewing().title)


def test_expected_demand_is_what_history_follows(world, viewing):
    day = world.window.dates[-1]
    expected = world.expected_demand(day)

    assert expected["sessions"].sum() == pytest.approx(40_000 / 42, rel=0.25)
    by_title = expected.group_by("title_id", maintain_order=True).agg(pl.col("sessions").sum())["sessions"].to_numpy()
    last_week = np.bincount(viewing.title[viewing.started_s >= 35 * 86400], minlength=300)
    assert np.corrcoef(by_title, last_week)[0, 1] > 0.8


def test_upcoming_titles_are_expected_from_their_day_on(world):
    today = world.window.end_day
    upcoming = world.titles.filter(pl.col("release_date") > today).row(0, named=True)

    def expected(day):
        return world.expected_demand(day).filter(title_id=upcoming["title_id"])["sessions"].sum()

    assert expected(today) == 0
    assert expected(upcoming["release_date"]) > 0


def test_a_world_of_nothing_is_refused():
    with pytest.raises(SampleWorldError, match="at least one"):
        make_world(seed=1, now=NOW, media_title_ids=["a"], size=WorldSize(sessions=0))


def test_a_row_without_weight_is_said():
    with pytest.raises(SampleWorldError, match="nothing to choose"):
        pick(np.random.default_rng(0), np.array([[0.0, 1.0], [0.0, 0.0]]))


def test_what_has_no_weight_is_never_picked():
    weights = np.tile([0.0, 1.0, 0.0, 3.0, 0.0], (4000, 1))
    counts = np.bincount(pick(np.random.default_rng(0), weights), minlength=5)

    assert counts[[0, 2, 4]].sum() == 0
    assert counts[3] / counts[1] == pytest.approx(3.0, rel=0.2)
