"""The object store as a Dagster resource."""

from __future__ import annotations

from pathlib import Path

import dagster as dg

from orchestration.store import LocalStore


class MediaStorage(dg.ConfigurableResource[None]):
    """Where media, forecasts, plans and snapshots live: a folder that every process of the installation sees."""

    root: str

    def store(self) -> LocalStore:
        """The store below ``root``."""
        return LocalStore(Path(self.root))
