"""What is watched where, and by whom.

Recent, decayed popularity by region is the trend part of every score, and the baseline that a model must beat. How
viewers of an age differ from all others is what can be said to somebody who has watched nothing yet.
"""

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

AGE_HALF_LIFE_DAYS = 365.0
AGE_PRIOR_EVENTS = 800.0
"""What an age likes lasts longer than what is watched this week, and its difference from all viewers is small."""

_DAY_S = 86_400.0
_SMALL = 1e-12


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
    decayed = _decayed_liking(interactions, half_life_days)
    everywhere = _shares(interactions, decayed)
    of_regions = _shares_by_group(
        interactions, decayed, interactions.regions, len(interactions.region_ids), everywhere, PRIOR_EVENTS
    )
    return Popularity(region_ids=[ALL_REGIONS, *interactions.region_ids], shares=np.vstack([everywhere, of_regions]))


def measure_age_trend(
    interactions: Interactions, viewer_bands: NDArray[np.integer], band_count: int
) -> NDArray[np.float16]:
    """By how much viewers of each age band differ from all viewers, to be added to a region's ``Popularity.trend``.

    Args:
        interactions: What was watched.
        viewer_bands: [V] the age band of each viewer as a number; -1 where it is unknown.
        band_count: How many bands there are.

    Returns:
        [B, T] the root of a title's share in the band's viewing less that in all viewing, in standard deviations of the
        latter.
    """
    decayed = _decayed_liking(interactions, AGE_HALF_LIFE_DAYS)
    everyone = _shares(interactions, decayed)
    groups = viewer_bands[interactions.viewers]
    of_bands = _shares_by_group(interactions, decayed, groups, band_count, everyone, AGE_PRIOR_EVENTS)
    root = np.sqrt(everyone)
    difference: NDArray[np.float64] = np.sqrt(of_bands) - root
    return (difference / max(float(root.std()), _SMALL)).astype(np.float16)


def _decayed_liking(interactions: Interactions, half_life_days: float) -> NDArray[np.float64]:
    """[E] by how much each event counts."""
    age_days = (interactions.watched_at.max() - interactions.watched_at) / _DAY_S
    liked = (interactions.affinities - LOWEST_AFFINITY) / (HIGHEST_AFFINITY - LOWEST_AFFINITY)
    counts: NDArray[np.float64] = np.exp2(-age_days / half_life_days) * liked * (interactions.weights > 0)
    return counts


def _shares(interactions: Interactions, counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """[T] of all events."""
    per_title = np.bincount(interactions.titles, weights=counts, minlength=len(interactions.title_ids))
    shares: NDArray[np.float64] = per_title / max(per_title.sum(), _SMALL)
    return shares


def _shares_by_group(
    interactions: Interactions,
    counts: NDArray[np.float64],
    groups: NDArray[np.integer],
    group_count: int,
    everywhere: NDArray[np.float64],
    prior_events: float,
) -> NDArray[np.float64]:
    """[G, T] for each group of events, drawn to the shares of all of them; group -1 is none."""
    title_count = len(everywhere)
    known = groups >= 0
    cells = groups[known].astype(np.int64) * title_count + interactions.titles[known]
    flat = np.bincount(cells, weights=counts[known], minlength=group_count * title_count)
    per_title = flat.reshape(group_count, title_count)
    shares: NDArray[np.float64] = per_title + prior_events * everywhere
    return shares / (per_title.sum(axis=1, keepdims=True) + prior_events)
