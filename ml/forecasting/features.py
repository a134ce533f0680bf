"""What the model sees of a region x title pair at an origin, for one horizon.

Everything is computed from a panel that ends at the origin, so no feature can know a later day. The release calendar is
the one thing known ahead: it is the operator's own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ml.forecasting.fallback import Level, expect, learn_level, region_similarity
from ml.forecasting.panel import BoolArray, DemandPanel, FloatArray
from ml.forecasting.season import OLDEST_AGE

BASE_FLOOR = 1e-3
"""Smallest expectation that the model starts from, in sessions."""
WINDOWS = (1, 3, 7, 14, 28)
CATEGORICAL = ("kind", "language", "genre", "season")
LONG_AGO = 99.0


@dataclass(frozen=True, kw_only=True)
class OriginView:
    """A panel at an origin with all that does not depend on the horizon. Arrays have the shape [regions, titles]."""

    panel: DemandPanel
    level: Level
    by_pair: dict[str, FloatArray]

    @property
    def active(self) -> BoolArray:
        """Pairs watched within the longest window, in their own region or, by taste, in others."""
        return (self.by_pair[f"mean_{WINDOWS[-1]}"] > 0) | (self.by_pair["others_7"] > 0)


def view_origin(panel: DemandPanel) -> OriginView:
    """Look back from the end of a panel."""
    level = learn_level(panel)
    regions, titles = panel.values.shape[:2]
    values = panel.values[:, :, panel.observed] if panel.observed.any() else np.zeros((regions, titles, 1))
    by_pair: dict[str, FloatArray] = {}
    for window in WINDOWS:
        recent = values[:, :, -window:]
        by_pair[f"mean_{window}"] = recent.mean(axis=2)
    recent = values[:, :, -WINDOWS[-1] :]
    watched = recent > 0
    by_pair["watched_periods"] = watched.sum(axis=2, dtype=np.float64)
    by_pair["since_last"] = np.where(watched.any(axis=2), watched[:, :, ::-1].argmax(axis=2), LONG_AGO)
    by_pair["peak"] = recent.max(axis=2)
    by_pair["trend"] = np.log((by_pair["mean_3"] + 0.1) / (by_pair["mean_14"] + 0.1))
    weight = region_similarity(by_pair["mean_28"])
    for window in (1, 7):
        mean = by_pair[f"mean_{window}"]
        share = mean / np.maximum(mean.sum(axis=1, keepdims=True), 1e-9)
        by_pair[f"others_{window}"] = (weight @ share) * mean.sum(axis=1, keepdims=True)
    by_pair["regions_watching"] = np.repeat((by_pair["mean_7"] > 0).mean(axis=0)[None], regions, axis=0)
    by_pair["region_total"] = np.repeat(by_pair["mean_7"].sum(axis=1)[:, None], titles, axis=1)
    by_pair["genre_level"] = _genre_level(panel, by_pair["mean_7"])
    by_pair["pooled"] = level.pooled
    by_pair["debut_level"] = level.debut
    return OriginView(panel=panel, level=level, by_pair=by_pair)


def base_expectation(view: OriginView, horizon: int) -> FloatArray:
    """What the fallback expects, shape [regions, titles]: the model's starting point."""
    return expect(view.panel, view.level, horizon)


def feature_names(view: OriginView) -> list[str]:
    """Names of the columns of :func:`feature_matrix`, in order."""
    return ["log_base", "horizon", "season", "age", "kind", "language", "genre", *view.by_pair]


def feature_matrix(view: OriginView, horizon: int, pairs: BoolArray, base: FloatArray) -> FloatArray:
    """Features of the chosen pairs, shape [pairs, features].

    Args:
        view: The origin.
        horizon: Periods ahead, from 1.
        pairs: Which pairs, shape [regions, titles].
        base: :func:`base_expectation` of the same horizon.
    """
    panel = view.panel
    region_index, title_index = np.nonzero(pairs)
    target = panel.periods - 1 + horizon
    age = target - panel.release_period
    age = np.clip(np.where(np.isnan(age), OLDEST_AGE, age), -1, OLDEST_AGE)
    columns = [
        np.log(np.maximum(base[pairs], BASE_FLOOR)),
        np.full(len(region_index), float(horizon)),
        np.full(len(region_index), float(panel.season(target))),
        age[title_index],
        *(panel.category_codes[name][title_index].astype(np.float64) for name in ("kind", "language", "genre")),
        *(values[pairs] for values in view.by_pair.values()),
    ]
    return np.column_stack(columns)


def _genre_level(panel: DemandPanel, mean: FloatArray) -> FloatArray:
    """Mean recent sessions of the titles of the same main genre, in the region."""
    genres = panel.category_codes["genre"]
    count = np.bincount(genres)
    level = np.stack([np.bincount(genres, row, minlength=len(count)) / np.maximum(count, 1) for row in mean])
    return level[:, genres]
