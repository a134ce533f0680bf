"""The stage of those who keep the platform: the lake's upkeep, the quality that viewers had, the plans, the network."""

from __future__ import annotations

import dagster as dg

from orchestration.defs.ops import hindsight, lake_maintenance, network, quality, retention
from orchestration.settings import Settings

__all__ = ["build_defs"]


def build_defs(settings: Settings) -> dg.Definitions:
    """The assets of the stage; the places come from the resources."""
    return dg.Definitions(
        assets=[
            lake_maintenance.lake_maintenance,
            quality.quality_of_experience,
            hindsight.hindsight,
            network.network,
            retention.published_retention,
        ]
    )
