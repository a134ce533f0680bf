"""Quantiles in two parts: the chance that anybody comes, and how many come if somebody does.

Most pairs of region and title are watched on few days, so that the spread of a forecast has a lump at nothing. It is
kept apart (a hurdle model, Mullahy 1986): below the chance of nobody a quantile is 0, above it is taken from the ratios
of actual to expected sessions on watched days that the model had not seen, in narrow bands of the expectation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ml.forecasting.panel import FloatArray, IntArray

QUANTILES = (0.1, 0.5, 0.9)
BAND_STARTS = np.concatenate([[0.0], 0.5 * np.sqrt(2.0) ** np.arange(20)])
SMALLEST_BAND = 200
"""A band with fewer watched days than this takes those of its neighbours too."""
LEVELS = np.linspace(0.0, 1.0, 41)
LEAST_CHANCE = 1e-4


@dataclass(frozen=True, kw_only=True)
class ErrorBands:
    """Ratio of actual to expected sessions on watched days, by band of the expectation and ``LEVELS``."""

    ratio: FloatArray

    def quantiles(self, expected: FloatArray, chance: FloatArray) -> FloatArray:
        """q10, q50 and q90, shape [n, 3]; never negative, in order.

        Args:
            expected: Mean sessions, shape [n].
            chance: Probability of at least one session, shape [n].
        """
        if_watched = _if_watched(expected, chance)
        band = _band_of(if_watched)
        answer = np.zeros((len(expected), len(QUANTILES)))
        for column, level in enumerate(QUANTILES):
            # where in the distribution of watched days the quantile lies, once the lump at nothing is passed
            inside = (level - (1.0 - chance)) / np.maximum(chance, LEAST_CHANCE)
            place = np.clip(inside, 0.0, 1.0) * (len(LEVELS) - 1)
            lower = np.minimum(place.astype(np.int64), len(LEVELS) - 2)
            weight = place - lower
            ratio = (1.0 - weight) * self.ratio[band, lower] + weight * self.ratio[band, lower + 1]
            answer[:, column] = np.where(inside > 0, ratio * if_watched, 0.0)
        return answer


def poisson_quantiles(expected: FloatArray) -> FloatArray:
    """What a Poisson count would have, shape [n, 3]: the spread where nothing was learned from errors."""
    from scipy import stats  # three seconds of importing that only who makes a forecast should pay

    quantiles: FloatArray = stats.poisson.ppf(np.array(QUANTILES)[None, :], np.maximum(expected, 0.0)[:, None])
    return np.maximum(quantiles, 0.0)


def poisson_chance(expected: FloatArray) -> FloatArray:
    """Probability that a Poisson count is not 0."""
    return -np.expm1(-np.maximum(expected, 0.0))


def learn_bands(actual: FloatArray, expected: FloatArray, chance: FloatArray, weight: FloatArray) -> ErrorBands | None:
    """Ratios by band of what was expected if anybody came; a thin band borrows from its neighbours.

    Args:
        actual: What came, shape [n].
        expected: What had been forecast, shape [n].
        chance: Probability that had been forecast for at least one session, shape [n].
        weight: How many pairs each row stands for, shape [n].

    Returns:
        None when there were too few watched days to learn from.
    """
    watched = actual > 0
    if watched.sum() < SMALLEST_BAND:
        return None
    if_watched = _if_watched(expected, chance)[watched]
    ratio, weight = actual[watched] / if_watched, weight[watched]
    band = _band_of(if_watched)
    rows = []
    for index in range(len(BAND_STARTS)):
        reach = 0
        chosen = band == index
        while chosen.sum() < SMALLEST_BAND:
            reach += 1
            chosen = np.abs(band - index) <= reach
        rows.append(_weighted_quantiles(ratio[chosen], weight[chosen]))
    return ErrorBands(ratio=np.array(rows))


def _if_watched(expected: FloatArray, chance: FloatArray) -> FloatArray:
    """Mean sessions of a day on which somebody came."""
    mean: FloatArray = np.maximum(expected, 1e-9) / np.maximum(chance, LEAST_CHANCE)
    return mean


def _band_of(if_watched: FloatArray) -> IntArray:
    band: IntArray = np.searchsorted(BAND_STARTS, if_watched, "right") - 1
    return band


def _weighted_quantiles(values: FloatArray, weight: FloatArray) -> FloatArray:
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weight[order]) / weight.sum()
    at = np.searchsorted(reached, LEVELS).clip(max=len(values) - 1)
    quantiles: FloatArray = values[order][at]
    return quantiles
