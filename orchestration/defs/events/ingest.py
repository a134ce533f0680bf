"""The ingest of the event log: one step that fills both raw event tables."""

import datetime as dt
import time
from collections.abc import Iterator, Mapping

import dagster as dg

from orchestration import taxonomy
from orchestration.resources.event_log import EventLogFolder
from orchestration.resources.warehouse import IngestReport, Warehouse

HEARTBEATS = dg.AssetKey(["events", "heartbeats"])
IMPRESSIONS = dg.AssetKey(["events", "impressions"])
READABLE = dg.AssetCheckSpec(
    name="every_record_is_readable",
    asset=HEARTBEATS,
    description="No record of the event log had to be left out; those that were are in raw.unreadable_records.",
)
CLOCKS = dg.AssetCheckSpec(
    name="clocks_do_not_run_ahead",
    asset=HEARTBEATS,
    description="No beat was sent over an hour after it arrived; one that says so counts for the day it arrived.",
)
_EXPECTED_EVERY = dg.FreshnessPolicy.time_window(warn_window=dt.timedelta(hours=3), fail_window=dt.timedelta(hours=26))


@dg.multi_asset(
    name="events",
    specs=[
        dg.AssetSpec(
            HEARTBEATS,
            group_name=taxonomy.EVENTS,
            owners=taxonomy.OWNERS[taxonomy.EVENTS],
            kinds={"python", "duckdb"},
            freshness_policy=_EXPECTED_EVERY,
            description=(
                "What players reported, one row a heartbeat as it was received (`raw.heartbeats`), by the day it was "
                "sent. Sessions, quality of experience, demand and recommendations are all made from it. Copies that a "
                "client sent twice are kept here and dropped in staging."
            ),
        ),
        dg.AssetSpec(
            IMPRESSIONS,
            group_name=taxonomy.EVENTS,
            owners=taxonomy.OWNERS[taxonomy.EVENTS],
            kinds={"python", "duckdb"},
            description=(
                "What viewers were shown, one row a title in its place on a home page (`raw.impressions`), with the "
                "probability it was put there: what recommendations are judged by."
            ),
        ),
    ],
    check_specs=[READABLE, CLOCKS],
    pool=taxonomy.POOL_WAREHOUSE_WRITE,
)
def events(
    context: dg.AssetExecutionContext, warehouse: Warehouse, event_log: EventLogFolder
) -> Iterator[dg.MaterializeResult]:
    """Bring everything new of the event log into the lake, once."""
    started = time.monotonic()
    report = warehouse.ingest_events(event_log.reader())
    seconds = time.monotonic() - started
    context.log.info(f"{report.beats:,} beats and {report.impressions:,} impressions in {seconds:.1f} s")
    yield dg.MaterializeResult(
        asset_key=HEARTBEATS,
        metadata={
            **_volume(report.beats, report.beats_by_day, seconds),
            "records": report.records,
            "segments": report.segments,
            "log_bytes": report.log_bytes,
        },
        check_results=[_readable(report), _clocks(report)],
    )
    yield dg.MaterializeResult(
        asset_key=IMPRESSIONS, metadata=_volume(report.impressions, report.impressions_by_day, seconds)
    )


def _volume(rows: int, rows_by_day: Mapping[dt.date, int], seconds: float) -> dict[str, dg.MetadataValue]:
    days = sorted(rows_by_day)
    table = "\n".join(f"| {day} | {rows_by_day[day]:,} |" for day in days)
    return {
        "dagster/row_count": dg.IntMetadataValue(rows),
        "seconds": dg.FloatMetadataValue(seconds),
        "rows_per_second": dg.FloatMetadataValue(rows / max(seconds, 1e-9)),
        "event_days": dg.JsonMetadataValue([day.isoformat() for day in days]),
        "by_day": dg.MarkdownMetadataValue(f"| event day | new rows |\n|---|---:|\n{table}"),
    }


def _readable(report: IngestReport) -> dg.AssetCheckResult:
    rows = "\n".join(
        f"| {record.writer} | {record.segment} | {record.record_offset} | {record.reason} |"
        for record in report.unreadable
    )
    return dg.AssetCheckResult(
        check_name=READABLE.name,
        asset_key=HEARTBEATS,
        passed=report.unreadable_count == 0,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={
            "unreadable_records": report.unreadable_count,
            "first": dg.MetadataValue.md(f"| writer | segment | offset | reason |\n|---|---:|---:|---|\n{rows}"),
        },
    )


def _clocks(report: IngestReport) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        check_name=CLOCKS.name,
        asset_key=HEARTBEATS,
        passed=report.beats_from_the_future == 0,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"beats_from_the_future": report.beats_from_the_future},
    )
