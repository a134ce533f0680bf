"""Beats that come late: the days they were sent on are built again."""

import datetime as dt

import dagster as dg

from orchestration.automation import BUILD_WAREHOUSE, event_day_range_tags
from orchestration.settings import Settings

HEARTBEATS = dg.AssetKey(["events", "heartbeats"])
REGULAR_DAYS = 1
"""Today and so many days before it are built again by schedule in any case."""


def late_range(event_days: list[str], today: dt.date, first_event_day: dt.date) -> tuple[dt.date, dt.date] | None:
    """First and last of the days that something arrived for and that no schedule builds again; None for no such day."""
    newest_late_day = today - dt.timedelta(days=REGULAR_DAYS + 1)
    late = [day for day in map(dt.date.fromisoformat, event_days) if first_event_day <= day <= newest_late_day]
    return (min(late), max(late)) if late else None


def build_sensor(settings: Settings) -> dg.SensorDefinition:
    """Watches ingests and asks for one run over the late days that an ingest brought something for."""

    @dg.asset_sensor(
        asset_key=HEARTBEATS,
        name="late_event_days",
        job_name=BUILD_WAREHOUSE,
        description="Rebuilds the days that late beats arrived for, in one run.",
    )
    def late_event_days(
        context: dg.SensorEvaluationContext, asset_event: dg.EventLogEntry
    ) -> dg.RunRequest | dg.SkipReason:
        materialization = asset_event.asset_materialization
        metadata = materialization.metadata if materialization else {}
        event_days = metadata["event_days"].value if "event_days" in metadata else []
        today = dt.datetime.fromtimestamp(asset_event.timestamp, tz=dt.UTC).date()
        days = late_range(list(event_days), today, settings.first_event_day)  # type: ignore[arg-type]
        if days is None:
            return dg.SkipReason("nothing arrived for a day that is not built by schedule")
        return dg.RunRequest(
            run_key=f"{asset_event.run_id}-{days[0]}",
            tags=event_day_range_tags(*days),
        )

    return late_event_days
