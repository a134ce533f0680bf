"""The upkeep of the lake."""

import dataclasses
import time

import dagster as dg

from orchestration import taxonomy
from orchestration.resources.warehouse import LakeSize, Warehouse


@dg.asset(
    key=["ops", "lake_maintenance"],
    group_name=taxonomy.OPS,
    owners=taxonomy.OWNERS[taxonomy.OPS],
    kinds={"duckdb"},
    deps=[dg.AssetKey(["events", "heartbeats"])],
    pool=taxonomy.POOL_WAREHOUSE_WRITE,
)
def lake_maintenance(context: dg.AssetExecutionContext, warehouse: Warehouse) -> dg.MaterializeResult:
    """One round of upkeep of the lake: small files merged, old snapshots and the files behind them removed.

    Every ingest leaves a file for each day it brought beats for, and every build leaves the files it replaced; without
    upkeep reads become slower and the disk fills. Snapshots can be travelled back to for a week.
    """
    started = time.monotonic()
    report = warehouse.maintain()
    context.log.info(f"{report.files_merged} files merged, {report.files_removed} removed")
    counts = {name: value for name, value in dataclasses.asdict(report).items() if name not in ("before", "after")}
    return dg.MaterializeResult(
        metadata={**counts, "size": _size_table(report.before, report.after), "seconds": time.monotonic() - started}
    )


def _size_table(before: LakeSize, after: LakeSize) -> dg.MarkdownMetadataValue:
    rows = "\n".join(
        f"| {field.name} | {getattr(before, field.name):,} | {getattr(after, field.name):,} |"
        for field in dataclasses.fields(LakeSize)
    )
    return dg.MarkdownMetadataValue(f"| | before | after |\n|---|---:|---:|\n{rows}")
