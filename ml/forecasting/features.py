"""What the model sees of a region x title pair at an origin, for one horizon.

Everything is computed from a panel that ends at the origin, so no feature can know a later day. The release calendar is
the one thing known ahead: it is the operator's own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from ml.forecasting.fallback import Level, expect, learn_level, region_similarity
from ml.forecasting.kinship import kin_debuts
from ml.forecasting.mentions import mention_features
from ml.forecasting.panel import BoolArray, DemandPanel, FloatArray, IntArray
from ml.forecasting.season import OLDEST_AGE

BASE_FLOOR = 1e-3
"""Smallest expectation that the model starts from, in sessions."""
WINDOWS = (1, 3, 7, 14, 28)
CATEGORICAL = ("kind", "language", "genre", "season")
LONG_AGO = 99.0
LONGEST_LICENCE_LEFT = 60.0
"""In periods: an end further away moves nobody."""


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
    by_pair["regions_last"] = np.repeat((by_pair["mean_1"] > 0).mean(axis=0)[None], regions, axis=0)
    by_pair["turnover"] = _turnover(values, panel.category_codes["kind"])
    by_pair |= _history(panel)
    by_pair["kin_debuts"] = kin_debuts(panel)
    by_pair["pooled"] = level.pooled
    by_pair["debut_level"] = level.debut
    if panel.mentions is not None:
        by_pair |= mention_features(panel.mentions, expect(panel, level, 1))
    return OriginView(panel=panel, level=level, by_pair=by_pair)


def base_expectation(view: OriginView, horizon: int) -> FloatArray:
    """What the fallback expects, shape [regions, titles]: the model's starting point."""
    return expect(view.panel, view.level, horizon)


def feature_names(view: OriginView) -> list[str]:
    """Names of the columns of :func:`feature_matrix`, in order."""
    known_ahead = [
        *(["holiday"] if view.panel.holidays is not None else []),
        *(["licence_left"] if view.panel.ends_licences else []),
    ]
    return [
        *("log_base", "horizon", "season", "age", "kind", "language", "genre", "coming"),
        *known_ahead,
        *view.by_pair,
    ]


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
        _coming(panel, target)[title_index],
        *([panel.is_holiday(target)[region_index].astype(np.float64)] if panel.holidays is not None else []),
        *([_licence_left(panel, target)[title_index]] if panel.ends_licences else []),
        *(values[pairs] for values in view.by_pair.values()),
    ]
    return np.column_stack(columns)


def _genre_level(panel: DemandPanel, mean: FloatArray) -> FloatArray:
    """Mean recent sessions of the titles of the same main genre, in the region."""
    genres = panel.category_codes["genre"]
    count = np.bincount(genres)
    level = np.stack([np.bincount(genres, row, minlength=len(count)) / np.maximum(count, 1) for row in mean])
    return level[:, genres]


def _coming(panel: DemandPanel, target: int) -> FloatArray:
    """How many titles of the same kind come out after the panel's end and by the target, shape [titles]."""
    kinds = panel.category_codes["kind"]
    coming = (panel.release_period >= panel.periods) & (panel.release_period <= target)
    return np.bincount(kinds[coming], minlength=kinds.max(initial=0) + 1).astype(np.float64)[kinds]


def _licence_left(panel: DemandPanel, target: int) -> FloatArray:
    """Periods after the target until a licence ends, shape [titles]; many is many."""
    left: FloatArray = np.minimum(panel.licensed[:, 1] - target, LONGEST_LICENCE_LEFT)
    return left


def _turnover(values: FloatArray, kinds: IntArray) -> FloatArray:
    """Of what a region watched in the last period, the share of titles it had not watched before; by kind."""
    now = values[:, :, -1] > 0
    fresh = now & ~(values[:, :, :-1][:, :, -1:].any(axis=2))
    share = np.zeros(now.shape)
    for kind in np.unique(kinds):
        of_kind = kinds == kind
        rate = fresh[:, of_kind].sum(axis=1) / np.maximum(now[:, of_kind].sum(axis=1), 1)
        share[:, of_kind] = rate[:, None]
    return share


def _history(panel: DemandPanel) -> dict[str, FloatArray]:
    """How long ago a pair was first watched, and what the other titles of its series did in the region."""
    regions, titles = panel.values.shape[:2]
    nothing = np.zeros((regions, titles))
    watched = panel.values > 0
    if panel.periods == 0:
        long_ago = nothing + LONG_AGO
        return {"since_first": long_ago, "series_since": long_ago, "series_peak": nothing, "series_regions": nothing}
    ever = watched.any(axis=2)
    since_first = np.where(ever, panel.periods - 1 - watched.argmax(axis=2), LONG_AGO)
    since_last = np.where(ever, watched[:, :, ::-1].argmax(axis=2), LONG_AGO)
    peak = panel.values.max(axis=2)
    codes = panel.category_codes["series"]
    in_series = codes > 0
    # sums over the series less the title itself
    member = sparse.csr_matrix((in_series.astype(np.float64), (np.arange(titles), codes)))
    others_peak = (member @ (member.T @ peak.T)).T - np.where(in_series, peak, 0.0)
    others_seen = (member @ (member.T @ ever.T.astype(np.float64))).T - np.where(in_series, ever, 0.0)
    latest = np.full((regions, member.shape[1]), LONG_AGO)
    np.minimum.at(latest.T, codes, since_last.T)
    return {
        "since_first": since_first,
        "series_since": np.where(in_series, latest[:, codes], LONG_AGO),
        "series_peak": np.maximum(others_peak, 0.0),
        "series_regions": np.repeat((others_seen > 0).mean(axis=0)[None], regions, axis=0),
    }
