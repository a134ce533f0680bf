"""Every partitions definition of the project: by title, by region and by day of viewing."""

from __future__ import annotations

import dagster as dg

from orchestration.settings import Settings

title = dg.DynamicPartitionsDefinition(name="title")
"""One key per master that was accepted by the sensor; the key is the title's id."""

region = dg.DynamicPartitionsDefinition(name="region")
"""One key per region of ``dbt/seeds/regions.csv``."""


def event_day(settings: Settings) -> dg.DailyPartitionsDefinition:
    """Days of viewing, UTC, from the first day of the installation to today, today included."""
    return dg.DailyPartitionsDefinition(start_date=settings.first_event_day.isoformat(), end_offset=1)
