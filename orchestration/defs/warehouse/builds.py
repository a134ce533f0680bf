"""The warehouse's assets: every dbt model and seed, in two builds.

``warehouse_event_days`` builds what is kept by day of viewing: staging of events, sessions and the daily facts, for the
days of the run. ``warehouse_tables`` builds the rest as a whole after it: the catalogue, the network, and all that
leaves the warehouse. dbt's data tests run with each build and show as asset checks; its unit tests need no data and run
with the project's tests.
"""

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg
from dagster_dbt import dbt_assets

from orchestration import partitions, taxonomy
from orchestration.defs.warehouse.project import environment_variables
from orchestration.defs.warehouse.translator import LakeTranslator
from orchestration.resources.dbt_runner import DbtRunner
from orchestration.resources.warehouse import Warehouse
from orchestration.settings import Settings

DAILY_TAG = "tag:event_day"
_UNIT_TESTS = "resource_type:unit_test"


def build_assets(settings: Settings, manifest: Mapping[str, Any]) -> list[dg.AssetsDefinition]:
    """Both builds."""
    translator = LakeTranslator()

    @dbt_assets(
        manifest=manifest,
        select=DAILY_TAG,
        exclude=_UNIT_TESTS,
        name="warehouse_event_days",
        dagster_dbt_translator=translator,
        partitions_def=partitions.event_day(settings),
        backfill_policy=dg.BackfillPolicy.single_run(),
        pool=taxonomy.POOL_WAREHOUSE_WRITE,
    )
    def warehouse_event_days(context: dg.AssetExecutionContext, dbt: DbtRunner, warehouse: Warehouse) -> Iterator[Any]:
        window = context.partition_time_window
        days = {
            "MATINEE_BUILD_FIRST_DAY": window.start.date().isoformat(),
            # The window's end is the first moment after it.
            "MATINEE_BUILD_LAST_DAY": (window.end - dt.timedelta(days=1)).date().isoformat(),
        }
        yield from _build(context, dbt, warehouse, settings, "event_days", days)

    @dbt_assets(
        manifest=manifest,
        exclude=f"{DAILY_TAG} {_UNIT_TESTS}",
        name="warehouse_tables",
        dagster_dbt_translator=translator,
        pool=taxonomy.POOL_WAREHOUSE_WRITE,
    )
    def warehouse_tables(context: dg.AssetExecutionContext, dbt: DbtRunner, warehouse: Warehouse) -> Iterator[Any]:
        yield from _build(context, dbt, warehouse, settings, "tables", {})

    return [warehouse_event_days, warehouse_tables]


def _build(
    context: dg.AssetExecutionContext,
    dbt: DbtRunner,
    warehouse: Warehouse,
    settings: Settings,
    name: str,
    days: Mapping[str, str],
) -> Iterator[Any]:
    """Run ``dbt build`` on the lake and hand on what it reports.

    Each build keeps a target folder of its own, so that dbt finds what it parsed the last time.
    """
    with environment_variables({**warehouse.prepare().environment, **days}):
        yield from dbt.build(context, settings.work_folder / "dbt" / name)
