"""Beats that come late: the days they were sent on are built again."""

import datetime as dt

import dagster as dg

from orchestration.automation import BUILD_WAREHOUSE, event_day_range_tags
from orchestration.settings import Settings

HEARTBEATS = dg.AssetKey(["events", "heartbeats"])
REGULAR_DAYS = 1
"""Today and so many days before it are built again by schedule in any case."""
INGESTS_A_LOOK = 100
"""More ingests than that wait for the sensor's next look."""


def late_range(event_days: list[str], today: dt.date, first_event_day: dt.date) -> tuple[dt.date, dt.date] | None:
    """First and last of the days that something arrived for and that no schedule builds again; None for no such day."""
    newest_late_day = today - dt.timedelta(days=REGULAR_DAYS + 1)
    late = [day for day in map(dt.date.fromisoformat, event_days) if first_event_day <= day <= newest_late_day]
    return (min(late), max(late)) if late else None


def build_sensor(settings: Settings) -> dg.SensorDefinition:
    """Watches ingests and asks for one run over the late days that they brought something for since the last look."""

    @dg.sensor(
        name="late_event_days",
        job_name=BUILD_WAREHOUSE,
        description="Rebuilds the days that late beats arrived for, in one run.",
    )
    def late_event_days(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        ingests = _new_ingests(context)
        if not ingests:
            return dg.SkipReason("no ingest since the last look")
        context.update_cursor(str(ingests[-1].storage_id))
        found = [late_range(_event_days(ingest), _day_of(ingest), settings.first_event_day) for ingest in ingests]
        ranges = [days for days in found if days is not None]
        if not ranges:
            return dg.SkipReason("nothing arrived for a day that is not built by schedule")
        first, last = min(first for first, _ in ranges), max(last for _, last in ranges)
        return dg.RunRequest(run_key=f"{ingests[-1].run_id}-{first}", tags=event_day_range_tags(first, last))

    return late_event_days


def _new_ingests(context: dg.SensorEvaluationContext) -> list[dg.EventLogRecord]:
    """Ingests after the cursor, oldest first; at the first look only the newest one."""
    if context.cursor is None:
        return list(context.instance.fetch_materializations(HEARTBEATS, limit=1).records)
    since = dg.AssetRecordsFilter(asset_key=HEARTBEATS, after_storage_id=int(context.cursor))
    return list(context.instance.fetch_materializations(since, limit=INGESTS_A_LOOK, ascending=True).records)


def _event_days(ingest: dg.EventLogRecord) -> list[str]:
    materialization = ingest.asset_materialization
    metadata = materialization.metadata if materialization else {}
    return list(metadata["event_days"].value) if "event_days" in metadata else []  # type: ignore[arg-type]


def _day_of(ingest: dg.EventLogRecord) -> dt.date:
    return dt.datetime.fromtimestamp(ingest.timestamp, tz=dt.UTC).date()
