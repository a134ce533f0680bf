"""What forecasting reads: the demand and title tables, the seeds' regions and the day on which it stands."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import dagster as dg
import polars as pl

from orchestration.defs.demand.forecast_store import read_current_mentions
from orchestration.edge.topology import read_network
from orchestration.resources.warehouse import Warehouse
from orchestration.store import ObjectStore

DEMAND_KEY = dg.AssetKey(["warehouse", "srv_demand_daily"])
TITLES_KEY = dg.AssetKey(["warehouse", "srv_titles"])
MENTIONS_KEY = dg.AssetKey(["demand", "mentions"])
DEMAND_COLUMNS = ["region_id", "title_id", "event_day", "sessions"]
TITLE_COLUMNS = ["title_id", "name", "release_date", "genres", "language", "kind"]


class DemandDay(dg.Config):
    """The day on which the forecast stands: an ISO date, or empty for today (UTC).

    It and all later days count as incomplete. A past date repeats an old forecast.
    """

    today: str = ""

    def date(self) -> dt.date:
        """The day as a date."""
        return dt.date.fromisoformat(self.today) if self.today else dt.datetime.now(dt.UTC).date()


@dataclass(frozen=True, kw_only=True)
class DemandInputs:
    """The frames of one run and the regions that must be in the answer."""

    demand: pl.DataFrame
    titles: pl.DataFrame
    mentions: pl.DataFrame
    regions: tuple[str, ...]


def read_inputs(warehouse: Warehouse, store: ObjectStore) -> DemandInputs:
    """Read both tables and the mentions, if there are any.

    Raises:
        WarehouseTableMissing: dbt has not built them yet.
    """
    return DemandInputs(
        demand=warehouse.read("serving.srv_demand_daily", DEMAND_COLUMNS),
        titles=read_titles(warehouse),
        mentions=read_current_mentions(store),
        regions=known_regions(),
    )


def read_titles(warehouse: Warehouse) -> pl.DataFrame:
    """What is known of every title."""
    return warehouse.read("serving.srv_titles", TITLE_COLUMNS)


def known_regions() -> tuple[str, ...]:
    """The regions of the seeds."""
    return tuple(region.region_id for region in read_network().regions)
