"""Regional demand: daily sessions per title and region, one to fourteen days ahead, with quantiles.

The door: :func:`backtest` compares the model with persistence, :func:`choose` says which method is published and why,
:func:`fit` trains, :func:`forecast` forecasts (with ``None`` for the model: by the fallback).
"""

from ml.forecasting.audience import deal_to_age_bands, stand_out
from ml.forecasting.backtest import BacktestResult, ForecastChoice, backtest, choose
from ml.forecasting.errors import DemandInputError, ForecastingError, TooLittleHistory
from ml.forecasting.forecast import FALLBACK, MODEL, fit, forecast, forecast_panel
from ml.forecasting.model import DEFAULT_TRAINING, DemandModel, TrainingSettings
from ml.forecasting.panel import DAILY, MAX_HORIZON, WEEKLY, Cadence, DemandPanel, build_panel
from ml.forecasting.signals import Signals

__all__ = [
    "DAILY",
    "DEFAULT_TRAINING",
    "FALLBACK",
    "MAX_HORIZON",
    "MODEL",
    "WEEKLY",
    "BacktestResult",
    "Cadence",
    "DemandInputError",
    "DemandModel",
    "DemandPanel",
    "ForecastChoice",
    "ForecastingError",
    "Signals",
    "TooLittleHistory",
    "TrainingSettings",
    "backtest",
    "build_panel",
    "choose",
    "deal_to_age_bands",
    "fit",
    "forecast",
    "forecast_panel",
    "stand_out",
]
