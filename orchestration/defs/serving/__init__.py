"""The serving stage: write a snapshot, check it, publish it, tell the API."""

from __future__ import annotations

import dagster as dg

from orchestration.defs.serving.candidate import build_candidate, fit_to_serve
from orchestration.defs.serving.snapshot import snapshot
from orchestration.settings import Settings

__all__ = ["build_defs"]


def build_defs(settings: Settings) -> dg.Definitions:
    """Assets and checks of the serving stage."""
    return dg.Definitions(
        assets=[build_candidate(origin_url=settings.origin_url), snapshot], asset_checks=[fit_to_serve]
    )
