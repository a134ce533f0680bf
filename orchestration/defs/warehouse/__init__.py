"""The warehouse's stage: the dbt project as assets and checks, and the sensor for late days."""

from __future__ import annotations

import json

import dagster as dg

from orchestration.defs.warehouse import builds, late_days
from orchestration.defs.warehouse.project import PROJECT_FOLDER, prepared_manifest, target_folder
from orchestration.settings import Settings

__all__ = ["PROJECT_FOLDER", "build_defs", "target_folder"]


def build_defs(settings: Settings) -> dg.Definitions:
    """All models and seeds with their tests."""
    manifest = json.loads(prepared_manifest().read_bytes())
    return dg.Definitions(assets=builds.build_assets(settings, manifest), sensors=[late_days.build_sensor(settings)])
