"""Quantiles from the residuals of days the model had not seen.

Forecasts are put in bands by size; within a band the standardised residuals ``(actual - expected) / sqrt(expected)``
give the quantiles. The square root makes one band's residuals comparable when they are counts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ml.forecasting.panel import FloatArray

QUANTILES = (0.1, 0.5, 0.9)
BAND_STARTS = np.array([0.0, 0.05, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 100.0])
SMALLEST_BAND = 200
"""A band with fewer residuals than this takes those of its neighbours too."""


@dataclass(frozen=True, kw_only=True)
class ResidualBands:
    """Standardised residual quantiles per band, shape [bands, quantiles]."""

    standardised: FloatArray

    def quantiles(self, expected: FloatArray) -> FloatArray:
        """q10, q50 and q90 of each expectation, shape [n, 3]; never negative, in order."""
        band = np.searchsorted(BAND_STARTS, expected, "right") - 1
        spread = self.standardised[band] * np.sqrt(np.maximum(expected, 1e-9))[:, None]
        return np.sort(np.maximum(expected[:, None] + spread, 0.0), axis=1)


POISSON_LIKE = ResidualBands(standardised=np.tile(np.array([-1.28, -0.1, 1.28]), (len(BAND_STARTS), 1)))
"""Without any residual: the normal approximation of a Poisson count."""


def learn_bands(actual: FloatArray, expected: FloatArray, weight: FloatArray) -> ResidualBands:
    """Residual quantiles per band of the expectation; a thin band borrows from its neighbours.

    Args:
        actual: What came, shape [n].
        expected: What had been forecast, shape [n].
        weight: How many pairs each row stands for, shape [n].
    """
    if len(actual) < SMALLEST_BAND:
        return POISSON_LIKE
    residual = (actual - expected) / np.sqrt(np.maximum(expected, 1e-9))
    band = np.searchsorted(BAND_STARTS, expected, "right") - 1
    rows = []
    for index in range(len(BAND_STARTS)):
        reach = 0
        chosen = band == index
        while chosen.sum() < SMALLEST_BAND:
            reach += 1
            chosen = np.abs(band - index) <= reach
        rows.append(_weighted_quantiles(residual[chosen], weight[chosen]))
    return ResidualBands(standardised=np.array(rows))


def _weighted_quantiles(values: FloatArray, weight: FloatArray) -> FloatArray:
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weight[order]) / weight.sum()
    at = np.searchsorted(reached, QUANTILES).clip(max=len(values) - 1)
    quantiles: FloatArray = values[order][at]
    return quantiles
