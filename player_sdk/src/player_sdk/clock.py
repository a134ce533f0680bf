"""Time as the player sees it: the system's clock, or a virtual one that only moves when somebody sleeps.

Everything in the SDK that needs the time takes a ``Clock``; nothing else in it reads one. What runs beside playback
(heartbeats, steering) must not be scheduled by the machine's load when time is virtual: see ``background``.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from typing import Protocol, runtime_checkable


@runtime_checkable
class Clock(Protocol):
    """A monotonic clock in seconds, the UTC time that goes with it, and a way to wait."""

    def now(self) -> float:
        """Seconds since an arbitrary start; never goes back."""
        ...

    def utc_now(self) -> dt.datetime:
        """The same moment as an aware UTC time."""
        ...

    async def sleep(self, duration_s: float) -> None:
        """Wait; returns at once for durations of zero or less."""
        ...


class SystemClock:
    """Real time."""

    def now(self) -> float:
        """Seconds of the monotonic system clock."""
        return time.monotonic()

    def utc_now(self) -> dt.datetime:
        """The system's UTC time."""
        return dt.datetime.now(dt.UTC)

    async def sleep(self, duration_s: float) -> None:
        """Wait in real time."""
        if duration_s > 0:
            await asyncio.sleep(duration_s)


class VirtualClock:
    """Time that stands still until ``sleep`` or ``advance`` moves it: nothing that waits for it takes any.

    Args:
        start_utc: The UTC time at which ``now()`` is 0; must be aware.
    """

    def __init__(self, start_utc: dt.datetime) -> None:
        if start_utc.tzinfo is None:
            raise ValueError("start_utc must be an aware time; give it tzinfo=datetime.UTC")
        self._start_utc = start_utc.astimezone(dt.UTC)
        self._now_s = 0.0

    def now(self) -> float:
        """Virtual seconds since the start."""
        return self._now_s

    def utc_now(self) -> dt.datetime:
        """The start plus the virtual seconds."""
        return self._start_utc + dt.timedelta(seconds=self._now_s)

    def advance(self, duration_s: float) -> None:
        """Move time on.

        Raises:
            ValueError: ``duration_s`` is negative.
        """
        if duration_s < 0:
            raise ValueError(f"time does not go back: advance({duration_s})")
        self._now_s += duration_s

    def advance_to(self, now_s: float) -> None:
        """Move time on to a moment; one that has passed changes nothing."""
        self._now_s = max(self._now_s, now_s)

    async def sleep(self, duration_s: float) -> None:
        """Move time on at once, without waiting."""
        if duration_s > 0:
            self._now_s += duration_s
