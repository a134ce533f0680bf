"""The question that every planner here answers for one edge: which units, of this worth and size, fit its room.

A second limit holds the new bytes of one fill, and a unit may need another one to be placed before it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ml.placement.catalogue import BoolArray, FloatArray, IntArray

NO_PARENT = -1


@dataclass(frozen=True, kw_only=True)
class Knapsack:
    """What is decided for one edge. Arrays have the shape [units].

    Attributes:
        worth: What each unit is worth on this edge.
        size_bytes: Size of each.
        new_bytes: Of it, what the edge does not hold yet.
        capacity_bytes: Room for placements.
        fill_budget_bytes: Most new bytes of one fill; infinite for any number.
        parent: Index of the unit that must be placed before, ``NO_PARENT`` for none; None where no unit needs another.
    """

    worth: FloatArray
    size_bytes: FloatArray
    new_bytes: FloatArray
    capacity_bytes: float
    fill_budget_bytes: float = float("inf")
    parent: IntArray | None = None

    def worth_of(self, placed: BoolArray) -> float:
        """Sum over what is placed."""
        return float(self.worth @ placed)

    def fill_bytes(self, placed: BoolArray) -> float:
        """New bytes of what is placed."""
        return float(self.new_bytes @ placed)

    def subset(self, chosen: BoolArray) -> Knapsack:
        """Only some units; one whose parent is left out needs none any more."""
        place = np.cumsum(chosen) - 1
        parent = None
        if self.parent is not None:
            needs = (self.parent != NO_PARENT) & chosen[self.parent]
            parent = np.where(needs, place[self.parent], NO_PARENT)[chosen]
        return Knapsack(
            worth=self.worth[chosen],
            size_bytes=self.size_bytes[chosen],
            new_bytes=self.new_bytes[chosen],
            capacity_bytes=self.capacity_bytes,
            fill_budget_bytes=self.fill_budget_bytes,
            parent=parent,
        )
