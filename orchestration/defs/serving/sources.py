"""What earlier stages left in the store for the snapshot: placement plans and the published recommender."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import polars as pl

from orchestration.defs.recommender import publication_store
from orchestration.edge.errors import PlanUnusableError
from orchestration.edge.plan import PlacementPlan, read_current_plan
from orchestration.store import ObjectMissing, ObjectStore
from playback_api.snapshot import ModelRecord


class SourceDamaged(Exception):
    """A pointer names something that is not there or cannot be read."""


@dataclass(frozen=True, kw_only=True)
class PublishedRecommender:
    """The newest recommender; ``folder`` is None while nothing was published."""

    folder: Path | None
    models: list[ModelRecord]


def read_plans(store: ObjectStore, region_ids: Iterable[str]) -> list[PlacementPlan]:
    """The plans in force, of every region that was planned.

    Raises:
        SourceDamaged: A plan cannot be used.
    """
    try:
        plans = [read_current_plan(store, region_id) for region_id in region_ids]
    except (PlanUnusableError, pl.exceptions.PolarsError) as error:
        raise SourceDamaged(f"a placement plan cannot be used, plan the region again: {error}") from error
    return [plan for plan in plans if plan is not None]


def read_recommender(store: ObjectStore) -> PublishedRecommender:
    """The folder that ``models/recommender/CURRENT`` names, and which registered models made it.

    Raises:
        SourceDamaged: The pointer names a folder that is not there.
    """
    try:
        key = store.read_bytes(publication_store.POINTER_KEY).decode().strip()
    except ObjectMissing:
        return PublishedRecommender(folder=None, models=[])
    folder = store.local_path(key)
    if not folder.is_dir():
        raise SourceDamaged(f"{publication_store.POINTER_KEY} names {key}, which does not exist")
    models_key = f"{key}/{publication_store.MODELS_FILE}"
    try:
        models = msgspec.json.decode(store.read_bytes(models_key), type=list[ModelRecord])
    except (ObjectMissing, msgspec.DecodeError) as error:
        raise SourceDamaged(f"{models_key} cannot be read: {error}") from error
    return PublishedRecommender(folder=folder, models=models)
