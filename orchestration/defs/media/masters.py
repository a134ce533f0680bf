"""Where the masters of titles are: the folder where they land, seen with what the store knows of titles."""

from __future__ import annotations

from pathlib import Path

from orchestration.media.handover import master_file_of
from orchestration.media.masters import find_master, masters_by_title
from orchestration.settings import Settings
from orchestration.store import ObjectStore


def master_of(settings: Settings, store: ObjectStore, title_id: str) -> Path:
    """The master of a title.

    Raises:
        MasterMissing: No file that was delivered belongs to it.
    """
    return find_master(settings.masters_folder, title_id, lambda title: master_file_of(store, title))


def masters_of(settings: Settings, store: ObjectStore) -> dict[str, Path]:
    """Every master by title."""
    return masters_by_title(settings.masters_folder, lambda title: master_file_of(store, title))
