"""Whole titles on very many edges: each edge a knapsack with a second limit on the bytes of one night.

:mod:`ml.placement.plan` decides blocks for the edges of a region. Where thousands of edges each take titles whole,
this is the planner: the price of new bytes is found by bisection (Lagrangian relaxation, Fisher 1981), and with the
price known greedy by value per byte is within one title of the optimum.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from ml.placement.catalogue import BoolArray, FloatArray
from ml.placement.errors import PlacementInputError

PRICE_STEPS = 24
"""Halvings of the price interval: the last one moves no title any more."""


@dataclass(frozen=True, kw_only=True)
class EdgeTask:
    """What is decided for one edge.

    Attributes:
        value: Expected local bytes of each title, shape [titles].
        held: What stands there now, shape [titles].
        capacity_bytes: Room for placements.
        fill_budget_bytes: Most new bytes of one night; infinite for any number.
    """

    value: FloatArray
    held: BoolArray
    capacity_bytes: float
    fill_budget_bytes: float = float("inf")


@dataclass(frozen=True, kw_only=True)
class EdgeTitles:
    """What one edge should hold.

    Attributes:
        placed: Shape [titles].
        value: Sum over what is placed.
        fill_bytes: New bytes.
        fill_price: What a new byte costs in expected local bytes; 0 when the budget does not bind.
    """

    placed: BoolArray
    value: float
    fill_bytes: float
    fill_price: float


def plan_fleet(tasks: Iterator[EdgeTask], size_bytes: FloatArray) -> Iterator[EdgeTitles]:
    """Decide edge after edge; nothing is kept between them, so that a fleet of any size fits in memory.

    Raises:
        PlacementInputError: A size is not positive.
    """
    if not (size_bytes > 0).all():
        raise PlacementInputError("every title needs a size above 0 bytes")
    for task in tasks:
        yield choose_titles(task, size_bytes)


def choose_titles(task: EdgeTask, size_bytes: FloatArray) -> EdgeTitles:
    """The titles of one edge: highest value per byte within its room and its fill budget."""
    new = ~task.held

    def at_price(price: float) -> BoolArray:
        return _greedy(task.value / size_bytes - price * new, size_bytes, task.capacity_bytes)

    placed, price = at_price(0.0), 0.0
    if size_bytes @ (placed & new) > task.fill_budget_bytes:
        placed, price = _priced(at_price, task, size_bytes)
    placed = _top_up(placed, task, size_bytes)
    return EdgeTitles(
        placed=placed,
        value=float(task.value @ placed),
        fill_bytes=float(size_bytes @ (placed & new)),
        fill_price=price,
    )


def _priced(at_price: Callable[[float], BoolArray], task: EdgeTask, size_bytes: FloatArray) -> tuple[BoolArray, float]:
    """The lowest price of new bytes, to a few digits, at which the budget holds."""
    low, high = 0.0, float((task.value / size_bytes).max())
    within = task.held & at_price(high)
    for _ in range(PRICE_STEPS):
        middle = (low + high) / 2
        placed = at_price(middle)
        if size_bytes @ (placed & ~task.held) > task.fill_budget_bytes:
            low = middle
        else:
            high, within = middle, placed
    return within, high


def _greedy(score: FloatArray, size_bytes: FloatArray, room_bytes: float) -> BoolArray:
    """Titles by score as far as they fit one after the other; none of a score that is not positive."""
    order = np.argsort(-score, kind="stable")
    order = order[: int((score > 0).sum())]
    fits = np.searchsorted(np.cumsum(size_bytes[order]), room_bytes, side="right")
    placed = np.zeros(len(score), dtype=np.bool_)
    placed[order[:fits]] = True
    return placed


def _top_up(placed: BoolArray, task: EdgeTask, size_bytes: FloatArray) -> BoolArray:
    """Fill what the greedy left over with the best titles that still fit the room and the budget."""
    full = placed.copy()
    room = task.capacity_bytes - float(size_bytes @ full)
    budget = task.fill_budget_bytes - float(size_bytes @ (full & ~task.held))
    open_ = ~full & (task.value > 0) & (size_bytes <= room) & (task.held | (size_bytes <= budget))
    candidates = np.nonzero(open_)[0]
    for title in candidates[np.argsort(-task.value[candidates] / size_bytes[candidates], kind="stable")].tolist():
        new_bytes = 0.0 if task.held[title] else float(size_bytes[title])
        if size_bytes[title] <= room and new_bytes <= budget:
            full[title] = True
            room -= float(size_bytes[title])
            budget -= new_bytes
    return full
