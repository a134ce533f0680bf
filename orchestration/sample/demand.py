"""How much each title is wanted, by region and day, before anyone's own taste.

Three published shapes are kept: viewing falls with the rank in a list about as rank ** -0.8 (hours of Netflix' public
Top-10 lists), a debut loses some 30 % a week until a long tail is left, and regions share hits but not all of them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RANK_EXPONENT = 1.5
RANK_OFFSET = 2.5
"""Zipf-Mandelbrot, steeper than the -0.8 that is to come out: own taste, and what has been seen, flatten the list that
people make. The offset keeps a first-ranked debut from being the only thing that anybody watches."""

WEEKLY_DECAY = 0.7
TAIL_SHARE = 0.15
"""What is left of the debut's demand in the long run."""

GENRE_AFFINITY_SIGMA = 0.45
TITLE_AFFINITY_SIGMA = 0.35
WEEKLY_DRIFT_SIGMA = 0.12
HOME_LANGUAGE_FACTOR = 2.2
SHARED_LANGUAGE_FACTOR = 1.2
FOREIGN_LANGUAGE_FACTOR = 0.6
SHARED_LANGUAGE = "en"
HOME_LANGUAGES = {"SE": "sv", "BR": "pt", "IN": "hi"}


def release_decay(age_days: NDArray[np.int64]) -> NDArray[np.float64]:
    """Demand by age since the release, 1 at the debut and 0 before it."""
    weeks = np.maximum(age_days, 0) / 7
    return np.where(age_days < 0, 0.0, TAIL_SHARE + (1 - TAIL_SHARE) * WEEKLY_DECAY**weeks)


def rank_weights(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    """Weights that fall by a power of the rank, in random order."""
    ranks = np.arange(1, count + 1, dtype=np.float64)
    return rng.permutation(((ranks + RANK_OFFSET) / (1 + RANK_OFFSET)) ** -RANK_EXPONENT)


@dataclass(frozen=True, kw_only=True)
class RegionalDemand:
    """True demand by region, title and day.

    Attributes:
        base: [titles], what a title is worth at its debut everywhere.
        affinity: [regions, titles], what a region makes of it.
        drift: [weeks, titles], word of mouth, week by week from ``first_day``; the last week holds for ever after.
        release_days: [titles], proleptic ordinals of the release dates.
        first_day: Where the drift begins.
    """

    base: NDArray[np.float64]
    affinity: NDArray[np.float64]
    drift: NDArray[np.float64]
    release_days: NDArray[np.int64]
    first_day: dt.date

    def on(self, day: dt.date) -> NDArray[np.float64]:
        """Shares [regions, titles] of a day; each region's add up to 1, and what is not released has none."""
        week = min(max((day - self.first_day).days // 7, 0), len(self.drift) - 1)
        weights = self.base * release_decay(day.toordinal() - self.release_days) * self.drift[week] * self.affinity
        shares: NDArray[np.float64] = weights / weights.sum(axis=1, keepdims=True)
        return shares


def make_regional_demand(
    rng: np.random.Generator,
    *,
    countries: Sequence[str],
    genre_matrix: NDArray[np.float64],
    languages: Sequence[str],
    release_days: NDArray[np.int64],
    first_day: dt.date,
    weeks: int,
) -> RegionalDemand:
    """Draw the demand of a world.

    Args:
        rng: Source of randomness.
        countries: Country code of each region.
        genre_matrix: [titles, genres], shares of a title's genres; rows add up to 1.
        languages: Language of each title.
        release_days: Ordinals of the release dates.
        first_day: Where the drift begins.
        weeks: How many weeks of drift.
    """
    titles, genres = genre_matrix.shape
    by_genre = rng.normal(0.0, GENRE_AFFINITY_SIGMA, (len(countries), genres)) @ genre_matrix.T
    by_title = rng.normal(0.0, TITLE_AFFINITY_SIGMA, (len(countries), titles))
    by_language = np.array([[_language_factor(country, language) for language in languages] for country in countries])
    drift = np.cumsum(rng.normal(0.0, WEEKLY_DRIFT_SIGMA, (weeks, titles)), axis=0)
    return RegionalDemand(
        base=rank_weights(rng, titles),
        affinity=np.exp(by_genre + by_title) * by_language,
        drift=np.exp(drift),
        release_days=release_days,
        first_day=first_day,
    )


def pull_through_hit_shares(
    shares: NDArray[np.float64], requests: NDArray[np.float64], capacity_titles: float
) -> NDArray[np.float64]:
    """How likely an edge that only pulls through holds a title when it is asked for.

    Che's approximation for an LRU cache (Che, Tung, Wang, "Hierarchical Web Caching Systems", IEEE JSAC 2002): a title
    is held when it was asked for within the characteristic time that just fills the cache.

    Args:
        shares: [regions, titles] of demand.
        requests: [regions], how many requests a day; only their being positive matters.
        capacity_titles: Size of the cache in titles.

    Returns:
        [regions, titles], 0 to 1.
    """
    rates = shares * requests[:, None]
    wanted = min(capacity_titles, 0.99 * shares.shape[1])
    low, high = np.zeros(len(rates)), np.full(len(rates), 1e9)
    for _ in range(80):
        middle = np.sqrt((low + 1e-9) * high)
        held = (1 - np.exp(-rates * middle[:, None])).sum(axis=1)
        low, high = np.where(held < wanted, middle, low), np.where(held < wanted, high, middle)
    result: NDArray[np.float64] = 1 - np.exp(-rates * high[:, None])
    return result


def _language_factor(country: str, language: str) -> float:
    if HOME_LANGUAGES.get(country) == language:
        return HOME_LANGUAGE_FACTOR
    return SHARED_LANGUAGE_FACTOR if language == SHARED_LANGUAGE else FOREIGN_LANGUAGE_FACTOR
