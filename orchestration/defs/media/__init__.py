"""The media stage: from a master that lands to a package that is served, one partition per title."""

from __future__ import annotations

import dagster as dg

from orchestration.defs.media import (
    early,
    encoding,
    intake,
    landing,
    packaging,
    quality,
    retention,
    sharing,
    sidecars,
    storyboards,
)
from orchestration.settings import Settings

__all__ = ["build_defs"]


def build_defs(settings: Settings) -> dg.Definitions:
    """Assets, checks and the sensor of this stage."""
    return dg.Definitions(
        assets=[
            *intake.build_assets(settings),
            *early.build_assets(settings),
            *encoding.build_assets(settings),
            *quality.build_assets(settings),
            *sidecars.build_assets(settings),
            *packaging.build_assets(settings),
            *storyboards.build_assets(settings),
            *sharing.build_assets(settings),
            *retention.build_assets(),
        ],
        sensors=[landing.build_sensor(settings)],
    )
