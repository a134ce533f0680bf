"""Recent, decayed popularity by region: the trend part of every score, and the baseline that a model must beat."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.recommender.engagement import HIGHEST_AFFINITY, LOWEST_AFFINITY
from ml.recommender.features import Interactions
from ml.recommender.online import ALL_REGIONS

HALF_LIFE_DAYS = 7.0
PRIOR_EVENTS = 50.0
"""A region's own events count as much as all regions' together once it has this many decayed events."""

_DAY_S = 86_400.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Popularity:
    """Shares of recent viewing.

    Attributes:
        region_ids: [R] the first is ``*``, all regions.
        shares: [R, T] each row adds up to one.
    """

    region_ids: list[str]
    shares: NDArray[np.float64]

    def trend(self) -> NDArray[np.float16]:
        """[R, T] the root of the shares, standardised by row: comparable with the other parts of a score.

        The root keeps apart what is on top, where a list is made; a logarithm would spread the tail instead.
        """
        root = np.sqrt(self.shares)
        spread = root.std(axis=1, keepdims=True)
        centred: NDArray[np.float64] = root - root.mean(axis=1, keepdims=True)
        np.divide(centred, spread, out=centred, where=spread > 0)
        return centred.astype(np.float16)


def measure_popularity(interactions: Interactions, *, half_life_days: float = HALF_LIFE_DAYS) -> Popularity:
    """Share of each title in the viewing of each region, an event counting half after ``half_life_days``.

    An event counts by how the title was liked, from nothing at the lowest affinity to one at the highest: what people
    start and leave is not what to offer next. Bounces do not count at all. Small regions lean on all regions together
    (additive smoothing with ``PRIOR_EVENTS``).
    """
    title_count = len(interactions.title_ids)
    age_days = (interactions.watched_at.max() - interactions.watched_at) / _DAY_S
    liked = (interactions.affinities - LOWEST_AFFINITY) / (HIGHEST_AFFINITY - LOWEST_AFFINITY)
    decayed = np.exp2(-age_days / half_life_days) * liked * (interactions.weights > 0)
    everywhere = np.bincount(interactions.titles, weights=decayed, minlength=title_count)
    everywhere = everywhere / max(everywhere.sum(), 1e-12)
    rows = [everywhere]
    for region in range(len(interactions.region_ids)):
        here = interactions.regions == region
        counts = np.bincount(interactions.titles[here], weights=decayed[here], minlength=title_count)
        rows.append((counts + PRIOR_EVENTS * everywhere) / (counts.sum() + PRIOR_EVENTS))
    return Popularity(region_ids=[ALL_REGIONS, *interactions.region_ids], shares=np.array(rows))
