"""Logging what was shown, in the background: never at the cost of a page.

Pages are put into a bounded queue; one task stores them in the event log. What does not fit, or cannot be stored, is
dropped and counted.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

from playback_api.domain.counters import Counters
from playback_api.events import Impression, LogError, RecordKind, encode_impression

logger = logging.getLogger(__name__)

MAX_WAITING = 2048
BATCH = 256
CLOSE_TIMEOUT_S = 5.0


class EventLog(Protocol):
    """What is needed of ``playback_api.events.GroupCommitLog``."""

    def start(self) -> None:
        """Begin to store."""
        ...

    async def append(self, kind: RecordKind, payload: bytes) -> None:
        """Store a record durably; raises LogError."""
        ...

    async def close(self) -> None:
        """Store what is waiting and close."""
        ...


class ImpressionRecorder:
    """Takes impressions at once and stores them when it can.

    Args:
        open_log: Opens the event log, when the server starts.
        counters: Where stored and dropped impressions are counted.
        max_waiting: Bound of the queue.
    """

    def __init__(self, open_log: Callable[[], EventLog], counters: Counters, *, max_waiting: int = MAX_WAITING) -> None:
        self._open_log = open_log
        self._counters = counters
        self._waiting: asyncio.Queue[Impression] = asyncio.Queue(max_waiting)
        self._log: EventLog | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Open the log and begin to store; must be called inside the running event loop."""
        self._log = self._open_log()
        self._log.start()
        self._task = asyncio.create_task(self._store_forever(self._log), name="impressions")

    def record(self, impression: Impression) -> None:
        """Hand over a page; returns at once and never raises."""
        try:
            self._waiting.put_nowait(impression)
        except asyncio.QueueFull:
            self._counters.add("impressions_dropped", reason="queue-full")

    async def close(self) -> None:
        """Store what is waiting and close the log."""
        if self._task is None or self._log is None:
            return
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await self._waiting.join()
        except TimeoutError:
            logger.error("%d impressions were not stored in time and are lost", self._waiting.qsize())
            self._counters.add("impressions_dropped", self._waiting.qsize(), reason="closing")
        self._task.cancel()
        await asyncio.wait([self._task])
        await self._log.close()
        self._task = None

    async def _store_forever(self, log: EventLog) -> None:
        while True:
            batch = [await self._waiting.get()]
            while len(batch) < BATCH and not self._waiting.empty():
                batch.append(self._waiting.get_nowait())
            await asyncio.gather(*(self._store(log, impression) for impression in batch))
            for _ in batch:
                self._waiting.task_done()

    async def _store(self, log: EventLog, impression: Impression) -> None:
        try:
            await log.append(RecordKind.IMPRESSION, encode_impression(impression))
        except LogError as error:
            self._counters.add("impressions_dropped", reason=type(error).__name__)
            logger.warning("impression %s is lost: %s", impression.impression_id, error)
        else:
            self._counters.add("impressions_stored")
