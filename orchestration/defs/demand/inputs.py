"""What forecasting reads: the demand and title tables, the seeds' regions and the day on which it stands."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace

import dagster as dg
import polars as pl

from ml.forecasting import DEFAULT_TRAINING, MAX_HORIZON, Signals, TrainingSettings
from orchestration.defs.demand.forecast_store import read_current_mentions
from orchestration.edge.topology import read_network
from orchestration.public_holidays import public_holidays
from orchestration.region_likeness import likeness_of
from orchestration.resources.warehouse import Warehouse
from orchestration.store import ObjectStore

DEMAND_KEY = dg.AssetKey(["warehouse", "srv_demand_daily"])
TITLES_KEY = dg.AssetKey(["warehouse", "srv_titles"])
MENTIONS_KEY = dg.AssetKey(["demand", "mentions"])
DEMAND_COLUMNS = ["region_id", "title_id", "event_day", "sessions"]
TITLE_COLUMNS = ["title_id", "name", "release_date", "licence_start", "licence_end", "genres", "language", "kind"]
WEEK = 7
CALENDAR_BEFORE, CALENDAR_AFTER = dt.timedelta(days=100), dt.timedelta(days=30)
"""Holidays are looked up for the history that a forecast looks at, and beyond the last day that it foretells."""


class DemandDay(dg.Config):
    """The day on which the forecast stands: an ISO date, or empty for today (UTC).

    It and all later days count as incomplete. A past date repeats an old forecast.
    """

    today: str = ""

    def date(self) -> dt.date:
        """The day as a date."""
        return dt.date.fromisoformat(self.today) if self.today else dt.datetime.now(dt.UTC).date()


class DaysAhead(DemandDay):
    """The day on which the forecast stands, and how many days it goes ahead, 1 to 14."""

    horizon_days: int = WEEK

    def training(self) -> TrainingSettings:
        """What to train a model by that looks so far ahead.

        Raises:
            Failure: Nothing is forecast so far ahead; not to be retried.
        """
        if not 1 <= self.horizon_days <= MAX_HORIZON:
            said = f"horizon_days is {self.horizon_days}; forecasts go 1 to {MAX_HORIZON} days ahead"
            raise dg.Failure(description=said, allow_retries=False)
        return replace(DEFAULT_TRAINING, horizon=self.horizon_days)


@dataclass(frozen=True, kw_only=True)
class DemandInputs:
    """The frames of one run and the regions that must be in the answer."""

    demand: pl.DataFrame
    titles: pl.DataFrame
    signals: Signals
    regions: tuple[str, ...]


def read_inputs(warehouse: Warehouse, store: ObjectStore, today: dt.date) -> DemandInputs:
    """Read both tables, the mentions, if there are any, and what is known of the regions around a day.

    Raises:
        WarehouseTableMissing: dbt has not built them yet.
    """
    regions = read_network().regions
    return DemandInputs(
        demand=warehouse.read("serving.srv_demand_daily", DEMAND_COLUMNS),
        titles=read_titles(warehouse),
        signals=Signals(
            mentions=read_current_mentions(store),
            holidays=public_holidays(regions, today - CALENDAR_BEFORE, today + CALENDAR_AFTER),
            likeness=likeness_of(regions),
        ),
        regions=tuple(region.region_id for region in regions),
    )


def read_titles(warehouse: Warehouse) -> pl.DataFrame:
    """What is known of every title."""
    return warehouse.read("serving.srv_titles", TITLE_COLUMNS)


def known_regions() -> tuple[str, ...]:
    """The regions of the seeds."""
    return tuple(region.region_id for region in read_network().regions)
