"""Work beside playback: heartbeats and steering, which must never make the viewer wait.

In real time each job runs as a task of its own. In virtual time it runs to its end on the spot, so that the order of
everything is the same in each run; the emulated transport charges such requests no time (``BACKGROUND_EXTENSION``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from player_sdk.clock import Clock, VirtualClock

BACKGROUND_EXTENSION = "player_sdk.background"
"""Set in a request's ``extensions`` when the player does not wait for its answer."""


class Background:
    """Runs one job at a time; a job asked for while one runs is not started.

    Args:
        clock: Decides whether jobs run beside playback or on the spot.
    """

    def __init__(self, clock: Clock) -> None:
        self._on_the_spot = isinstance(clock, VirtualClock)
        self._task: asyncio.Task[None] | None = None

    async def run(self, job: Callable[[], Awaitable[None]]) -> None:
        """Start a job unless the last one still runs."""
        if self._on_the_spot:
            await job()
        elif self._task is None or self._task.done():
            self._task = asyncio.ensure_future(_as_coroutine(job))

    async def join(self) -> None:
        """Wait for the running job.

        Raises:
            Exception: What the job raised.
        """
        if self._task is not None:
            task, self._task = self._task, None
            await task

    async def cancel(self) -> None:
        """Stop the running job and wait until it has gone."""
        if self._task is not None:
            task, self._task = self._task, None
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def _as_coroutine(job: Callable[[], Awaitable[None]]) -> None:
    await job()
