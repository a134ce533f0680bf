"""The model: LightGBM for all regions, titles and horizons at once, in two parts on the same rows.

One moves the fallback's expectation: its objective is Poisson with the logarithm of the fallback as the starting score,
so that a tree only says by which factor to move from it; that holds for a title of ten thousand sessions and for one of
a tenth. The other gives the chance that a title is watched at all, by which titles that are seldom watched rank better
than by their mean, which a few large ones rule.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from ml.forecasting.errors import TooLittleHistory
from ml.forecasting.fallback import Level, expect
from ml.forecasting.features import (
    BASE_FLOOR,
    CATEGORICAL,
    OriginView,
    base_expectation,
    feature_matrix,
    feature_names,
    view_origin,
)
from ml.forecasting.panel import MAX_HORIZON, BoolArray, DemandPanel, FloatArray
from ml.forecasting.quantiles import QUANTILES, ErrorBands, learn_bands, poisson_chance, poisson_quantiles
from ml.forecasting.reconcile import expect_totals, reconcile

if TYPE_CHECKING:
    import lightgbm as lgb

logger = logging.getLogger(__name__)

LIKELY_SESSIONS = 0.01
"""A pair that the fallback expects more of tells something even when nobody came."""
SAMPLE_SHARES = (0.5, 0.35, 0.15)
"""Of the rows that are trained on: pairs that were watched, likely ones that were not, all others."""


IMPORTANCE_SCHEMA = {"feature": pl.String, "sessions": pl.Float64, "chance": pl.Float64}


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
        members: Trainings that differ in their draws alone; their mean is the forecast, which moves less by chance.
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
    members: int = 1
    seed: int = 7
    threads: int = 1


DEFAULT_TRAINING = TrainingSettings()


@dataclass(frozen=True, kw_only=True)
class DemandModel:
    """A trained model: pure data beside LightGBM's booster.

    Attributes:
        boosters: Each predicts the logarithm of the factor on the fallback's expectation; the mean of theirs counts.
        chance_boosters: Each predicts the probability of at least one session; likewise.
        bands: Errors in the calibration window; None when too little was watched there.
        horizon: Largest horizon it was trained for.
        trained_rows: Rows that were trained on after sampling.
        importance: What each feature gained in either part: feature, sessions, chance, as shares that add up to 1.
    """

    boosters: tuple[lgb.Booster, ...]
    chance_boosters: tuple[lgb.Booster, ...]
    bands: ErrorBands | None
    horizon: int
    trained_rows: int
    importance: pl.DataFrame


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """What is expected of every pair in one period, arrays of shape [regions, titles].

    Attributes:
        expected: Mean sessions; 0 before release.
        chance: Probability of at least one session.
        quantiles: q10, q50 and q90, shape [regions, titles, 3].
    """

    expected: FloatArray
    chance: FloatArray
    quantiles: FloatArray


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
    members = [replace(settings, seed=settings.seed + member) for member in range(settings.members)]
    trials = [_boost(rows, names, member, member.rounds, fresh) for member in members]
    chance_trials = [_boost_chance(rows, names, member, member.rounds, fresh) for member in members]
    bands = learn_bands(
        fresh.actual,
        _predict(trials, fresh.features, fresh.base),
        _predict_chance(chance_trials, fresh.features),
        fresh.weight,
    )
    everything = _concatenate([rows, fresh])
    boosters = tuple(
        _boost(everything, names, member, max(trial.best_iteration, 1), None)
        for member, trial in zip(members, trials, strict=True)
    )
    chance_boosters = tuple(
        _boost_chance(everything, names, member, max(trial.best_iteration, 1), None)
        for member, trial in zip(members, chance_trials, strict=True)
    )
    return DemandModel(
        boosters=boosters,
        chance_boosters=chance_boosters,
        bands=bands,
        horizon=settings.horizon,
        trained_rows=len(everything.actual),
        importance=pl.DataFrame(
            {"feature": names, "sessions": _gain_shares(boosters), "chance": _gain_shares(chance_boosters)},
            schema=IMPORTANCE_SCHEMA,
        ),
    )


def predict(model: DemandModel, view: OriginView, horizon: int) -> Prediction:
    """What to expect ``horizon`` periods after the view's origin.

    Horizons beyond the one trained for are asked as that one, moved by the fallback's season and decay.
    """
    base = base_expectation(view, horizon)
    released = base > 0
    expected, chance = np.zeros_like(base), np.zeros_like(base)
    quantiles = np.zeros((*base.shape, len(QUANTILES)))
    if released.any():
        matrix = feature_matrix(view, horizon, released, base)
        matrix[:, 1] = min(horizon, model.horizon)
        matrix = _as_trained(matrix, feature_names(view), model.boosters[0].feature_name())
        expected[released] = _predict(model.boosters, matrix, base[released])
        expected = reconcile(expected, expect_totals(view.panel, view.level.movement, horizon))
        chance[released] = _predict_chance(model.chance_boosters, matrix)
        quantiles[released] = (
            model.bands.quantiles(expected[released], chance[released])
            if model.bands
            else poisson_quantiles(expected[released])
        )
    return Prediction(expected=expected, chance=chance, quantiles=quantiles)


def predict_fallback(level: Level, panel: DemandPanel, horizon: int) -> Prediction:
    """What the fallback expects, with the chances and quantiles of Poisson counts."""
    expected = expect_fallback(level, panel, horizon)
    return Prediction(
        expected=expected,
        chance=poisson_chance(expected),
        quantiles=poisson_quantiles(expected.ravel()).reshape(*expected.shape, -1),
    )


def expect_fallback(level: Level, panel: DemandPanel, horizon: int) -> FloatArray:
    """Mean sessions of every pair by the fallback as it is published, shape [regions, titles]."""
    return reconcile(expect(panel, level, horizon), expect_totals(panel, level.movement, horizon))


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
        watched = candidates & (actual > 0)
        likely = candidates & ~watched & ((view.by_pair["mean_7"] > 0) | (base > LIKELY_SESSIONS))
        keep, weight = _sample((watched, likely, candidates & ~watched & ~likely), quota, rng)
        parts.append(
            _Rows(
                features=feature_matrix(view, horizon, keep, base),
                base=base[keep],
                actual=actual[keep],
                weight=weight[keep],
            )
        )
    return _concatenate(parts)


def _sample(strata: Sequence[BoolArray], quota: float, rng: np.random.Generator) -> tuple[BoolArray, FloatArray]:
    """Keep of each stratum what its share of the quota allows, weighted so that sums stay true.

    What a small stratum leaves of its share goes to the next one.
    """
    chance = np.zeros(strata[0].shape)
    room = 0.0
    for stratum, share in zip(strata, SAMPLE_SHARES, strict=True):
        size = max(int(stratum.sum()), 1)
        room += share * quota
        chance[stratum] = min(1.0, room / size)
        room = max(room - size, 0.0)
    keep = rng.random(chance.shape) < chance
    return keep, np.where(keep, 1.0 / np.maximum(chance, 1e-9), 0.0)


def _boost(
    rows: _Rows, names: list[str], settings: TrainingSettings, rounds: int, validation: _Rows | None
) -> lgb.Booster:
    """The factor on the fallback's expectation."""

    def start(of: _Rows) -> FloatArray:
        return np.log(np.maximum(of.base, BASE_FLOOR))

    held_out = (validation, validation.actual, start(validation)) if validation else None
    return _train("poisson", (rows, rows.actual, start(rows)), held_out, names, settings, rounds)


def _boost_chance(
    rows: _Rows, names: list[str], settings: TrainingSettings, rounds: int, validation: _Rows | None
) -> lgb.Booster:
    """The probability of at least one session."""
    held_out = (validation, validation.actual > 0, None) if validation else None
    return _train("binary", (rows, rows.actual > 0, None), held_out, names, settings, rounds)


_Labelled = tuple[_Rows, FloatArray | BoolArray, FloatArray | None]
"""Rows, what is to be predicted of them, and the score to start from."""


def _train(
    objective: str,
    training: _Labelled,
    validation: _Labelled | None,
    names: list[str],
    settings: TrainingSettings,
    rounds: int,
) -> lgb.Booster:
    import lightgbm as lgb  # seconds of CPU that only who trains should pay

    def dataset(labelled: _Labelled, reference: lgb.Dataset | None = None) -> lgb.Dataset:
        rows, label, start = labelled
        return lgb.Dataset(
            rows.features,
            label.astype(np.float64),
            weight=rows.weight,
            init_score=start,
            feature_name=names,
            categorical_feature=[name for name in CATEGORICAL if name in names],
            reference=reference,
        )

    data = dataset(training)
    parameters = {
        "objective": objective,
        "learning_rate": 0.08,
        "num_leaves": settings.leaves,
        "min_data_in_leaf": min(settings.min_leaf_rows, max(5, len(training[0].actual) // 50)),
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
    stop_early = [lgb.early_stopping(25, verbose=False)]
    return lgb.train(parameters, data, rounds, valid_sets=[dataset(validation, data)], callbacks=stop_early)


def _as_trained(matrix: FloatArray, names: list[str], trained: list[str]) -> FloatArray:
    """The columns that a model was trained on, in its order; unknown (NaN) where a feed is out that it had then."""
    if names == trained:
        return matrix
    columns = dict(zip(names, matrix.T, strict=True))
    unknown = np.full(len(matrix), np.nan)
    return np.column_stack([columns.get(name, unknown) for name in trained])


def _predict(boosters: Sequence[lgb.Booster], features: FloatArray, base: FloatArray) -> FloatArray:
    factors = [np.asarray(booster.predict(features, raw_score=True, num_threads=1)) for booster in boosters]
    expected: FloatArray = np.mean(np.exp(np.clip(factors, -6.0, 4.0)), axis=0) * np.maximum(base, BASE_FLOOR)
    return expected


def _predict_chance(boosters: Sequence[lgb.Booster], features: FloatArray) -> FloatArray:
    chance: FloatArray = np.mean([booster.predict(features, num_threads=1) for booster in boosters], axis=0)
    return chance


def _gain_shares(boosters: Sequence[lgb.Booster]) -> FloatArray:
    gains = np.array([booster.feature_importance("gain") for booster in boosters], dtype=np.float64)
    gain: FloatArray = gains.sum(axis=0)
    return gain / max(gain.sum(), 1e-9)


def _concatenate(parts: list[_Rows]) -> _Rows:
    if not parts:
        raise TooLittleHistory("no origin has a target that was observed; use the fallback")
    return _Rows(
        features=np.concatenate([part.features for part in parts]),
        base=np.concatenate([part.base for part in parts]),
        actual=np.concatenate([part.actual for part in parts]),
        weight=np.concatenate([part.weight for part in parts]),
    )
