"""What the one error of a back-test hides: whose errors they are, and how often quantiles keep what they promise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from ml.forecasting.panel import FloatArray, IntArray
from ml.forecasting.quantiles import QUANTILES

REGION, AGE, SIZE, SUMS = "region", "age", "sessions a day", "sums of"
"""What slices are made by: the last tells how far errors cancel out where titles are summed up."""
AGES = ("comes out", "first week", "first month", "older")
AGE_STARTS = np.array([1, 7, 28])
"""Days between release and origin from which the later names hold; what comes out on the first forecast day is new."""
SIZES = ("none lately", "below 1", "1 to 10", "10 and more")
SIZE_STARTS = np.array([1e-9, 1.0, 10.0])
SLICES_SCHEMA = {
    "method": pl.String,
    "by": pl.String,
    "slice": pl.String,
    "wape_total": pl.Float64,
    "bias": pl.Float64,
    "sessions": pl.Float64,
}
CALIBRATION_SCHEMA = {
    "horizon": pl.Int64,
    "quantile": pl.Float64,
    "below": pl.Float64,
    "at_or_below": pl.Float64,
    "rows": pl.Int64,
}


def age_class(age_days: FloatArray) -> IntArray:
    """Index into ``AGES`` of titles by their age at an origin; one without a release date is an old one."""
    known = np.where(np.isnan(age_days), np.inf, age_days)
    return np.searchsorted(AGE_STARTS, known, "right").astype(np.int64)


def size_class(sessions_a_day: FloatArray) -> IntArray:
    """Index into ``SIZES`` of pairs by what they had lately."""
    return np.searchsorted(SIZE_STARTS, sessions_a_day, "right").astype(np.int64)


class SliceErrors:
    """Errors of the sums over the horizon, by slice, of any number of methods and origins."""

    def __init__(self, regions: Sequence[str]) -> None:
        self._regions = tuple(regions)
        self._sums: dict[tuple[str, str, str], FloatArray] = {}

    def add(self, actual: FloatArray, expected: Mapping[str, FloatArray], ages: IntArray, sizes: IntArray) -> None:
        """One origin.

        Args:
            actual: What came, shape [regions, titles].
            expected: What each method had forecast, likewise.
            ages: :func:`age_class` of the titles, shape [titles].
            sizes: :func:`size_class` of the pairs, shape [regions, titles].
        """
        rows = np.repeat(np.arange(len(self._regions))[:, None], actual.shape[1], axis=1)
        by = {
            REGION: (self._regions, rows),
            AGE: (AGES, np.broadcast_to(ages[None], actual.shape)),
            SIZE: (SIZES, sizes),
        }
        for method, foretold in expected.items():
            for kind, (names, codes) in by.items():
                for code, name in enumerate(names):
                    chosen = codes == code
                    self._count(method, kind, name, actual[chosen], foretold[chosen])
            self._count(method, SUMS, "a region", actual.sum(axis=1), foretold.sum(axis=1))
            self._count(method, SUMS, "all regions", actual.sum(keepdims=True), foretold.sum(keepdims=True))

    def table(self) -> pl.DataFrame:
        """Columns of ``SLICES_SCHEMA``; slices that nobody watched are left out."""
        rows = [
            (*key, error / actual, expected / actual - 1.0, actual)
            for key, (error, actual, expected) in self._sums.items()
            if actual > 0
        ]
        return pl.DataFrame(rows, schema=SLICES_SCHEMA, orient="row")

    def _count(self, method: str, by: str, name: str, actual: FloatArray, expected: FloatArray) -> None:
        sums = np.array([np.abs(actual - expected).sum(), actual.sum(), expected.sum()])
        key = (method, by, name)
        self._sums[key] = self._sums.get(key, np.zeros(3)) + sums


class QuantileCounts:
    """How many actual sessions lay below each quantile and at it, by horizon; horizon 0 is all of them."""

    def __init__(self, horizon: int) -> None:
        self._below = np.zeros((horizon + 1, len(QUANTILES)))
        self._at_or_below = np.zeros_like(self._below)
        self._rows = np.zeros(horizon + 1, dtype=np.int64)

    def add(self, horizon: int, actual: FloatArray, quantiles: FloatArray) -> None:
        """Rows of one horizon: sessions of shape [n] and their quantiles of shape [n, 3]."""
        for place in (0, horizon):
            self._below[place] += (actual[:, None] < quantiles).sum(axis=0)
            self._at_or_below[place] += (actual[:, None] <= quantiles).sum(axis=0)
            self._rows[place] += len(actual)

    def coverage(self, horizon: int) -> float:
        """Share of rows between the lowest and the highest quantile, both included; NaN without rows."""
        if not self._rows[horizon]:
            return float("nan")
        return float((self._at_or_below[horizon, -1] - self._below[horizon, 0]) / self._rows[horizon])

    def table(self) -> pl.DataFrame:
        """Columns of ``CALIBRATION_SCHEMA``.

        Sessions are whole numbers, so that a quantile keeps its promise when its level lies between ``below`` and
        ``at_or_below``.
        """
        rows = [
            (horizon, level, self._below[horizon, index] / count, self._at_or_below[horizon, index] / count, count)
            for horizon, count in enumerate(self._rows.tolist())
            if count
            for index, level in enumerate(QUANTILES)
        ]
        return pl.DataFrame(rows, schema=CALIBRATION_SCHEMA, orient="row")
