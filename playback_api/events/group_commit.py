"""Many concurrent requests, one fsync: the asyncio front of the log.

Whatever arrives while the disk is busy is stored by the next commit together, so the cost of an fsync is shared by
as many requests as there are. The queue is bounded: when the disk cannot keep up, callers are told at once.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from playback_api.events.errors import LogBusy, LogClosed
from playback_api.events.framing import RecordKind
from playback_api.events.log_writer import SegmentLogWriter, check_payload


@dataclass(frozen=True, slots=True)
class _Waiting:
    kind: RecordKind
    payload: bytes
    stored: asyncio.Future[None]


class GroupCommitLog:
    """Appends records from coroutines; ``append`` returns when its record is on disk.

    Use as ``async with``, or call ``start`` and ``close``.

    Args:
        writer: The log to write to; used by this object alone from now on, and closed with it.
        max_waiting_records: Bound of the queue.
        max_waiting_bytes: Bound of the queue's payloads.
    """

    def __init__(
        self, writer: SegmentLogWriter, *, max_waiting_records: int = 4096, max_waiting_bytes: int = 64 * 1024 * 1024
    ) -> None:
        self._writer = writer
        self._max_waiting_records = max_waiting_records
        self._max_waiting_bytes = max_waiting_bytes
        self._waiting: list[_Waiting] = []
        self._waiting_bytes = 0
        self._arrived = asyncio.Event()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"log-{writer.writer}")
        self._task: asyncio.Task[None] | None = None
        self._closing = False
        self.commits = 0
        """How many commits have been stored."""
        self.stored_bytes = 0
        """How many bytes they took."""
        self.failed_commits = 0
        """How many commits were not stored."""

    def start(self) -> None:
        """Begin to store; must be called inside the running event loop."""
        self._task = asyncio.get_running_loop().create_task(self._store_forever())

    async def append(self, kind: RecordKind, payload: bytes) -> None:
        """Store a record; returns after its fsync.

        Raises:
            LogBusy: The queue is full; nothing was taken.
            LogWriteError: The record is not stored.
            RecordTooLarge: No reader would accept it.
            LogClosed: The log is closing, or was never started.
        """
        if self._closing or self._task is None:
            raise LogClosed(f"the log of {self._writer.writer} takes no records now")
        check_payload(payload)
        if (
            len(self._waiting) >= self._max_waiting_records
            or self._waiting_bytes + len(payload) > self._max_waiting_bytes
        ):
            raise LogBusy(f"{len(self._waiting)} records wait to be stored by {self._writer.writer}")
        waiting = _Waiting(kind, payload, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        self._waiting_bytes += len(payload)
        self._arrived.set()
        await waiting.stored

    async def close(self) -> None:
        """Store what is waiting, then close the log."""
        if self._closing:
            return
        self._closing = True
        self._arrived.set()
        if self._task is not None:
            await self._task
        await asyncio.get_running_loop().run_in_executor(self._thread, self._writer.close)
        self._thread.shutdown()

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def _store_forever(self) -> None:
        while not (self._closing and not self._waiting):
            await self._arrived.wait()
            self._arrived.clear()
            batch, self._waiting, self._waiting_bytes = self._waiting, [], 0
            if batch:
                await self._store(batch)

    async def _store(self, batch: list[_Waiting]) -> None:
        commit = asyncio.get_running_loop().run_in_executor(self._thread, self._commit, batch)
        await asyncio.wait([commit])
        error = commit.exception()
        if error is None:
            self.commits += 1
            self.stored_bytes += commit.result()
        else:
            self.failed_commits += 1
        for waiting in batch:
            if waiting.stored.done():  # its request was cancelled meanwhile
                continue
            if error is None:
                waiting.stored.set_result(None)
            else:
                waiting.stored.set_exception(error)

    def _commit(self, batch: list[_Waiting]) -> int:
        for waiting in batch:
            self._writer.append(waiting.kind, waiting.payload)
        return self._writer.commit()
