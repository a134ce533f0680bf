"""Estimates beside a truth that is known: titles have an appeal, places are looked at less and less."""

import dataclasses
import random

import numpy as np
import pytest

from ml.recommender.errors import SupportTooThin
from ml.recommender.off_policy import ShownPlaces, estimate
from playback_api.domain.home.exploration import FIRST_EXPLORED_POSITION, ExplorationPool, explore

TITLES = 40
RANKED = np.arange(10)
LOOKS = (1.0 + np.arange(len(RANKED))) ** -0.7
EPSILON = 0.3
APPEAL = np.random.default_rng(5).uniform(0.05, 0.6, TITLES)
FIRST_TWO = RANKED[:FIRST_EXPLORED_POSITION].tolist()
BEST = np.array([title for title in np.argsort(-APPEAL) if title not in FIRST_TWO])[: len(RANKED) - 2]
TRUTH = float((APPEAL[BEST] * LOOKS[FIRST_EXPLORED_POSITION:]).sum())


def show(pages, *, seed, epsilon=EPSILON):
    """Pages by a ranking that does not know the appeal."""
    generator, rng = random.Random(seed), np.random.default_rng(seed)
    names = [str(title) for title in range(TITLES)]
    rows = []
    for page in range(pages):
        ranked = [names[title] for title in RANKED]
        placings = explore(ranked, ExplorationPool(names, set(names), ranked), generator, epsilon=epsilon)
        rows += [
            (page, int(placing.title_id), position, placing.propensity, placing.explored)
            for position, placing in enumerate(placings)
            if position >= FIRST_EXPLORED_POSITION
        ]
    page, title, position, propensity, explored = (np.array(column) for column in zip(*rows, strict=True))
    return ShownPlaces(
        pages=page, titles=title, positions=position, propensities=propensity, explored=explored,
        played=rng.random(len(page)) < APPEAL[title] * LOOKS[position], viewers=np.arange(pages) // 2,
    )  # fmt: skip


def wanted(pages, titles=BEST):
    return np.tile(titles, (pages, 1))


def test_the_truth_of_another_ranking_is_found():
    found = estimate(show(12_000, seed=1), wanted(12_000), seed=0)

    assert found.snips.mean == pytest.approx(TRUTH, rel=0.05)
    assert found.doubly_robust.mean == pytest.approx(TRUTH, rel=0.05)
    assert found.examination_exponent == pytest.approx(0.7, abs=0.15)
    assert found.difference.low > 0  # better than what was shown, and known to be
    assert found.difference.mean == pytest.approx(found.doubly_robust.mean - found.shown.mean)


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    found = [estimate(show(800, seed=seed), wanted(800), seed=0) for seed in range(16)]

    for estimator in ("snips", "doubly_robust"):
        intervals = [getattr(each, estimator) for each in found]
        assert sum(interval.low <= TRUTH <= interval.high for interval in intervals) >= 14
        assert np.mean([interval.mean for interval in intervals]) == pytest.approx(TRUTH, rel=0.05)


def test_the_ranking_that_was_shown_is_worth_what_it_earned_without_its_exploration():
    shown = show(4_000, seed=6)
    own = estimate(shown, wanted(4_000, RANKED[FIRST_EXPLORED_POSITION:]), seed=0)

    truth = float((APPEAL[RANKED] * LOOKS)[FIRST_EXPLORED_POSITION:].sum())
    assert own.snips.mean == pytest.approx(truth, rel=0.05)
    assert own.doubly_robust.mean == pytest.approx(truth, rel=0.05)
    assert own.shown.mean == pytest.approx(shown.played.sum() / 4_000)


def test_too_few_drawn_places_are_refused_with_their_number():
    with pytest.raises(SupportTooThin, match="needs 100 and 20"):
        estimate(show(100, seed=3), wanted(100), seed=0)


def test_many_drawn_places_that_hardly_anybody_played_are_refused():
    shown = show(2_000, seed=3)
    hardly = dataclasses.replace(shown, played=shown.played & (np.arange(len(shown.played)) % 50 == 0))
    with pytest.raises(SupportTooThin, match=r"in \d{3,} places in effect, \d+ of them played"):
        estimate(hardly, wanted(2_000), seed=0)


def test_without_exploration_only_the_same_titles_can_be_judged():
    shown = show(500, seed=4, epsilon=0.0)
    same = estimate(shown, wanted(500, RANKED[FIRST_EXPLORED_POSITION:]), seed=0)

    assert same.difference.mean == pytest.approx(0.0, abs=1e-9)
    with pytest.raises(SupportTooThin, match="100% of the other"):
        estimate(shown, wanted(500, np.arange(20, 28)), seed=0)


def test_a_ranking_without_titles_is_refused():
    with pytest.raises(SupportTooThin, match="no title"):
        estimate(show(5, seed=5), np.full((5, 8), -1), seed=0)
