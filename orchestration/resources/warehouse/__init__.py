"""The lake: attached, filled with raw events and the catalogue, read, and kept small.

Here is all SQL that dbt does not hold: ATTACH, the raw tables, ingest and maintenance. What the data mean is decided in
``dbt/``.
"""

from __future__ import annotations

from orchestration.resources.warehouse.errors import (
    ExtensionMissing,
    WarehouseBusy,
    WarehouseColumnsWrong,
    WarehouseError,
    WarehouseTableMissing,
)
from orchestration.resources.warehouse.ingest import IngestReport, UnreadableRecord
from orchestration.resources.warehouse.location import LakeLocation, prepare_lake
from orchestration.resources.warehouse.maintenance import LakeSize, MaintenanceReport
from orchestration.resources.warehouse.raw_tables import RAW_TABLES
from orchestration.resources.warehouse.resource import Warehouse

__all__ = [
    "RAW_TABLES",
    "ExtensionMissing",
    "IngestReport",
    "LakeLocation",
    "LakeSize",
    "MaintenanceReport",
    "UnreadableRecord",
    "Warehouse",
    "WarehouseBusy",
    "WarehouseColumnsWrong",
    "WarehouseError",
    "WarehouseTableMissing",
    "prepare_lake",
]
