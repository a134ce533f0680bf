"""Whole titles on very many edges: each edge a knapsack with a second limit on the bytes of one night.

:mod:`ml.placement.plan` decides blocks for the edges of a region. Where thousands of edges each take titles whole, this
is the planner. Greedy by worth per byte is within one title of the optimum of one limit (Dantzig). When the budget of
new bytes binds too, the multiplier of Lagrange on it lowers all new titles alike: their order among themselves stays,
and so does that of the titles that stand there already. So new titles are taken from the best on until the budget is
spent, and titles that stand there from the best on into the room that is left.
"""

from __future__ import annotations

import numpy as np

from ml.placement.catalogue import BoolArray, FloatArray, IntArray
from ml.placement.errors import PlacementInputError
from ml.placement.knapsack import Knapsack


def choose_titles(knapsack: Knapsack) -> BoolArray:
    """The titles of one edge: highest worth per byte within its room and its budget of new bytes.

    Raises:
        PlacementInputError: A size is not positive.
    """
    size = knapsack.size_bytes
    if not (size > 0).all():
        raise PlacementInputError("every title needs a size above 0 bytes")
    order = np.argsort(-knapsack.worth / size, kind="stable")
    order = order[: int((knapsack.worth > 0).sum())]
    placed = np.zeros(len(size), dtype=np.bool_)
    placed[_fitting(order, size, knapsack.capacity_bytes)] = True
    if knapsack.fill_bytes(placed) > knapsack.fill_budget_bytes:
        is_new = knapsack.new_bytes[order] > 0
        placed[:] = False
        placed[_fitting(order[is_new], size, min(knapsack.fill_budget_bytes, knapsack.capacity_bytes))] = True
        placed[_fitting(order[~is_new], size, knapsack.capacity_bytes - float(size @ placed))] = True
    _top_up(placed, order, knapsack)
    return placed


def _fitting(order: IntArray, size_bytes: FloatArray, room_bytes: float) -> IntArray:
    """The first titles of an order, as far as they fit one after the other."""
    return order[: np.searchsorted(np.cumsum(size_bytes[order]), room_bytes, side="right")]


def _top_up(placed: BoolArray, order: IntArray, knapsack: Knapsack) -> None:
    """Fill what the greedy left over with the best titles that still fit the room and the budget."""
    size, new = knapsack.size_bytes, knapsack.new_bytes
    room = knapsack.capacity_bytes - float(size @ placed)
    budget = knapsack.fill_budget_bytes - knapsack.fill_bytes(placed)
    fits = ~placed[order] & (size[order] <= room) & (new[order] <= budget)
    for title in order[fits].tolist():
        if size[title] <= room and new[title] <= budget:
            placed[title] = True
            room -= float(size[title])
            budget -= float(new[title])
