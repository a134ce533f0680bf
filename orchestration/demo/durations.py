"""How long the media is that the demo's viewers watch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from orchestration.media import PackageMissing, masters_by_title, read_current_package
from orchestration.sample import World
from orchestration.store import ObjectStore


def master_durations_s(store: ObjectStore, masters_folder: Path) -> dict[str, float]:
    """By the title of each master that is published; those in quarantine are left out."""
    durations_s = {}
    for title_id in masters_by_title(masters_folder):
        try:
            durations_s[title_id] = read_current_package(store, title_id).duration_s
        except PackageMissing:
            continue  # quarantined, and counted there
    return durations_s


def shown_durations_s(world: World, masters_s: Mapping[str, float]) -> dict[str, float]:
    """By the title of the world that shows a master's media; a title whose master is not published is left out."""
    shown = zip(world.titles["title_id"], world.titles["media_title_id"], strict=True)
    return {title_id: masters_s[source] for title_id, source in shown if source in masters_s}
