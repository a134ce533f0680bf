"""The demand stage: mentions as delivered, the back-test that chooses a method, the forecast and its audience."""

from __future__ import annotations

import dagster as dg

from orchestration.defs.demand.audience import demand_audience
from orchestration.defs.demand.backtest import demand_backtest
from orchestration.defs.demand.forecast import demand_forecast
from orchestration.defs.demand.mentions import build_mentions
from orchestration.settings import Settings

__all__ = ["build_defs"]


def build_defs(settings: Settings) -> dg.Definitions:
    """Assets and checks of the stage."""
    return dg.Definitions(assets=[build_mentions(settings), demand_backtest, demand_forecast, demand_audience])
