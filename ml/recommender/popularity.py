"""What is watched where, and by whom.

Recent, decayed popularity by region is the trend part of every score, and the baseline that a model must beat. How
viewers of an age, or those who picked a genre, differ from all others is what can be said to somebody who has watched
nothing yet.
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

GROUP_HALF_LIFE_DAYS = 365.0
GROUP_PRIOR_EVENTS = 800.0
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


def measure_group_trend(
    interactions: Interactions, memberships: NDArray[np.uint64], group_count: int
) -> NDArray[np.float16]:
    """By how much each group of viewers differs from all of them, to be added to a region's ``Popularity.trend``.

    Args:
        interactions: What was watched.
        memberships: [V] bit ``g`` is set where a viewer belongs to group ``g``; groups may overlap.
        group_count: How many groups there are.

    Returns:
        [G, T] the root of a title's share in the group's viewing less that in all viewing, in standard deviations of
        the latter: of what there is over titles, and no less than chance alone would make.
    """
    decayed = _decayed_liking(interactions, GROUP_HALF_LIFE_DAYS)
    everyone = _shares(interactions, decayed)
    root = np.sqrt(everyone)
    # the root of a count strays by 1/2 whatever the count: titles that are alike must not make a unit of nothing
    by_chance = 0.5 / np.sqrt(max(decayed.sum(), 1.0))
    unit = 1.0 / max(float(root.std()), by_chance)
    trend = np.zeros((group_count, len(everyone)), np.float16)
    for group in range(group_count):
        is_member = (memberships >> np.uint64(group) & np.uint64(1)).astype(bool)
        of_group = np.where(is_member[interactions.viewers], 0, -1)
        (shares,) = _shares_by_group(interactions, decayed, of_group, 1, everyone, GROUP_PRIOR_EVENTS)
        trend[group] = (np.sqrt(shares) - root) * unit
    return trend


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
