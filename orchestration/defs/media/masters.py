"""Where the masters of titles are, and what the steps of a title are given of this installation."""

from __future__ import annotations

from pathlib import Path

from orchestration.media.handover import master_file_of
from orchestration.media.masters import find_master, masters_by_title
from orchestration.media.protection import ContentKeys
from orchestration.media.title_work import TitleWork
from orchestration.resources.ffmpeg import MediaTools
from orchestration.resources.storage import MediaStorage
from orchestration.settings import Settings
from orchestration.store import ObjectStore


def title_work(settings: Settings, title_id: str, storage: MediaStorage, media_tools: MediaTools) -> TitleWork:
    """A title on its way through the steps; its master is the file that was delivered for it."""
    store = storage.store()
    return TitleWork(
        store=store,
        title_id=title_id,
        master=lambda: find_master(settings.masters_folder, title_id, lambda title: master_file_of(store, title)),
        settings=media_tools.settings(),
        work_folder=settings.work_folder,
        keys=ContentKeys(settings.secret),
    )


def masters_of(settings: Settings, store: ObjectStore) -> dict[str, Path]:
    """Every master by title."""
    return masters_by_title(settings.masters_folder, lambda title: master_file_of(store, title))
