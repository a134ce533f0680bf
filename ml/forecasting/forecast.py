"""From frames to a forecast frame: the calls that the rest of the platform makes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Final

import numpy as np
import polars as pl

from ml.forecasting.fallback import learn_level
from ml.forecasting.features import view_origin
from ml.forecasting.model import DEFAULT_TRAINING, DemandModel, TrainingSettings, predict, predict_fallback, train
from ml.forecasting.panel import DAILY, Cadence, DemandPanel, build_panel
from ml.forecasting.signals import NO_SIGNALS, Signals

MODEL: Final = "lightgbm"
FALLBACK: Final = "persistence-decay"

FORECAST_SCHEMA = {
    "region_id": pl.String,
    "title_id": pl.String,
    "day": pl.Date,
    "sessions": pl.Float64,
    "chance": pl.Float64,
    "q10": pl.Float64,
    "q50": pl.Float64,
    "q90": pl.Float64,
    "model": pl.String,
}


def fit(
    demand: pl.DataFrame,
    titles: pl.DataFrame,
    *,
    today: dt.date,
    regions: Sequence[str] | None = None,
    settings: TrainingSettings = DEFAULT_TRAINING,
    cadence: Cadence = DAILY,
    signals: Signals = NO_SIGNALS,
) -> DemandModel:
    """Train the model on the complete days before ``today``.

    Args:
        demand: region_id, title_id, event_day, sessions; days without sessions are absent.
        titles: title_id and, where known, release_date, licence_start, licence_end, genres, language, kind.
        today: The first day that is not complete.
        regions: Regions that exist even when nothing was seen there.
        settings: How much to train on.
        cadence: Length of a period and of the season; daily by default.
        signals: What else is known.

    Raises:
        TooLittleHistory: There are too few complete days; use the fallback.
        DemandInputError: A column is missing.
    """
    panel = build_panel(demand, titles, today=today, regions=regions, cadence=cadence, signals=signals)
    return train(panel, settings)


def forecast(
    model: DemandModel | None,
    demand: pl.DataFrame,
    titles: pl.DataFrame,
    *,
    today: dt.date,
    horizon_days: int = 7,
    regions: Sequence[str] | None = None,
    cadence: Cadence = DAILY,
    signals: Signals = NO_SIGNALS,
) -> pl.DataFrame:
    """Forecast the days after the last complete one.

    Args:
        model: What :func:`fit` gave, or None for the fallback.
        demand: As for :func:`fit`.
        titles: As for :func:`fit`.
        today: The first day that is not complete.
        horizon_days: How many periods ahead.
        regions: Regions that must be in the forecast.
        cadence: Length of a period and of the season.
        signals: As for :func:`fit`.

    Returns:
        One row a region, title and day: region_id, title_id, day, sessions (expected), chance (of at least
        one session), q10, q50, q90, model.
    """
    panel = build_panel(demand, titles, today=today, regions=regions, cadence=cadence, signals=signals)
    return forecast_panel(model, panel, range(1, horizon_days + 1))


def forecast_panel(model: DemandModel | None, panel: DemandPanel, horizons: Sequence[int]) -> pl.DataFrame:
    """As :func:`forecast`, from a panel and for chosen horizons."""
    if model is None:
        level = learn_level(panel)
        predictions = {horizon: predict_fallback(level, panel, horizon) for horizon in horizons}
    else:
        view = view_origin(panel)
        predictions = {horizon: predict(model, view, horizon) for horizon in horizons}
    parts = []
    for horizon, foretold in predictions.items():
        count = foretold.expected.size
        parts.append(
            pl.DataFrame(
                {
                    "region_id": np.repeat(np.array(panel.regions, dtype=object), len(panel.titles)),
                    "title_id": np.tile(np.array(panel.titles, dtype=object), len(panel.regions)),
                    "day": [panel.day(panel.periods - 1 + horizon)] * count,
                    "sessions": foretold.expected.ravel(),
                    "chance": foretold.chance.ravel(),
                    "q10": foretold.quantiles[:, :, 0].ravel(),
                    "q50": foretold.quantiles[:, :, 1].ravel(),
                    "q90": foretold.quantiles[:, :, 2].ravel(),
                    "model": [MODEL if model else FALLBACK] * count,
                },
                schema=FORECAST_SCHEMA,
            )
        )
    return pl.concat(parts) if parts else pl.DataFrame(schema=FORECAST_SCHEMA)
