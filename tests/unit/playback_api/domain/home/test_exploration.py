import random
from collections import Counter

import pytest

from playback_api.domain.home.exploration import EPSILON, ExplorationPool, day_generator, explore

RANKED = [f"r-{number}" for number in range(10)]
POOL = [f"p-{number}" for number in range(5)]
EVERYTHING = [*RANKED, *POOL]


def pool(*, taken=RANKED):
    return ExplorationPool(EVERYTHING, set(EVERYTHING), taken)


def test_the_first_places_are_never_explored_and_the_rest_keeps_its_order():
    for seed in range(200):
        placings = explore(RANKED, pool(), random.Random(seed), epsilon=EPSILON)
        assert [placing.title_id for placing in placings[:2]] == RANKED[:2]
        kept = [placing.title_id for placing in placings if not placing.explored]
        assert kept == sorted(kept)
        ids = [placing.title_id for placing in placings]
        assert len(ids) == len(set(ids)) == len(RANKED)


def test_what_is_logged_is_how_often_it_happens():
    generator = random.Random(7)
    shown = Counter()
    rounds = 20_000
    for _ in range(rounds):
        placing = explore(RANKED[:3], pool(), generator, epsilon=EPSILON)[2]
        shown[placing.title_id] += 1
        expected = EPSILON / len(POOL) if placing.explored else 1 - EPSILON
        assert placing.propensity == pytest.approx(expected)
    assert shown["r-2"] / rounds == pytest.approx(1 - EPSILON, abs=0.01)
    for title_id in POOL:
        assert shown[title_id] / rounds == pytest.approx(EPSILON / len(POOL), abs=0.006)


def test_without_a_pool_nothing_is_explored():
    assert {
        placing.propensity for placing in explore(RANKED, pool(taken=EVERYTHING), random.Random(1), epsilon=EPSILON)
    } == {1.0}


def test_a_viewer_sees_the_same_page_all_day_and_another_tomorrow():
    def page(viewer_id, day):
        return explore(RANKED, pool(), day_generator(viewer_id, day), epsilon=0.5)

    assert page("v-1", "2026-10-01") == page("v-1", "2026-10-01")
    assert page("v-1", "2026-10-01") != page("v-1", "2026-10-02")
    assert page("v-1", "2026-10-01") != page("v-2", "2026-10-01")


def test_a_pool_knows_how_many_are_left_and_gives_each_once():
    left = pool(taken=[*RANKED, "p-0", "unknown"])
    assert len(left) == 4
    generator = random.Random(3)
    assert {left.draw(generator) for _ in range(4)} == {"p-1", "p-2", "p-3", "p-4"}
    assert not left
