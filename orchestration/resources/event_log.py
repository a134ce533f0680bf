"""The event log as a Dagster resource."""

from __future__ import annotations

from pathlib import Path

import dagster as dg

from playback_api.events import SegmentLogReader


class EventLogFolder(dg.ConfigurableResource):
    """Where collectors and the control API append what happened: one folder per writer."""

    folder: str

    def reader(self) -> SegmentLogReader:
        """A reader of all writers' segments."""
        return SegmentLogReader(Path(self.folder))
