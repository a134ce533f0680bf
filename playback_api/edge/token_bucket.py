"""A token bucket over bits: the pace of a fill."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable


class TokenBucket:
    """Hands out bits at a rate; whoever takes more than there is waits for his turn.

    Takers are served in order. A take may be larger than the bucket: it then waits in proportion, so the long-run rate
    holds for any object size.

    Args:
        rate_bps: Bits per second; 0 hands out without limit.
        burst_s: Seconds of the rate that may be saved up while nobody takes.
        clock, sleep: Time, real or a test's.
    """

    def __init__(
        self,
        rate_bps: float,
        *,
        burst_s: float = 0.25,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._rate_bps = rate_bps
        self._burst_s = burst_s
        self._clock = clock
        self._sleep = sleep
        self._free_at = clock()

    async def take(self, size_bytes: int) -> None:
        """Wait until ``size_bytes`` may be moved."""
        if self._rate_bps <= 0:
            return
        now = self._clock()
        starts_at = max(self._free_at, now - self._burst_s)
        self._free_at = starts_at + size_bytes * 8 / self._rate_bps
        if self._free_at > now:
            await self._sleep(self._free_at - now)
