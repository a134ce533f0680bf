"""Region and titles agree: what a region as a whole is to have, and what its titles are to have, meet half-way.

The sum of many forecasts carries what they have in common, such as a bias; a region's total, which hardly moves from
week to week, is foretold better by itself. Both are combined with equal weight (Bates and Granger 1969; estimated
weights seldom beat it), and the titles share the difference in proportion to what is expected of them: least squares
with variances that grow with the counts, as those of counts do (Hyndman et al. 2011, weighted by structure). Everything
above is a sum: all regions together, and of a plan its edges.
"""

from __future__ import annotations

import numpy as np

from ml.forecasting.fallback import last_season, open_periods
from ml.forecasting.panel import DemandPanel, FloatArray
from ml.forecasting.season import Movement

TOTALS_WEIGHT = 0.5
"""What the region's own forecast weighs against the sum of its titles."""
LARGEST_RATIO = 3.0
"""Where the two differ by more, one of them rests on next to nothing, and is believed so far."""


def expect_totals(panel: DemandPanel, movement: Movement, horizon: int) -> FloatArray:
    """Sessions of each region as a whole ``horizon`` periods after the panel's end, shape [regions].

    The mean of the last season, moved by season and holidays; of a region that opened within it, of the periods since.
    0 where nothing was seen.
    """
    lately = last_season(panel)
    exposure = (open_periods(panel)[:, lately] * movement.day_factors(panel, lately)).sum(axis=1)
    totals = panel.values[:, :, lately].sum(axis=(1, 2))
    mean = np.divide(totals, exposure, out=np.zeros_like(totals), where=exposure > 0)
    expected: FloatArray = mean * movement.day_factors(panel, [panel.periods - 1 + horizon])[:, 0]
    return expected


def reconcile(expected: FloatArray, totals: FloatArray) -> FloatArray:
    """Titles' forecasts whose sums lie between their own and the regions', shape [regions, titles].

    A region of which either knows nothing is left as it is.

    Args:
        expected: Of every title, shape [regions, titles].
        totals: :func:`expect_totals`.
    """
    sums = expected.sum(axis=1)
    known = (sums > 0) & (totals > 0)
    ratio = np.ones_like(sums)
    np.divide(totals, sums, out=ratio, where=known)
    believed = np.clip(ratio, 1.0 / LARGEST_RATIO, LARGEST_RATIO)
    reconciled: FloatArray = expected * (1.0 + TOTALS_WEIGHT * (believed - 1.0))[:, None]
    return reconciled
