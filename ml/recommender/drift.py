"""Whether what is watched still looks like what the champion learnt from: the population stability index.

PSI = sum over bins of (now - before) * ln(now / before), of shares; below 0.1 nothing moved, above 0.25 something did
(Siddiqi 2006, "Credit Risk Scorecards", chapter 10). It guards against a broken source, which a held-out part of the
same source cannot show; so it looks at what should stay: where, how much of it and how popular, not at which titles.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ml.recommender.features import Interactions

ViewingProfile = dict[str, dict[str, int]]
"""By feature the number of events in each bin."""

PROFILED_DAYS = 28.0
FEWEST_EVENTS = 200
"""With fewer, the index is mostly noise: of B bins it is B times the sum of one over the numbers of events."""

LIKING_BINS = (1.5, 2.5, 3.5, 4.5)
POPULARITY_BINS = (0.01, 0.05, 0.2, 0.5)

_DAY_S = 86_400.0
_EMPTY_SHARE = 1e-3
"""A bin without events counts as so much, or one event in an empty bin would be infinitely far."""


def profile_of(interactions: Interactions) -> ViewingProfile:
    """How the newest viewing is spread over regions, over how it was liked, and over popular and rare titles."""
    newest = interactions.watched_at > interactions.watched_at.max() - PROFILED_DAYS * _DAY_S
    titles = interactions.titles[newest]
    watched = np.bincount(titles, minlength=len(interactions.title_ids))
    place = np.empty(len(watched), np.int64)
    place[np.argsort(-watched, kind="stable")] = np.arange(len(watched))
    share_ahead = place[titles] / max(len(watched), 1)
    regions = np.bincount(interactions.regions[newest], minlength=len(interactions.region_ids))
    return {
        "region": dict(zip(interactions.region_ids, regions.tolist(), strict=True)),
        "liking": _binned(interactions.affinities[newest], LIKING_BINS),
        "popularity": _binned(share_ahead, POPULARITY_BINS),
    }


def drift(before: ViewingProfile, now: ViewingProfile) -> dict[str, float]:
    """The index of every feature that both profiles have enough events of."""
    return {
        name: stability_index(before[name], now[name])
        for name in sorted(before.keys() & now.keys())
        if min(sum(before[name].values()), sum(now[name].values())) >= FEWEST_EVENTS
    }


def stability_index(before: Mapping[str, int], now: Mapping[str, int]) -> float:
    """The population stability index between two countings of the same bins."""
    bins = sorted(before.keys() | now.keys())
    earlier, later = (_shares([counts.get(name, 0) for name in bins]) for counts in (before, now))
    return float(((later - earlier) * np.log(later / earlier)).sum())


def _binned(values: np.ndarray, edges: tuple[float, ...]) -> dict[str, int]:
    counts = np.bincount(np.digitize(values, edges), minlength=len(edges) + 1).tolist()
    names = [*(f"below {edge:g}" for edge in edges), f"{edges[-1]:g} and above"]
    return dict(zip(names, counts, strict=True))


def _shares(counts: list[int]) -> np.ndarray:
    shares: np.ndarray = np.maximum(np.array(counts) / max(sum(counts), 1), _EMPTY_SHARE)
    return shares
