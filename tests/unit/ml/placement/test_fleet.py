import dataclasses

import numpy as np
import pytest

from ml.placement import PlacementInputError, gap, plan
from ml.placement.audit import bound
from ml.placement.fleet import choose_titles
from ml.placement.knapsack import NO_PARENT, Knapsack


def draw(titles: int = 300, seed: int = 1, budget: float = float("inf"), capacity_share: float = 0.1) -> Knapsack:
    rng = np.random.default_rng(seed)
    size = rng.lognormal(0, 0.5, titles) * 1e9
    return Knapsack(
        worth=rng.permutation(np.arange(1, titles + 1) ** -0.8) * size,
        size_bytes=size,
        new_bytes=np.where(rng.random(titles) < 0.1, 0.0, size),
        capacity_bytes=size.sum() * capacity_share,
        fill_budget_bytes=size.sum() * budget,
    )


@pytest.mark.parametrize("budget", [float("inf"), 0.05, 0.01, 0.0])
def test_room_and_budget_hold_and_the_bound_is_near(budget):
    knapsack = draw(budget=budget)
    placed = choose_titles(knapsack)
    assert knapsack.size_bytes @ placed <= knapsack.capacity_bytes
    assert knapsack.fill_bytes(placed) <= knapsack.fill_budget_bytes
    assert 0 <= gap(knapsack, placed) < 0.03


@pytest.mark.parametrize("budget", [float("inf"), 0.02])
def test_many_small_titles_are_within_a_few_per_mille_of_the_bound(budget):
    knapsack = draw(4000, budget=budget)
    assert 0 <= gap(knapsack, choose_titles(knapsack)) < 0.002


def test_the_bound_of_a_hand_made_edge():
    ones = np.ones(3)
    free = Knapsack(
        worth=np.array([6.0, 5.0, 4.0]), size_bytes=ones, new_bytes=np.array([1.0, 1.0, 0.0]), capacity_bytes=2.0
    )
    assert bound(free) == pytest.approx(11.0)
    tight = dataclasses.replace(free, fill_budget_bytes=1.0)
    assert bound(tight) == pytest.approx(10.0)
    assert choose_titles(tight).tolist() == [True, False, True]
    # the first needs the last, which takes room: both, or the two others in their order
    chained = dataclasses.replace(free, parent=np.array([2, NO_PARENT, NO_PARENT]), worth=np.array([6.0, 5.0, 0.0]))
    assert bound(chained) == pytest.approx(8.0)


def test_a_gap_is_what_a_worse_plan_gives_away():
    knapsack = Knapsack(worth=np.array([6.0, 5.0]), size_bytes=np.ones(2), new_bytes=np.ones(2), capacity_bytes=1.0)
    assert gap(knapsack, np.array([True, False])) == pytest.approx(0.0)
    assert gap(knapsack, np.array([False, True])) == pytest.approx(1 / 6)


def test_the_plan_of_blocks_is_near_its_bound_too(objects, demand, rung_mix, edges):
    made = plan(objects, demand, rung_mix, edges, region_id="eu")
    assert [question.edge_id for question in made.questions] == ["e1", "e2"]
    for question, edge in zip(made.questions, made.edges, strict=True):
        assert question.knapsack.size_bytes @ question.placed == edge.placed_bytes
        assert 0 <= gap(question.knapsack, question.placed) < 0.05


def test_more_room_is_worth_more():
    small, large = (choose_titles(draw(capacity_share=share)) for share in (0.05, 0.2))
    assert (small <= large).mean() > 0.98
    assert small.sum() < large.sum()


def test_a_size_of_nothing_is_refused():
    knapsack = draw()
    with pytest.raises(PlacementInputError, match="above 0 bytes"):
        choose_titles(dataclasses.replace(knapsack, size_bytes=knapsack.size_bytes * 0))
