"""The demand stage: the back-test that chooses a method, and the forecast that placement plans from."""

from __future__ import annotations

import dagster as dg

from orchestration.defs.demand.backtest import demand_backtest
from orchestration.defs.demand.forecast import demand_forecast
from orchestration.settings import Settings

__all__ = ["build_defs"]


def build_defs(settings: Settings) -> dg.Definitions:
    """Assets and checks of the stage; places come from the resources, so that no setting is needed."""
    return dg.Definitions(assets=[demand_backtest, demand_forecast])
