"""How good a ranking is, and how sure that can be known: NDCG, hits, coverage and the bootstrap."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BOOTSTRAP_REPETITIONS = 1000


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A mean with its 95 % bootstrap interval."""

    mean: float
    low: float
    high: float


def gain_at(rank: NDArray[np.integer] | int, cut: int = 10) -> NDArray[np.float64]:
    """NDCG of a list with a single relevant title at ``rank`` (0 is first; negative is not listed)."""
    rank = np.asarray(rank)
    return np.where((rank >= 0) & (rank < cut), 1.0 / np.log2(np.maximum(rank, 0) + 2.0), 0.0)


def bootstrap_interval(values: NDArray[np.floating], *, seed: int) -> Interval:
    """Mean over viewers with a percentile bootstrap; on differences per viewer it is the paired bootstrap.

    Raises:
        ValueError: There are no values.
    """
    if not len(values):
        raise ValueError("no viewers to average over")
    rng = np.random.default_rng(seed)
    size = len(values)
    means = [float(values[rng.integers(0, size, size)].mean()) for _ in range(BOOTSTRAP_REPETITIONS)]
    low, high = np.quantile(means, [0.025, 0.975])
    return Interval(mean=float(values.mean()), low=float(low), high=float(high))
