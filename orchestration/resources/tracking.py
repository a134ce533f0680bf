"""MLflow as a Dagster resource."""

from __future__ import annotations

from pathlib import Path

import dagster as dg

from ml.tracking import Tracker


class ModelTracking(dg.ConfigurableResource):
    """Where runs, models and the champion are kept: a SQLite file today, a shared database when it is outgrown."""

    tracking_uri: str
    artifact_folder: str

    def tracker(self) -> Tracker:
        """A tracker on this store; MLflow is imported when it is first used."""
        return Tracker(self.tracking_uri, Path(self.artifact_folder))
