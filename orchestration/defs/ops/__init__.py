"""The stage of those who keep the platform: the lake's upkeep, and the quality that viewers had."""

from __future__ import annotations

import dagster as dg

from orchestration.defs.ops import lake_maintenance, quality
from orchestration.settings import Settings

__all__ = ["build_defs"]


def build_defs(settings: Settings) -> dg.Definitions:
    """`ops/lake_maintenance` and `ops/quality_of_experience`; the places come from the resources."""
    return dg.Definitions(assets=[lake_maintenance.lake_maintenance, quality.quality_of_experience])
