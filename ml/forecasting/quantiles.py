"""Quantiles from the errors on days the model had not seen.

Forecasts are put in narrow bands by size; within a band the ratios ``actual / expected`` give the quantiles. A pair of
which fewer than half the like ones were watched at all so has a median of nothing, whatever its mean.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ml.forecasting.panel import FloatArray, IntArray

QUANTILES = (0.1, 0.5, 0.9)
BAND_STARTS = np.concatenate([[0.0], 0.05 * np.sqrt(2.0) ** np.arange(23)])
SMALLEST_BAND = 200
"""A band with fewer forecasts than this takes those of its neighbours too."""


@dataclass(frozen=True, kw_only=True)
class ErrorBands:
    """Quantiles of actual over expected sessions per band, shape [bands, quantiles]."""

    ratio: FloatArray

    def quantiles(self, expected: FloatArray) -> FloatArray:
        """q10, q50 and q90 of each expectation, shape [n, 3]; never negative, in order."""
        return np.sort(self.ratio[_band_of(expected)] * np.maximum(expected, 0.0)[:, None], axis=1)


def _poisson_like() -> ErrorBands:
    middle = np.append(np.sqrt(BAND_STARTS[1:-1] * BAND_STARTS[2:]), BAND_STARTS[-1])
    middle = np.insert(middle, 0, BAND_STARTS[1] / 2)
    return ErrorBands(ratio=np.maximum(1.0 + np.array([-1.28, -0.1, 1.28]) / np.sqrt(middle)[:, None], 0.0))


POISSON_LIKE = _poisson_like()
"""Without any past error: the normal approximation of a Poisson count."""


def learn_bands(actual: FloatArray, expected: FloatArray, weight: FloatArray) -> ErrorBands:
    """Quantiles of the ratio per band of the expectation; a thin band borrows from its neighbours.

    Args:
        actual: What came, shape [n].
        expected: What had been forecast, shape [n].
        weight: How many pairs each row stands for, shape [n].
    """
    if len(actual) < SMALLEST_BAND:
        return POISSON_LIKE
    ratio = actual / np.maximum(expected, 1e-9)
    band = _band_of(expected)
    rows = []
    for index in range(len(BAND_STARTS)):
        reach = 0
        chosen = band == index
        while chosen.sum() < SMALLEST_BAND:
            reach += 1
            chosen = np.abs(band - index) <= reach
        rows.append(_weighted_quantiles(ratio[chosen], weight[chosen]))
    return ErrorBands(ratio=np.array(rows))


def _band_of(expected: FloatArray) -> IntArray:
    band: IntArray = np.searchsorted(BAND_STARTS, np.maximum(expected, 0.0), "right") - 1
    return band


def _weighted_quantiles(values: FloatArray, weight: FloatArray) -> FloatArray:
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weight[order]) / weight.sum()
    at = np.searchsorted(reached, QUANTILES).clip(max=len(values) - 1)
    quantiles: FloatArray = values[order][at]
    return quantiles
