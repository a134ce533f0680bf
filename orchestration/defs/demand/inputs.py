"""What forecasting reads: the demand and title tables, the seeds' regions and the day on which it stands."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import dagster as dg
import polars as pl

from orchestration.edge.topology import read_network
from orchestration.resources.warehouse import Warehouse

DEMAND_KEY = dg.AssetKey(["warehouse", "srv_demand_daily"])
TITLES_KEY = dg.AssetKey(["warehouse", "srv_titles"])
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
    regions: tuple[str, ...]


def read_inputs(warehouse: Warehouse) -> DemandInputs:
    """Read both tables.

    Raises:
        WarehouseTableMissing: dbt has not built them yet.
    """
    return DemandInputs(
        demand=warehouse.read("serving.srv_demand_daily", DEMAND_COLUMNS),
        titles=warehouse.read("serving.srv_titles", TITLE_COLUMNS),
        regions=tuple(region.region_id for region in read_network().regions),
    )
