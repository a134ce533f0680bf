import dataclasses

import numpy as np
import pytest

from ml.placement import PlacementInputError
from ml.placement.audit import audit, bound
from ml.placement.fleet import EdgeTask, choose_titles, plan_fleet


def task_of(titles: int = 300, seed: int = 1, budget: float = float("inf"), capacity_share: float = 0.1):
    rng = np.random.default_rng(seed)
    size = rng.lognormal(0, 0.5, titles) * 1e9
    value = rng.permutation(np.arange(1, titles + 1) ** -0.8) * size
    held = rng.random(titles) < 0.1
    return EdgeTask(
        value=value, held=held, capacity_bytes=size.sum() * capacity_share, fill_budget_bytes=size.sum() * budget
    ), size


@pytest.mark.parametrize("budget", [float("inf"), 0.05, 0.01, 0.0])
def test_room_and_budget_hold_and_the_bound_is_near(budget):
    task, size = task_of(budget=budget)
    made = choose_titles(task, size)
    assert size @ made.placed <= task.capacity_bytes
    assert made.fill_bytes <= task.fill_budget_bytes
    assert 0.97 * bound(task, size) < made.value <= bound(task, size) * (1 + 1e-9)
    free = choose_titles(dataclasses.replace(task, fill_budget_bytes=float("inf")), size)
    assert (made.fill_price > 0) == (free.fill_bytes > task.fill_budget_bytes)


def test_many_small_titles_are_within_a_few_per_mille_of_the_bound():
    tasks = [task_of(4000, seed, budget)[0] for seed, budget in ((1, float("inf")), (1, 0.02))]
    _, size = task_of(4000, 1)
    assert 0 <= audit(tasks, size).worst < 0.002


def test_the_bound_of_a_hand_made_edge():
    task = EdgeTask(value=np.array([6.0, 5.0, 4.0]), held=np.array([False, False, True]), capacity_bytes=2.0)
    size = np.array([1.0, 1.0, 1.0])
    assert bound(task, size) == pytest.approx(11.0)
    tight = EdgeTask(value=task.value, held=task.held, capacity_bytes=2.0, fill_budget_bytes=1.0)
    assert bound(tight, size) == pytest.approx(10.0)
    assert choose_titles(tight, size).placed.tolist() == [True, False, True]


def test_a_fleet_is_planned_edge_by_edge():
    pairs = [task_of(seed=1, capacity_share=share)[0] for share in (0.05, 0.2)]
    _, size = task_of(seed=1)
    small, large = plan_fleet(iter(pairs), size)
    assert small.value < large.value
    assert (small.placed <= large.placed).mean() > 0.98


def test_nonsense_is_refused():
    task, size = task_of()
    with pytest.raises(PlacementInputError, match="above 0 bytes"):
        next(plan_fleet(iter([task]), size * 0))
    with pytest.raises(PlacementInputError, match="at least one edge"):
        audit([], size)
