"""Whether a newly trained model may become the champion. A pure decision: moving the alias is the caller's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.recommender.ranking_metrics import Interval, bootstrap_interval

EPSILON = 0.005
"""How much NDCG@10 a challenger may lose against the champion, at the pessimistic end of the interval."""


@dataclass(frozen=True, kw_only=True)
class GateDecision:
    """Whether to promote, why, and the paired difference it rests on."""

    promote: bool
    reason: str
    compared_with: str
    difference: Interval


def decide(
    challenger: NDArray[np.floating],
    popularity: NDArray[np.floating],
    champion: NDArray[np.floating] | None,
    *,
    seed: int,
    epsilon: float = EPSILON,
) -> GateDecision:
    """Compare by viewer: a challenger must beat popularity, and must not be worse than the champion.

    "Beats" is a positive mean difference whose lower end is above ``-epsilon``; "not worse" is a lower end above
    ``-epsilon``. Both by the paired bootstrap over viewers.

    Args:
        challenger: NDCG@10 by viewer.
        popularity: Of the popularity baseline, for the same viewers.
        champion: Of the champion, for the same viewers, NaN for those on whom it cannot be compared; None while there
            is no champion.
        seed: For the bootstrap.
        epsilon: The tolerated loss.

    Raises:
        ValueError: The arrays are not of the same viewers.
    """
    for other in (popularity, champion):
        if other is not None and len(other) != len(challenger):
            raise ValueError(f"{len(other)} scores cannot be paired with {len(challenger)}: compare the same viewers")
    over_popularity = bootstrap_interval(challenger - popularity, seed=seed)
    if over_popularity.mean <= 0 or over_popularity.low <= -epsilon:
        return _decision(False, "does not beat popularity", "popularity", over_popularity)
    if champion is None:
        return _decision(True, "beats popularity, and there is no champion yet", "popularity", over_popularity)
    differences = challenger - champion
    over_champion = bootstrap_interval(differences[~np.isnan(differences)], seed=seed)
    if over_champion.low <= -epsilon:
        return _decision(False, "may be worse than the champion", "champion", over_champion)
    return _decision(True, "beats popularity and is not worse than the champion", "champion", over_champion)


def _decision(promote: bool, reason: str, compared_with: str, difference: Interval) -> GateDecision:
    return GateDecision(promote=promote, reason=reason, compared_with=compared_with, difference=difference)
