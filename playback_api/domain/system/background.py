"""Work that repeats while the server runs. An action reports its own expected failures; a surprise ends it, visibly."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

logger = logging.getLogger(__name__)


class BackgroundWork:
    """Runs actions again and again, each in a task of its own."""

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[None]] = {}

    @property
    def ended(self) -> list[str]:
        """The actions that ended by a surprise; each is a reason not to be ready."""
        return [name for name, task in self._tasks.items() if task.done()]

    def repeat(self, name: str, action: Callable[[], Awaitable[object]], *, interval_s: float) -> None:
        """Call ``action`` every ``interval_s`` seconds, first after one interval."""
        task = asyncio.create_task(_repeat(action, interval_s), name=name)
        task.add_done_callback(_report)
        self._tasks[name] = task

    async def stop(self) -> None:
        """End all of it."""
        for task in self._tasks.values():
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks.values())
        self._tasks.clear()


async def _repeat(action: Callable[[], Awaitable[object]], interval_s: float) -> None:
    while True:
        await asyncio.sleep(interval_s)
        await action()


def _report(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.critical("background work %s ended: %r", task.get_name(), error, exc_info=error)
