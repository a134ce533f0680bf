import datetime as dt

import numpy as np
import pytest

from orchestration.sample.demand import (
    TAIL_SHARE,
    make_regional_demand,
    pull_through_hit_shares,
    rank_weights,
    release_decay,
)

FIRST_DAY = dt.date(2026, 4, 1)


def make(release_days, titles=50):
    return make_regional_demand(
        np.random.default_rng(2),
        countries=["SE", "IN"],
        genre_matrix=np.full((titles, 4), 0.25),
        languages=["sv"] * (titles // 2) + ["hi"] * (titles - titles // 2),
        release_days=release_days,
        first_day=FIRST_DAY,
        weeks=6,
    )


def test_a_debut_loses_some_thirty_percent_a_week_until_a_tail_is_left():
    ages = np.array([-1, 0, 7, 14, 3650])
    before, debut, first, second, old = release_decay(ages)

    assert before == 0
    assert debut == 1
    assert (first - TAIL_SHARE) / (debut - TAIL_SHARE) == pytest.approx(0.7)
    assert (second - TAIL_SHARE) / (first - TAIL_SHARE) == pytest.approx(0.7)
    assert old == pytest.approx(TAIL_SHARE)


def test_shares_add_up_and_nothing_is_wanted_before_its_release():
    release_days = np.full(50, FIRST_DAY.toordinal() - 100)
    release_days[7] = FIRST_DAY.toordinal() + 3
    demand = make(release_days)

    before, on_debut = demand.on(FIRST_DAY), demand.on(FIRST_DAY + dt.timedelta(days=3))

    np.testing.assert_allclose(before.sum(axis=1), 1.0)
    assert (before[:, 7] == 0).all()
    assert (on_debut[:, 7] > 0).all()
    assert demand.on(FIRST_DAY + dt.timedelta(days=400)).shape == (2, 50)


def test_regions_differ_and_prefer_their_own_language():
    shares = make(np.full(50, FIRST_DAY.toordinal() - 100)).on(FIRST_DAY)

    assert shares[0, :25].sum() > shares[1, :25].sum()
    assert np.corrcoef(shares)[0, 1] < 0.98


def test_weights_are_ranks_in_random_order():
    weights = rank_weights(np.random.default_rng(0), 100)

    assert weights.max() == 1.0
    assert len(np.unique(weights)) == 100
    assert not (np.diff(weights) < 0).all()


def test_a_pull_through_edge_holds_what_is_asked_for_most():
    shares = rank_weights(np.random.default_rng(0), 200)[None, :] / 20
    hits = pull_through_hit_shares(shares, np.ones(1), capacity_titles=20)

    assert hits.sum() == pytest.approx(20, rel=0.01)
    order = np.argsort(shares[0])
    assert (np.diff(hits[0][order]) >= 0).all()


def test_an_edge_larger_than_the_catalogue_holds_it():
    hits = pull_through_hit_shares(np.full((1, 10), 0.1), np.ones(1), capacity_titles=500)

    assert (hits > 0.98).all()
