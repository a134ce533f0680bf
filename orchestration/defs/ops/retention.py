"""``ops/published_retention``: plans, forecasts and what was told of days go when nobody asks for them any more.

Of every area the newest stays, whatever its age, and all that is younger than :data:`KEPT`; beside that what something
else that is kept still names. What is removed is the file; nothing is ever edited.
"""

# annotations stay real objects here: Dagster reads them
import datetime as dt
from collections.abc import Collection, Iterable, Iterator

import dagster as dg
import polars as pl

from orchestration import taxonomy
from orchestration.defs.demand import forecast_store
from orchestration.defs.demand.tables import markdown_table
from orchestration.defs.edge import plan_store
from orchestration.defs.ops import hindsight, network
from orchestration.defs.ops.kept_day import pointer_key
from orchestration.edge import current_plan_key
from orchestration.edge.topology import read_network
from orchestration.resources.storage import MediaStorage
from orchestration.store import ObjectMissing, ObjectStore

KEPT = dt.timedelta(days=30)
"""So long a decision can be read back, a plan be held against its day and a forecast against what came."""
POINTERS = {
    forecast_store.BACKTEST_AREA: forecast_store.BACKTEST_POINTER_KEY,
    forecast_store.MENTIONS_AREA: forecast_store.MENTIONS_POINTER_KEY,
    forecast_store.AUDIENCE_AREA: forecast_store.AUDIENCE_POINTER_KEY,
    hindsight.AREA: pointer_key(hindsight.AREA),
    network.AREA: pointer_key(network.AREA),
}
"""Areas whose pointer holds the key of the newest object."""


@dg.asset(
    key=["ops", "published_retention"],
    group_name=taxonomy.OPS,
    owners=taxonomy.OWNERS[taxonomy.OPS],
    kinds={"python"},
    deps=[hindsight.HINDSIGHT_KEY, network.NETWORK_KEY],
)
def published_retention(context: dg.AssetExecutionContext, storage: MediaStorage) -> dg.MaterializeResult:
    """One round of upkeep of what plans and forecasts leave behind: one file a plan, forecast, back-test and day.

    Grain: one row an area of the store. Thirty days stay. However old they are, so do each region's plan in force, the
    accepted ones before it down to one of an earlier day (its blocks stood on the edges, which the look back on a plan
    needs), the forecasts that plans which stay were made from, and whatever a pointer names. Read by whoever watches
    the disk.
    """
    table = sweep_published(storage.store(), dt.datetime.now(dt.UTC))
    context.log.info("%d files removed", table["removed"].sum())
    return dg.MaterializeResult(
        metadata={
            "removed": int(table["removed"].sum()),
            "removed_bytes": int(table["removed_bytes"].sum()),
            "kept_days": KEPT.days,
            "areas": dg.MetadataValue.md(markdown_table(table)),
        }
    )


def sweep_published(store: ObjectStore, now: dt.datetime, kept: dt.timedelta = KEPT) -> pl.DataFrame:
    """Remove what may go; one row an area: area, files (before), removed, removed_bytes."""
    rows, forecasts = [], {_read_pointer(store, forecast_store.POINTER_KEY)}
    for region in read_network().regions:
        needed = _needed_plans(plan_store.read_plans(store, region.region_id))
        in_force = _read_pointer(store, current_plan_key(region.region_id))
        plans = {in_force, *(plan.plan_id for plan in needed)}
        rows.append(_sweep(store, f"plans/{region.region_id}", now - kept, plans))
        forecasts |= {plan.forecast_id for plan in plan_store.read_plans(store, region.region_id)}
    rows.append(_sweep(store, forecast_store.AREA, now - kept, forecasts))
    for area, pointer in POINTERS.items():
        rows.append(_sweep(store, area, now - kept, {_name_of(_read_pointer(store, pointer))}))
    names = {"area": pl.String, "files": pl.Int64, "removed": pl.Int64, "removed_bytes": pl.Int64}
    return pl.DataFrame(rows, schema=names, orient="row")


def _needed_plans(newest_first: Iterable[plan_store.PlanRecord]) -> Iterator[plan_store.PlanRecord]:
    """The plans that were accepted, from the last one back to the first of an earlier day."""
    last = None
    for plan in newest_first:
        if plan.accepted:
            yield plan
            last = last or plan
            if plan.first_day < last.first_day:
                return


def _sweep(store: ObjectStore, area: str, before: dt.datetime, needed: Collection[str]) -> tuple[str, int, int, int]:
    """Remove the things of one area, whose files share a name, that are not needed and were written before a moment."""
    things: dict[str, list[str]] = {}
    for key in store.keys(area):
        if key.count("/") == area.count("/") + 1 and not key.endswith("/CURRENT"):
            things.setdefault(_name_of(key), []).append(key)
    doomed = [
        key
        for name, keys in things.items()
        if name not in needed and all(_written_at(store, key) < before for key in keys)
        # the record first: without one, what is left of a plan is asked for by nobody
        for key in sorted(keys, key=lambda key: not key.endswith(plan_store.RECORD))
    ]
    removed_bytes = 0
    for key in doomed:
        removed_bytes += store.size_bytes(key)
        store.delete(key)
    return area, sum(map(len, things.values())), len(doomed), removed_bytes


def _name_of(key: str) -> str:
    return key.rpartition("/")[2].partition(".")[0]


def _written_at(store: ObjectStore, key: str) -> dt.datetime:
    return dt.datetime.fromtimestamp(store.local_path(key).stat().st_mtime, dt.UTC)


def _read_pointer(store: ObjectStore, key: str) -> str:
    try:
        return store.read_bytes(key).decode().strip()
    except ObjectMissing:
        return ""
