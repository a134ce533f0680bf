"""The model: one LightGBM for all regions, titles and horizons, which moves the fallback's expectation.

The objective is Poisson with the logarithm of the fallback as the starting score, so that a tree only says by which
factor to move from it; that holds for a title of ten thousand sessions and for one of a tenth.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ml.forecasting.errors import TooLittleHistory
from ml.forecasting.features import (
    BASE_FLOOR,
    CATEGORICAL,
    OriginView,
    base_expectation,
    feature_matrix,
    feature_names,
    view_origin,
)
from ml.forecasting.panel import BoolArray, DemandPanel, FloatArray
from ml.forecasting.quantiles import ErrorBands, learn_bands

if TYPE_CHECKING:
    import lightgbm as lgb

logger = logging.getLogger(__name__)

MAX_HORIZON = 14


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """How much to train on, and how.

    Attributes:
        horizon: Periods ahead that the model learns to forecast, at most 14.
        min_periods: Fewer periods of history than this, and no model is trained.
        origins: At most so many origins to learn from, the newest first.
        origin_step: Periods between two origins.
        max_rows: Rows are sampled down to about this many, those without any session first.
        rounds: Most boosting rounds; the calibration window ends them sooner.
        leaves: Of a tree.
        min_leaf_rows: Fewest rows of a leaf where there are many rows; a new title fills as many as there are regions.
        seed: Of the sampling and of LightGBM.
        threads: Of LightGBM.
    """

    horizon: int = 7
    min_periods: int = 18
    origins: int = 12
    origin_step: int = 2
    max_rows: int = 100_000
    rounds: int = 160
    leaves: int = 31
    min_leaf_rows: int = 100
    seed: int = 7
    threads: int = 1


DEFAULT_TRAINING = TrainingSettings()


@dataclass(frozen=True, kw_only=True)
class DemandModel:
    """A trained model: pure data beside LightGBM's booster.

    Attributes:
        booster: Predicts the logarithm of the factor on the fallback's expectation.
        bands: Quantiles of the errors in the calibration window.
        horizon: Largest horizon it was trained for.
        trained_rows: Rows that were trained on after sampling.
        rounds: Boosting rounds kept.
        importance: Gain per feature, as shares.
    """

    booster: lgb.Booster
    bands: ErrorBands
    horizon: int
    trained_rows: int
    rounds: int
    importance: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class _Rows:
    features: FloatArray
    base: FloatArray
    actual: FloatArray
    weight: FloatArray


def train(panel: DemandPanel, settings: TrainingSettings = DEFAULT_TRAINING) -> DemandModel:
    """Train on all origins of a panel whose future is known.

    The newest origins, whose targets no other origin has, are held out first: they stop the boosting and give the
    residuals of the quantiles. Then the model is trained on all origins with the number of rounds found.

    Raises:
        TooLittleHistory: The panel is shorter than ``settings.min_periods`` or holds no session.
    """
    if not 1 <= settings.horizon <= MAX_HORIZON:
        raise ValueError(f"horizon is {settings.horizon}; the model forecasts 1 to {MAX_HORIZON} periods")
    if panel.periods < settings.min_periods or not panel.observed.any():
        raise TooLittleHistory(
            f"{panel.periods} complete periods of history, {settings.min_periods} are needed to train; use the fallback"
        )
    rng = np.random.default_rng(settings.seed)
    held_out = min(settings.horizon, max(1, (panel.periods - settings.min_periods // 2) // 3))
    calibration_start = panel.periods - held_out
    older = list(_origin_lengths(calibration_start, settings))
    newest = sorted({calibration_start, calibration_start + held_out // 2})
    rows = _concatenate([_rows_of(panel, length, calibration_start, settings, rng) for length in older])
    fresh = _concatenate([_rows_of(panel, length, panel.periods, settings, rng) for length in newest])
    names = feature_names(view_origin(panel.until(calibration_start)))
    trial = _boost(rows, names, settings, settings.rounds, fresh)
    rounds = max(trial.best_iteration, 1)
    bands = learn_bands(fresh.actual, _predict(trial, fresh.features, fresh.base), fresh.weight)
    everything = _concatenate([rows, fresh])
    booster = _boost(everything, names, settings, rounds, None)
    gain = booster.feature_importance("gain")
    importance = dict(zip(names, (gain / max(gain.sum(), 1e-9)).tolist(), strict=True))
    return DemandModel(
        booster=booster,
        bands=bands,
        horizon=settings.horizon,
        trained_rows=len(everything.actual),
        rounds=rounds,
        importance=importance,
    )


def predict(model: DemandModel, view: OriginView, horizon: int) -> FloatArray:
    """Expected sessions ``horizon`` periods after the view's origin, shape [regions, titles]; 0 before release.

    Horizons beyond the one trained for are asked as that one, moved by the fallback's season and decay.
    """
    base = base_expectation(view, horizon)
    released = base > 0
    expected = np.zeros_like(base)
    if released.any():
        matrix = feature_matrix(view, horizon, released, base)
        matrix[:, 1] = min(horizon, model.horizon)
        expected[released] = _predict(model.booster, matrix, base[released])
    return expected


def _origin_lengths(last_target: int, settings: TrainingSettings) -> Iterator[int]:
    """Lengths of history at the training origins, newest first; each has at least one target before ``last_target``."""
    shortest = max(settings.min_periods // 2, 1)
    length = last_target - 1
    for _ in range(settings.origins):
        if length < shortest:
            return
        yield length
        length -= settings.origin_step


def _rows_of(panel: DemandPanel, length: int, end: int, settings: TrainingSettings, rng: np.random.Generator) -> _Rows:
    """Rows of one origin for every horizon whose target lies before ``end``, sampled."""
    view = view_origin(panel.until(length))
    horizons = [
        horizon
        for horizon in range(1, settings.horizon + 1)
        if length - 1 + horizon < end and panel.observed[length - 1 + horizon]
    ]
    quota = settings.max_rows / settings.origins / max(len(horizons), 1)
    parts = []
    for horizon in horizons:
        base = base_expectation(view, horizon)
        actual = panel.values[:, :, length - 1 + horizon]
        candidates = base > 0
        telling = candidates & ((actual > 0) | (view.by_pair["mean_7"] > 0) | (base > 10 * BASE_FLOOR))
        keep, weight = _sample(candidates, telling, quota, rng)
        parts.append(
            _Rows(
                features=feature_matrix(view, horizon, keep, base),
                base=base[keep],
                actual=actual[keep],
                weight=weight[keep],
            )
        )
    return _concatenate(parts)


def _sample(
    candidates: BoolArray, telling: BoolArray, quota: float, rng: np.random.Generator
) -> tuple[BoolArray, FloatArray]:
    """Keep telling rows as far as the quota goes and a share of the others, weighted so that sums stay true."""
    chance = np.zeros(candidates.shape)
    chance[telling] = min(1.0, 0.8 * quota / max(telling.sum(), 1))
    quiet = candidates & ~telling
    chance[quiet] = min(1.0, 0.2 * quota / max(quiet.sum(), 1))
    keep = rng.random(candidates.shape) < chance
    return keep, np.where(keep, 1.0 / np.maximum(chance, 1e-9), 0.0)


def _boost(
    rows: _Rows, names: list[str], settings: TrainingSettings, rounds: int, validation: _Rows | None
) -> lgb.Booster:
    import lightgbm as lgb  # seconds of CPU that only who trains should pay

    categorical = [name for name in CATEGORICAL if name in names]
    data = lgb.Dataset(
        rows.features,
        rows.actual,
        weight=rows.weight,
        init_score=np.log(np.maximum(rows.base, BASE_FLOOR)),
        feature_name=names,
        categorical_feature=categorical,
        free_raw_data=True,
    )
    parameters = {
        "objective": "poisson",
        "learning_rate": 0.08,
        "num_leaves": settings.leaves,
        "min_data_in_leaf": min(settings.min_leaf_rows, max(5, len(rows.actual) // 50)),
        "feature_fraction": 0.8,
        "bagging_fraction": 0.8,
        "bagging_freq": 1,
        "lambda_l2": 1.0,
        "cat_smooth": 50.0,
        "max_bin": 127,
        "num_threads": settings.threads,
        "seed": settings.seed,
        "deterministic": True,
        "force_row_wise": True,
        "verbose": -1,
    }
    if validation is None:
        return lgb.train(parameters, data, rounds)
    watch = lgb.Dataset(
        validation.features,
        validation.actual,
        weight=validation.weight,
        init_score=np.log(np.maximum(validation.base, BASE_FLOOR)),
        reference=data,
    )
    return lgb.train(parameters, data, rounds, valid_sets=[watch], callbacks=[lgb.early_stopping(25, verbose=False)])


def _predict(booster: lgb.Booster, features: FloatArray, base: FloatArray) -> FloatArray:
    factor = np.asarray(booster.predict(features, raw_score=True, num_threads=1))
    expected: FloatArray = np.exp(np.clip(factor, -6.0, 4.0)) * np.maximum(base, BASE_FLOOR)
    return expected


def _concatenate(parts: list[_Rows]) -> _Rows:
    if not parts:
        raise TooLittleHistory("no origin has a target that was observed; use the fallback")
    return _Rows(
        features=np.concatenate([part.features for part in parts]),
        base=np.concatenate([part.base for part in parts]),
        actual=np.concatenate([part.actual for part in parts]),
        weight=np.concatenate([part.weight for part in parts]),
    )
