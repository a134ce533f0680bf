"""How far the planner is from the optimum: the linear program's bound on a sample of edges, by HiGHS."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ml.placement.catalogue import FloatArray
from ml.placement.errors import PlacementInputError
from ml.placement.fleet import EdgeTask, choose_titles


@dataclass(frozen=True, kw_only=True)
class Audit:
    """The gap of each audited edge: 1 less the plan's value over the bound, shape [edges]."""

    gap: FloatArray

    @property
    def mean(self) -> float:
        """Mean gap."""
        return float(self.gap.mean())

    @property
    def worst(self) -> float:
        """Largest gap."""
        return float(self.gap.max())


def audit(tasks: Sequence[EdgeTask], size_bytes: FloatArray) -> Audit:
    """Plan each edge and compare with what no plan can exceed.

    Raises:
        PlacementInputError: No edge, or the bound cannot be computed.
    """
    if not tasks:
        raise PlacementInputError("an audit needs at least one edge")
    gaps = [1.0 - choose_titles(task, size_bytes).value / max(bound(task, size_bytes), 1e-9) for task in tasks]
    return Audit(gap=np.array(gaps))


def bound(task: EdgeTask, size_bytes: FloatArray) -> float:
    """Value of the best plan that may cut titles in parts: no plan of whole titles exceeds it.

    Raises:
        PlacementInputError: The solver says why it found no answer.
    """
    from scipy.optimize import linprog  # half a second that only who audits should pay

    # in units of the capacity, so that the solver's tolerances mean something
    share = size_bytes / max(task.capacity_bytes, 1.0)
    rows, limits = [share], [1.0]
    if np.isfinite(task.fill_budget_bytes):
        rows.append(np.where(task.held, 0.0, share))
        limits.append(task.fill_budget_bytes / max(task.capacity_bytes, 1.0))
    scale = max(float(task.value.max()), 1e-9)
    answer = linprog(-task.value / scale, A_ub=np.stack(rows), b_ub=limits, bounds=(0, 1), method="highs")
    if answer.status != 0:
        raise PlacementInputError(f"HiGHS found no bound: {answer.message}")
    return float(-answer.fun * scale)
