"""How far a planner is from the optimum: the linear program's bound for one edge, by HiGHS."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ml.placement.catalogue import BoolArray
from ml.placement.errors import PlacementInputError
from ml.placement.knapsack import NO_PARENT, Knapsack

if TYPE_CHECKING:
    from scipy import sparse


def gap(knapsack: Knapsack, placed: BoolArray) -> float:
    """How much less a plan is worth than the bound, as a share of the bound; 0 where nothing is worth anything.

    Raises:
        PlacementInputError: The solver found no bound.
    """
    most = bound(knapsack)
    return 1.0 - knapsack.worth_of(placed) / most if most > 0 else 0.0


def bound(knapsack: Knapsack) -> float:
    """Worth of the best plan that may cut units in parts: no plan of whole units exceeds it.

    Raises:
        PlacementInputError: The solver says why it found no answer.
    """
    # a second of importing that only who audits should pay
    from scipy import sparse
    from scipy.optimize import linprog

    # in units of the capacity and of the largest worth, so that the solver's tolerances mean something
    capacity = max(knapsack.capacity_bytes, 1.0)
    scale = float(knapsack.worth.max(initial=0.0))
    if scale <= 0:
        return 0.0
    rows, limits = [knapsack.size_bytes / capacity], [knapsack.capacity_bytes / capacity]
    if np.isfinite(knapsack.fill_budget_bytes):
        rows.append(knapsack.new_bytes / capacity)
        limits.append(knapsack.fill_budget_bytes / capacity)
    order = _before(knapsack)
    answer = linprog(
        -knapsack.worth / scale,
        A_ub=sparse.vstack([sparse.csr_matrix(np.stack(rows)), order]),
        b_ub=np.concatenate([limits, np.zeros(order.shape[0])]),
        bounds=(0, 1),
        method="highs",
    )
    if answer.status != 0:
        raise PlacementInputError(f"HiGHS found no bound: {answer.message}")
    return float(-answer.fun * scale)


def _before(knapsack: Knapsack) -> sparse.csr_matrix:
    """One row a unit that needs another: its share placed less the other's must not exceed 0."""
    from scipy import sparse

    count = len(knapsack.worth)
    child = np.nonzero(knapsack.parent != NO_PARENT)[0] if knapsack.parent is not None else np.zeros(0, dtype=np.int64)
    parent = knapsack.parent[child] if knapsack.parent is not None else child
    row = np.arange(len(child))
    return sparse.csr_matrix(
        (np.repeat([1.0, -1.0], len(child)), (np.tile(row, 2), np.concatenate([child, parent]))),
        shape=(len(child), count),
    )
