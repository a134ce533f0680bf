"""The back-test: what each method would have forecast on past days, and which one to publish.

Every origin runs the production path on the data of that day: frames cut at the origin, panel, training, forecast.
Nothing learned later can reach it.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import polars as pl

from ml.forecasting.breakdown import (
    CALIBRATION_SCHEMA,
    SLICES_SCHEMA,
    QuantileCounts,
    SliceErrors,
    age_class,
    size_class,
)
from ml.forecasting.errors import TooLittleHistory
from ml.forecasting.fallback import persistence
from ml.forecasting.features import view_origin
from ml.forecasting.forecast import FALLBACK, MODEL
from ml.forecasting.model import (
    DEFAULT_TRAINING,
    IMPORTANCE_SCHEMA,
    DemandModel,
    TrainingSettings,
    expect_fallback,
    predict,
    train,
)
from ml.forecasting.panel import DAILY, Cadence, DemandPanel, FloatArray, IntArray, build_panel
from ml.forecasting.quantiles import QUANTILES
from ml.forecasting.signals import NO_SIGNALS, Signals

logger = logging.getLogger(__name__)

PERSISTENCE = "persistence"
METHODS = (PERSISTENCE, FALLBACK, MODEL)
EXAMPLE_TITLES = 3
SIZEABLE_SESSIONS = 0.5
"""Quantiles are judged where so many sessions are expected; of the many pairs below, most are nothing as forecast."""

METRICS_SCHEMA = {
    "method": pl.String,
    "horizon": pl.Int64,
    "wape": pl.Float64,
    "wape_total": pl.Float64,
    "bias": pl.Float64,
    "recall_at_k": pl.Float64,
    "new_recall_at_k": pl.Float64,
    "pinball": pl.Float64,
    "coverage": pl.Float64,
    "origins": pl.Int64,
    "sessions": pl.Float64,
}
EXAMPLES_SCHEMA = {
    "region_id": pl.String,
    "title_id": pl.String,
    "day": pl.Date,
    "actual": pl.Float64,
    PERSISTENCE: pl.Float64,
    FALLBACK: pl.Float64,
    MODEL: pl.Float64,
}


@dataclass(frozen=True, kw_only=True)
class ForecastChoice:
    """Which method is published, and why."""

    published: Literal["lightgbm", "persistence-decay"]
    reason: str

    @property
    def is_model(self) -> bool:
        """Whether the trained model is published."""
        return self.published == MODEL


@dataclass(frozen=True, kw_only=True)
class BacktestResult:
    """What a back-test found.

    Attributes:
        metrics: One row a method and horizon; horizon 0 is all of them. ``wape`` is the sum of absolute errors over
            the sum of sessions, by region x title x day; ``wape_total`` the same on the sums over the horizon, which
            is what a placement lives on; ``bias`` is forecast over actual sessions less 1; ``recall_at_k`` the share
            of a region's true top k titles of a day among the forecast's top k; ``new_recall_at_k`` the same for
            those that were not among the top k before; ``pinball`` is the mean quantile loss over the mean, and
            ``coverage`` the share of actual sessions' rows between q10 and q90 (rows expected above half a session;
            both NaN for methods without quantiles).
        examples: Actual and forecast sessions of the top titles, for a plot.
        slices: Whose errors ``wape_total`` is the sum of: by region, by age of the title, by its size, and of sums of
            titles; :class:`ml.forecasting.breakdown.SliceErrors`.
        calibration: How often sessions lay below each of the model's quantiles, rows expected above half a session;
            :class:`ml.forecasting.breakdown.QuantileCounts`.
        importance: What the newest origin's model went by, as :class:`ml.forecasting.DemandModel` has it; empty
            without one.
        origins: First forecast day of each origin.
        top_k: The k of the recalls.
        model_failure: Why there is no model, or an empty string.
        notes: What was cleaned.
    """

    metrics: pl.DataFrame
    examples: pl.DataFrame
    origins: tuple[dt.date, ...]
    top_k: int
    slices: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=SLICES_SCHEMA))
    calibration: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=CALIBRATION_SCHEMA))
    importance: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=IMPORTANCE_SCHEMA))
    model_failure: str = ""
    notes: tuple[str, ...] = ()

    def metric(self, method: str, name: str, horizon: int = 0) -> float:
        """One number of the table; NaN when the method was not scored."""
        row = self.metrics.filter((pl.col("method") == method) & (pl.col("horizon") == horizon))
        return float(row[name][0]) if len(row) else float("nan")


def backtest(
    demand: pl.DataFrame,
    titles: pl.DataFrame,
    *,
    today: dt.date,
    regions: Sequence[str] | None = None,
    settings: TrainingSettings = DEFAULT_TRAINING,
    origins: int = 3,
    top_k: int = 20,
    cadence: Cadence = DAILY,
    signals: Signals = NO_SIGNALS,
) -> BacktestResult:
    """Forecast the last days again from rolling origins and compare with what came.

    Args:
        demand: region_id, title_id, event_day, sessions; days without sessions are absent.
        titles: title_id and, where known, release_date, licence_start, licence_end, genres, language, kind.
        today: The first day that is not complete.
        regions: Regions that exist even when nothing was seen there.
        settings: How much to train on, and how far ahead.
        origins: How many origins; they stand ``settings.horizon // 2 + 1`` periods apart, the newest so that all its
            horizons are complete days.
        top_k: Length of the lists that recall compares.
        cadence: Length of a period and of the season.
        signals: What else is known; an origin sees the mentions of the days before it.
    """
    whole = build_panel(demand, titles, today=today, regions=regions, cadence=cadence, signals=signals)
    horizon = settings.horizon
    step = horizon // 2 + 1
    lengths = [whole.periods - horizon - step * index for index in range(origins)]
    lengths = sorted(length for length in lengths if length >= 1)
    scores = {method: _Scores(horizon, top_k) for method in METHODS}
    slices = SliceErrors(whole.regions)
    examples: list[pl.DataFrame] = []
    failure = "" if lengths else f"{whole.periods} complete days of history leave no origin to forecast from"
    model = None
    for length in lengths:
        origin_day = whole.day(length)
        panel = build_panel(demand, titles, today=origin_day, regions=whole.regions, cadence=cadence, signals=signals)
        model, problem = _train_or_say_why(panel, settings)
        failure = failure or problem
        _score_origin(panel, model, whole, horizon, scores, slices, examples)
    return BacktestResult(
        metrics=pl.DataFrame([row for method in METHODS for row in scores[method].rows(method)], schema=METRICS_SCHEMA),
        examples=pl.concat([pl.DataFrame(schema=EXAMPLES_SCHEMA), *examples])
        .unique(["region_id", "title_id", "day"], keep="last")
        .sort("region_id", "title_id", "day"),
        slices=slices.table(),
        calibration=scores[MODEL].counts.table(),
        importance=model.importance if model else pl.DataFrame(schema=IMPORTANCE_SCHEMA),
        origins=tuple(whole.day(length) for length in lengths),
        top_k=top_k,
        model_failure=failure,
        notes=whole.notes,
    )


def choose(result: BacktestResult) -> ForecastChoice:
    """Publish the model only if it was trained at every origin and beat both persistence and the fallback.

    They are compared by ``wape_total``: the error of single days of a title that is watched once a week mostly says how
    often a method forecasts nothing.
    """
    if result.model_failure:
        return ForecastChoice(published=FALLBACK, reason=f"no model: {result.model_failure}")
    wape = {method: result.metric(method, "wape_total") for method in METHODS}
    if not all(np.isfinite(value) for value in wape.values()):
        return ForecastChoice(published=FALLBACK, reason="the back-test saw no session to score by")
    numbers = ", ".join(f"{method} {value:.3f}" for method, value in wape.items())
    if wape[MODEL] < min(wape[PERSISTENCE], wape[FALLBACK]):
        return ForecastChoice(
            published=MODEL, reason=f"the model has the lowest WAPE of sums over the horizon ({numbers})"
        )
    better = PERSISTENCE if wape[PERSISTENCE] <= wape[FALLBACK] else "the fallback"
    return ForecastChoice(
        published=FALLBACK, reason=f"the model does not beat {better} in WAPE of sums over the horizon ({numbers})"
    )


def _train_or_say_why(panel: DemandPanel, settings: TrainingSettings) -> tuple[DemandModel | None, str]:
    try:
        return train(panel, settings), ""
    except TooLittleHistory as error:
        logger.warning("origin %s is forecast without a model: %s", panel.day(panel.periods), error)
        return None, str(error)


def _score_origin(
    panel: DemandPanel,
    model: DemandModel | None,
    whole: DemandPanel,
    horizon: int,
    scores: dict[str, _Scores],
    slices: SliceErrors,
    examples: list[pl.DataFrame],
) -> None:
    """Score one origin; titles and regions that appeared later count as forecast with nothing."""
    view = view_origin(panel)
    rows = np.searchsorted(np.array(whole.regions, dtype=object), np.array(panel.regions, dtype=object))
    columns = np.searchsorted(np.array(whole.titles, dtype=object), np.array(panel.titles, dtype=object))
    shape = whole.values.shape[:2]
    end = (panel.day(panel.periods) - whole.first_day).days // whole.cadence.period_days

    def on_whole(values: FloatArray) -> FloatArray:
        grid = np.zeros(shape)
        grid[np.ix_(rows, columns)] = values
        return grid

    before = on_whole(persistence(panel))
    collected: dict[str, list[FloatArray]] = {method: [] for method in METHODS}
    actuals: list[FloatArray] = []
    days: list[dt.date] = []
    for ahead in range(1, horizon + 1):
        period = end - 1 + ahead
        if period >= whole.periods or not whole.observed[period]:
            continue
        actual = whole.values[:, :, period]
        forecasts = {PERSISTENCE: before, FALLBACK: on_whole(expect_fallback(view.level, panel, ahead))}
        quantiles = {}
        if model is not None:
            foretold = predict(model, view, ahead)
            forecasts[MODEL] = on_whole(foretold.expected)
            quantiles[MODEL] = np.stack([on_whole(level).ravel() for level in np.moveaxis(foretold.quantiles, 2, 0)], 1)
        for method, expected in forecasts.items():
            scores[method].add(ahead, actual, expected, before, quantiles.get(method))
            collected[method].append(expected)
        actuals.append(actual)
        days.append(whole.day(period))
    if days:
        actual = np.sum(actuals, axis=0)
        sums = {method: np.sum(values, axis=0) for method, values in collected.items() if values}
        for method, expected in sums.items():
            scores[method].add_totals(actual, expected)
        age_days = (end - whole.release_period) * whole.cadence.period_days
        slices.add(actual, sums, age_class(age_days), size_class(before / whole.cadence.period_days))
    if days and model is not None:
        examples.append(_examples(whole, days, actuals, collected))


def _examples(
    whole: DemandPanel, days: list[dt.date], actuals: list[FloatArray], collected: dict[str, list[FloatArray]]
) -> pl.DataFrame:
    """The top titles of each region over all of history, so that every origin shows the same ones."""
    rows = []
    for region, name in enumerate(whole.regions):
        for title in np.argsort(-whole.values[region].sum(axis=1), kind="stable")[:EXAMPLE_TITLES]:
            for index, day in enumerate(days):
                row = {"region_id": name, "title_id": whole.titles[title], "day": day}
                row["actual"] = float(actuals[index][region, title])
                row |= {method: float(collected[method][index][region, title]) for method in METHODS}
                rows.append(row)
    return pl.DataFrame(rows, schema=EXAMPLES_SCHEMA)


class _Scores:
    """Sums of one method, per horizon."""

    def __init__(self, horizon: int, top_k: int) -> None:
        self.top_k = top_k
        self.sums = np.zeros((horizon + 1, 8))
        self.counts = QuantileCounts(horizon)
        self.totals = np.zeros(2)
        self.origins = np.zeros(horizon + 1, dtype=np.int64)

    def add(
        self, ahead: int, actual: FloatArray, expected: FloatArray, before: FloatArray, quantiles: FloatArray | None
    ) -> None:
        row = self.sums[ahead]
        row[0] += np.abs(actual - expected).sum()
        row[1] += actual.sum()
        row[2] += expected.sum()
        for region in range(actual.shape[0]):
            true_top = _top(actual[region], self.top_k)
            hits = np.intersect1d(true_top, _top(expected[region], self.top_k))
            new = np.setdiff1d(true_top, _top(before[region], self.top_k))
            row[3:7] += [len(hits), len(true_top), len(np.intersect1d(hits, new)), len(new)]
        if quantiles is not None:
            loss = actual.ravel()[:, None] - quantiles
            levels = np.array(QUANTILES)
            row[7] += np.maximum(levels * loss, (levels - 1) * loss).mean(axis=1).sum()
            sizeable = expected.ravel() > SIZEABLE_SESSIONS
            self.counts.add(ahead, actual.ravel()[sizeable], quantiles[sizeable])
        self.origins[ahead] += 1

    def add_totals(self, actual: FloatArray, expected: FloatArray) -> None:
        self.totals += [np.abs(actual - expected).sum(), actual.sum()]

    def rows(self, method: str) -> list[dict[str, object]]:
        table = []
        for horizon in range(len(self.sums)):
            sums = self.sums[horizon] if horizon else self.sums.sum(axis=0)
            if sums[1] <= 0:
                continue
            table.append(
                {
                    "method": method,
                    "horizon": horizon,
                    "wape": sums[0] / sums[1],
                    "wape_total": self.totals[0] / self.totals[1] if horizon == 0 and self.totals[1] else None,
                    "bias": sums[2] / sums[1] - 1,
                    "recall_at_k": _ratio(sums[3], sums[4]),
                    "new_recall_at_k": _ratio(sums[5], sums[6]),
                    "pinball": sums[7] / sums[1] if sums[7] else float("nan"),
                    "coverage": self.counts.coverage(horizon),
                    "origins": int(self.origins[horizon] if horizon else self.origins.max()),
                    "sessions": sums[1],
                }
            )
        return table


def _top(values: FloatArray, count: int) -> IntArray:
    order = np.argsort(-values, kind="stable")[:count]
    positive: IntArray = order[values[order] > 0]
    return positive


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")
