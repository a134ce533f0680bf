"""How heartbeats reach the profiles: in the background, coalesced, and never at the cost of a beat.

The event log has the beats already when this begins; a profile that cannot be written now is logged and counted, and
only the live view of that viewer lags.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

from playback_api.events import Beat
from playback_api.profile.models import Progress
from playback_api.profile.store import ProfileError, ProfileStore

logger = logging.getLogger(__name__)


def progress_of(beats: Iterable[Beat], received_at: dt.datetime) -> list[Progress]:
    """What beats say of progress.

    A beat that does not know the length, or where nothing has been played yet, says nothing: a session that never
    started must not send a half-watched title back to its beginning. A client clock that is ahead counts as now.
    """
    return [
        Progress(
            viewer_id=beat.viewer_id,
            title_id=beat.title_id,
            position_s=beat.position_s,
            duration_s=beat.duration_s,
            seen_at=min(beat.sent_at, received_at),
        )
        for beat in beats
        if beat.duration_s > 0 and beat.position_s > 0 and beat.kind != "start"
    ]


class ProfileFeed:
    """Writes progress to a profile store from an event loop, in batches, on a thread of its own.

    Args:
        open_store: Opens the store; called again as long as it fails.
        max_waiting: How many viewer-title pairs may wait; beyond it, progress is dropped and counted.
    """

    def __init__(self, open_store: Callable[[], ProfileStore], *, max_waiting: int = 100_000) -> None:
        self._open_store = open_store
        self._max_waiting = max_waiting
        self._store: ProfileStore | None = None
        self._waiting: dict[tuple[str, str], Progress] = {}
        self._arrived = asyncio.Event()
        self._closing = False
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="profile")
        self._task: asyncio.Task[None] | None = None
        self.recorded = 0
        """How many updates have been written."""
        self.dropped = 0
        """How many were not: the store failed, or too much was waiting."""

    def start(self) -> None:
        """Begin to write; must be called inside the running event loop."""
        self._task = asyncio.get_running_loop().create_task(self._write_forever())

    def offer(self, progress: Iterable[Progress]) -> None:
        """Hand over progress; returns at once and never raises."""
        for item in progress:
            key = (item.viewer_id, item.title_id)
            known = self._waiting.get(key)
            if known is None and len(self._waiting) >= self._max_waiting:
                self.dropped += 1
            elif known is None or item.seen_at >= known.seen_at:
                self._waiting[key] = item
        if self._waiting:
            self._arrived.set()

    async def close(self) -> None:
        """Write what is waiting and close the store."""
        self._closing = True
        self._arrived.set()
        if self._task is not None:
            await self._task
        if self._store is not None:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._store.close)
        self._thread.shutdown()

    async def _write_forever(self) -> None:
        loop = asyncio.get_running_loop()
        while not (self._closing and not self._waiting):
            await self._arrived.wait()
            self._arrived.clear()
            batch, self._waiting = list(self._waiting.values()), {}
            if not batch:
                continue
            try:
                await loop.run_in_executor(self._thread, self._write, batch)
            except ProfileError as error:
                self.dropped += len(batch)
                logger.warning(
                    "progress of %d viewer-title pairs is missing in the live profile: %s", len(batch), error
                )
            else:
                self.recorded += len(batch)

    def _write(self, batch: list[Progress]) -> None:
        if self._store is None:
            self._store = self._open_store()
        self._store.record_progress(batch)
