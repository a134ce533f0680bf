"""Puts the code location together: every stage's definitions, the jobs and schedules, and the resources.

``build_definitions`` is what tests and the command line call too, with resources of their own.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import dagster as dg

from orchestration import automation
from orchestration.defs import catalogue, demand, edge, events, media, ops, recommender, serving, warehouse
from orchestration.resources.dbt_runner import DbtRunner
from orchestration.resources.edges import EdgeFleet
from orchestration.resources.event_log import EventLogFolder
from orchestration.resources.ffmpeg import read_media_tools
from orchestration.resources.serving import ServingPlane
from orchestration.resources.storage import MediaStorage
from orchestration.resources.tracking import ModelTracking
from orchestration.resources.warehouse import Warehouse
from orchestration.settings import Settings, read_settings

STAGES = (media, catalogue, events, warehouse, recommender, demand, edge, serving, ops)


def build_definitions(
    settings: Settings | None = None, *, resource_overrides: Mapping[str, Any] | None = None
) -> dg.Definitions:
    """Everything Dagster is told about Matinee.

    Args:
        settings: Where everything lives; read from the environment when not given.
        resource_overrides: Resources to use in place of the installation's own, by key.
    """
    settings = settings or read_settings()
    resources = {**build_resources(settings), **(resource_overrides or {})}
    stages = [stage.build_defs(settings) for stage in STAGES]
    return dg.Definitions.merge(
        *stages, automation.build_defs(), dg.Definitions(resources=resources, executor=executor())
    )


def build_resources(settings: Settings) -> dict[str, Any]:
    """The resources of one installation, by the keys that assets ask for."""
    return {
        "storage": MediaStorage(root=str(settings.store_folder)),
        "warehouse": Warehouse(lake_folder=str(settings.lake_folder)),
        "event_log": EventLogFolder(folder=str(settings.event_log_folder)),
        "media_tools": read_media_tools(),
        "tracking": ModelTracking(
            tracking_uri=settings.mlflow_uri, artifact_folder=str(settings.mlflow_artifact_folder)
        ),
        "edges": EdgeFleet(secret=settings.secret, urls=settings.edge_urls),
        "serving": ServingPlane(control_url=settings.control_url),
        "dbt": DbtRunner(project_folder=str(warehouse.PROJECT_FOLDER), parsed_folder=str(warehouse.target_folder())),
    }


def executor() -> dg.ExecutorDefinition:
    """How the steps of a run are executed.

    In the run's own process by default, since on one small machine a step's process costs more than most steps do;
    ``MATINEE_EXECUTOR=multiprocess`` gives each step its own.
    """
    if os.environ.get("MATINEE_EXECUTOR", "in_process") == "multiprocess":
        return dg.multiprocess_executor
    return dg.in_process_executor
