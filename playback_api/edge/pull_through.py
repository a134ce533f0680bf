"""Pull-through: what is not on the disk is fetched once, however many ask for it at the same time."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from playback_api.delivery import is_immutable
from playback_api.edge.counters import EdgeCounters
from playback_api.edge.store import EdgeStore
from playback_api.edge.upstream import Upstream, UpstreamObject

MAX_REMEMBERED_MISSES = 10_000


@dataclass(frozen=True, slots=True)
class Pulled:
    """An answer from upstream.

    Attributes:
        content: The whole object, None when upstream has none.
        stored: Whether the edge has it now.
        collapsed: Whether it came with somebody else's request.
        negative: Whether its absence was remembered and nobody was asked.
    """

    content: bytes | None
    stored: bool = False
    collapsed: bool = False
    negative: bool = False


class PullThrough:
    """Fetches misses, one request an object, and lets the store keep them.

    Args:
        store: Keeps what fits.
        upstream: Where objects come from.
        counters: Where upstream traffic is counted.
        negative_ttl_s: How long an absence is remembered: long enough for a burst, short enough for a new title.
        clock: Seconds that never run backwards.
    """

    def __init__(
        self,
        store: EdgeStore,
        upstream: Upstream,
        counters: EdgeCounters,
        *,
        negative_ttl_s: float = 3.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._upstream = upstream
        self._counters = counters
        self._negative_ttl_s = negative_ttl_s
        self._clock = clock
        self._in_flight: dict[str, asyncio.Task[Pulled]] = {}
        self._absent_until: OrderedDict[str, float] = OrderedDict()

    async def get(self, key: str) -> Pulled:
        """The object from upstream.

        Whoever waits for it gets the same answer or the same error; a waiter that goes away does not stop it for the
        others, and a failure is not remembered.

        Raises:
            UpstreamError: It could not be fetched.
        """
        if self._is_remembered_absent(key):
            self._counters.negative_hits += 1
            return Pulled(None, negative=True)
        running = self._in_flight.get(key)
        if running is not None:
            self._counters.coalesced += 1
            pulled = await asyncio.shield(running)
            return Pulled(pulled.content, stored=pulled.stored, collapsed=True)
        task = asyncio.create_task(self._fetch(key))
        self._in_flight[key] = task
        task.add_done_callback(lambda done: self._settle(key, done))
        return await asyncio.shield(task)

    async def head(self, key: str) -> UpstreamObject:
        """Size of an object at upstream, or its absence.

        Raises:
            UpstreamError: Upstream could not say.
        """
        if self._is_remembered_absent(key):
            self._counters.negative_hits += 1
            return UpstreamObject(404)
        self._counters.upstream_requests += 1
        return await self._upstream.head(key)

    async def drain(self) -> None:
        """Wait until nothing is in flight; whoever waits for it gets his answer. Nobody may ask for more meanwhile."""
        if self._in_flight:
            await asyncio.wait(list(self._in_flight.values()))

    async def close(self) -> None:
        """End what is in flight."""
        tasks = list(self._in_flight.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _fetch(self, key: str) -> Pulled:
        self._counters.upstream_requests += 1
        answer = await self._upstream.get(key)
        if answer.status == 404:
            self._remember_absent(key)
            return Pulled(None)
        self._counters.upstream_bytes += answer.size_bytes
        stored = is_immutable(key) and await self._store.add_cached(key, answer.content)
        if not stored:
            self._counters.passed_through += 1
        return Pulled(answer.content, stored=stored)

    def _settle(self, key: str, task: asyncio.Task[Pulled]) -> None:
        del self._in_flight[key]
        if not task.cancelled() and task.exception() is not None:
            self._counters.upstream_errors += 1

    def _is_remembered_absent(self, key: str) -> bool:
        until = self._absent_until.get(key)
        if until is None:
            return False
        if self._clock() < until:
            return True
        del self._absent_until[key]
        return False

    def _remember_absent(self, key: str) -> None:
        self._absent_until.pop(key, None)
        self._absent_until[key] = self._clock() + self._negative_ttl_s
        if len(self._absent_until) > MAX_REMEMBERED_MISSES:
            self._absent_until.popitem(last=False)
