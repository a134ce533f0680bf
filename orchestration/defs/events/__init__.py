"""The stage in which the loop closes: what players and the API reported enters the lake."""

from __future__ import annotations

import dagster as dg

from orchestration.defs.events import ingest
from orchestration.settings import Settings

__all__ = ["build_defs"]


def build_defs(settings: Settings) -> dg.Definitions:
    """Ingest of heartbeats and impressions; the places come from the resources."""
    return dg.Definitions(assets=[ingest.events])
