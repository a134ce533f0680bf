"""The fill of an edge: bring a plan's objects to the disk in order of value, at a rate, whatever interrupts it.

One plan at a time. What is on the disk already is kept, what was pulled is promoted, the rest is fetched by a few
workers, from a sibling that holds it or else from upstream, checked and placed. Viewers come first: while the edge
fetches what they miss, the fill waits. The job ends complete, failed (some objects could not be placed, or upstream is
gone) or interrupted (the window closed, the process went down); the same plan sent again carries on where it stopped.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field

import httpx

from playback_api.edge.counters import EdgeCounters
from playback_api.edge.errors import ContentMismatchError, EdgeNodeError, FillRunningError, UpstreamError
from playback_api.edge.schema import FailedObject, FillOrder, FillProgress, FillState
from playback_api.edge.store import EdgeStore, NoRoomError
from playback_api.edge.token_bucket import TokenBucket
from playback_api.edge.upstream import fetch
from playback_api.resilience import CircuitBreaker, CircuitState

logger = logging.getLogger(__name__)

ATTEMPTS_PER_OBJECT = 3
FIRST_RETRY_DELAY_S = 0.2
MAX_REPORTED_FAILURES = 100
PAUSE_STEP_S = 0.1
LONGEST_PAUSE_S = 2.0
"""A link that is never quiet carries one object of the fill in so many seconds: a busy night still brings a plan in."""
DISK_FULL = (errno.ENOSPC, errno.EDQUOT)


class _FillStoppedError(EdgeNodeError):
    """The job as a whole cannot go on; the message says why."""

    def __init__(self, state: FillState, reason: str) -> None:
        super().__init__(reason)
        self.state = state


@dataclass(slots=True)
class _Tally:
    """How far the running or last fill is."""

    plan_id: str | None = None
    state: FillState = "idle"
    rate_bps: float = 0.0
    objects_wanted: int = 0
    objects_done: int = 0
    objects_already_there: int = 0
    objects_promoted: int = 0
    bytes_wanted: int = 0
    bytes_done: int = 0
    bytes_already_there: int = 0
    bytes_moved: int = 0
    bytes_from_siblings: int = 0
    sibling_failures: int = 0
    paused_s: float = 0.0
    failed_count: int = 0
    failed: list[FailedObject] = field(default_factory=list)
    error: str | None = None
    started_at: float = 0.0
    ended_at: float | None = None


class FillJob:
    """Takes fill orders for a store and works them off in the background.

    Args:
        store: Where objects go.
        client: Fetches them.
        counters: Where filled objects are counted.
        viewers_use_link: Whether viewers need the link to upstream now.
        parallel: Objects in flight at a time.
        clock: Seconds that never run backwards, for rates.
        wall_clock: Unix seconds, for the end of the window.
        sleep: Waits, for the rate and between attempts.
    """

    def __init__(
        self,
        store: EdgeStore,
        client: httpx.AsyncClient,
        counters: EdgeCounters,
        *,
        viewers_use_link: Callable[[], bool],
        parallel: int = 4,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._store = store
        self._client = client
        self._counters = counters
        self._viewers_use_link = viewers_use_link
        self._parallel = parallel
        self._clock = clock
        self._wall_clock = wall_clock
        self._sleep = sleep
        self._task: asyncio.Task[None] | None = None
        self._order_lock = asyncio.Lock()
        self._tally = self._tally_of_restored_plan()

    @property
    def is_running(self) -> bool:
        """Whether objects are being brought in now."""
        return self._task is not None and not self._task.done()

    @property
    def is_busy(self) -> bool:
        """Whether objects are being brought in or an order is being taken."""
        return self.is_running or self._order_lock.locked()

    async def start(self, order: FillOrder) -> FillProgress:
        """Accept an order and begin; the plan that is being filled already is simply carried on.

        Raises:
            FillRefusedError: It contradicts itself, does not fit, or another plan is being filled.
        """
        async with self._order_lock:
            self._store.check_plan(order.groups)
            if self.is_running:
                if self._tally.plan_id == order.plan_id:
                    return self.progress()
                if not order.replace:
                    raise FillRunningError(self._tally.plan_id or "")
                await self._cancel()
            await self._store.adopt_plan(order.plan_id, order.groups)
            missing = self._begin_tally(order)
            self._task = asyncio.create_task(self._run(order, missing))
            self._task.add_done_callback(self._report_crash)
            return self.progress()

    async def close(self) -> None:
        """Stop where it stands, as the process is going down."""
        async with self._order_lock:
            await self._cancel()

    async def wait(self) -> None:
        """Wait for the running fill, if there is one."""
        if self._task is not None:
            await asyncio.wait([self._task])

    def progress(self) -> FillProgress:
        """Where the fill stands."""
        tally = self._tally
        groups_wanted, groups_complete = self._store.plan_progress()
        elapsed_s = 0.0
        if tally.started_at:
            elapsed_s = (self._clock() if tally.ended_at is None else tally.ended_at) - tally.started_at
        return FillProgress(
            plan_id=tally.plan_id,
            state=tally.state,
            groups_wanted=groups_wanted,
            groups_complete=groups_complete,
            objects_wanted=tally.objects_wanted,
            objects_done=tally.objects_done,
            objects_already_there=tally.objects_already_there,
            objects_promoted=tally.objects_promoted,
            bytes_wanted=tally.bytes_wanted,
            bytes_done=tally.bytes_done,
            bytes_moved=tally.bytes_moved,
            bytes_from_siblings=tally.bytes_from_siblings,
            sibling_failures=tally.sibling_failures,
            failed_count=tally.failed_count,
            failed=list(tally.failed),
            error=tally.error,
            rate_bps=tally.rate_bps,
            elapsed_s=elapsed_s,
            paused_s=tally.paused_s,
            eta_s=_eta_s(tally, elapsed_s),
        )

    def _tally_of_restored_plan(self) -> _Tally:
        if self._store.plan_id is None:
            return _Tally()
        tally = _Tally(plan_id=self._store.plan_id)
        self._count_present(tally)
        groups_wanted, groups_complete = self._store.plan_progress()
        tally.state = "complete" if groups_complete == groups_wanted else "interrupted"
        return tally

    def _begin_tally(self, order: FillOrder) -> list[tuple[str, int]]:
        tally = _Tally(plan_id=order.plan_id, state="filling", rate_bps=order.rate_bps, started_at=self._clock())
        missing = self._count_present(tally)
        self._tally = tally
        return missing

    def _count_present(self, tally: _Tally) -> list[tuple[str, int]]:
        missing: list[tuple[str, int]] = []
        for key in self._store.planned_objects():
            size_bytes = self._store.size_of(key)
            tally.objects_wanted += 1
            tally.bytes_wanted += size_bytes
            if self._store.is_placed(key):
                tally.objects_already_there += 1
                tally.bytes_already_there += size_bytes
            else:
                missing.append((key, size_bytes))
        tally.objects_done, tally.bytes_done = tally.objects_already_there, tally.bytes_already_there
        return missing

    async def _cancel(self) -> None:
        if self._task is None or self._task.done():
            return
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _run(self, order: FillOrder, missing: list[tuple[str, int]]) -> None:
        tally = self._tally
        worker_order = _WorkerOrder(
            base_url=order.upstream_url.rstrip("/"),
            siblings=self._siblings_of(order),
            stop_at=order.stop_at,
            missing=iter(missing),
            bucket=TokenBucket(order.rate_bps, clock=self._clock, sleep=self._sleep),
            breaker=CircuitBreaker("fill upstream", failure_threshold=2 * self._parallel, clock=self._clock),
        )
        try:
            async with asyncio.TaskGroup() as workers:
                for _ in range(min(self._parallel, len(missing))):
                    workers.create_task(self._work(worker_order))
            tally.state = "complete" if tally.failed_count == 0 else "failed"
        except* _FillStoppedError as stopped:
            first = stopped.exceptions[0]
            assert isinstance(first, _FillStoppedError)
            tally.state, tally.error = first.state, str(first)
        finally:
            tally.ended_at = self._clock()
            if tally.state == "filling":
                tally.state, tally.error = "interrupted", "stopped before its end"
            logger.info(
                "fill of %s: %s, %d of %d objects, %d bytes moved, %d failed%s",
                tally.plan_id,
                tally.state,
                tally.objects_done,
                tally.objects_wanted,
                tally.bytes_moved,
                tally.failed_count,
                f" ({tally.error})" if tally.error else "",
            )

    def _report_crash(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._tally.state, self._tally.error = "failed", f"the fill crashed: {error!r}"
            logger.error("the fill of %s crashed", self._tally.plan_id, exc_info=error)

    async def _work(self, order: _WorkerOrder) -> None:
        for key, size_bytes in order.missing:
            self._stop_at_end_of_window(order)
            if not self._store.is_wanted(key):  # purged meanwhile
                self._forget(size_bytes)
                continue
            try:
                await self._place(key, size_bytes, order)
            except (UpstreamError, ContentMismatchError, NoRoomError) as error:
                self._record_failure(key, str(error))
            except OSError as error:
                if error.errno in DISK_FULL:
                    raise _FillStoppedError(
                        "failed", f"the disk is full though its capacity is not: {error}"
                    ) from error
                self._record_failure(key, f"the disk does not take it: {error}")

    def _stop_at_end_of_window(self, order: _WorkerOrder) -> None:
        if order.stop_at is not None and self._wall_clock() >= order.stop_at:
            raise _FillStoppedError("interrupted", "the fill window closed; send the plan again when it opens")

    def _forget(self, size_bytes: int) -> None:
        self._tally.objects_wanted -= 1
        self._tally.bytes_wanted -= size_bytes

    async def _place(self, key: str, size_bytes: int, order: _WorkerOrder) -> None:
        if self._store.is_placed(key):
            self._tally.objects_already_there += 1
        elif await self._store.promote(key):
            self._tally.objects_promoted += 1
        elif await self._fetch_and_place(key, size_bytes, order):
            self._counters.fill_objects += 1
            self._counters.fill_bytes += size_bytes
        else:
            self._forget(size_bytes)
            return
        self._tally.objects_done += 1
        self._tally.bytes_done += size_bytes

    def _siblings_of(self, order: FillOrder) -> dict[str, _Sibling]:
        by_url: dict[str, _Sibling] = {}
        by_key: dict[str, _Sibling] = {}
        for group in order.groups:
            if group.sibling_url is not None:
                url = group.sibling_url.rstrip("/")
                sibling = by_url.setdefault(url, _Sibling(url, CircuitBreaker(f"sibling {url}", clock=self._clock)))
                by_key.update((item.key, sibling) for item in group.objects)
        return by_key

    async def _fetch_and_place(self, key: str, size_bytes: int, order: _WorkerOrder) -> bool:
        sibling = order.siblings.get(key)
        if sibling is not None:
            placed = await self._place_from_sibling(key, size_bytes, sibling, order)
            if placed is not None:
                return placed
        for attempt in range(1, ATTEMPTS_PER_OBJECT + 1):
            await self._await_turn(size_bytes, order)
            try:
                content = await self._fetch(f"{order.base_url}/media/{key}", order)
                return await self._store.add_placed(key, content)
            except (UpstreamError, ContentMismatchError, NoRoomError) as error:
                if attempt == ATTEMPTS_PER_OBJECT or (isinstance(error, UpstreamError) and error.status == 404):
                    raise
                await self._sleep(FIRST_RETRY_DELAY_S * 2 ** (attempt - 1))
        raise AssertionError("the last attempt returns or raises")

    async def _place_from_sibling(
        self, key: str, size_bytes: int, sibling: _Sibling, order: _WorkerOrder
    ) -> bool | None:
        """Whether the object was placed, None when upstream is to be asked."""
        try:
            if not sibling.breaker.allow():
                raise UpstreamError(f"{sibling.url} keeps failing and is not asked for now")
            await self._await_turn(size_bytes, order)
            content = await self._fetch_from_sibling(key, sibling)
            placed = await self._store.add_placed(key, content)
        except NoRoomError:
            return None  # what follows tries again, as for any object
        except (UpstreamError, ContentMismatchError) as error:
            self._tally.sibling_failures += 1
            self._counters.fill_sibling_failures += 1
            logger.info("fill of %s: %s comes from upstream: %s", self._tally.plan_id, key, error)
            return None
        if placed:
            self._counters.fill_sibling_objects += 1
            self._counters.fill_sibling_bytes += size_bytes
        return placed

    async def _fetch_from_sibling(self, key: str, sibling: _Sibling) -> bytes:
        try:
            answer = await fetch(self._client, f"{sibling.url}/media/{key}", only_if_cached=True)
        except UpstreamError as error:
            if error.status == 504:  # it answers: the object has left its disk since
                sibling.breaker.record_success()
            else:
                sibling.breaker.record_failure()
            raise
        sibling.breaker.record_success()
        self._tally.bytes_moved += len(answer.content)
        self._tally.bytes_from_siblings += len(answer.content)
        return answer.content

    async def _await_turn(self, size_bytes: int, order: _WorkerOrder) -> None:
        await order.bucket.take(size_bytes)
        await self._give_way_to_viewers(order)
        self._stop_at_end_of_window(order)

    async def _give_way_to_viewers(self, order: _WorkerOrder) -> None:
        async with order.next_to_go:  # one by one: a busy link carries an object a pause, not one of every worker
            started_at = now = self._clock()
            while self._viewers_use_link() and now - started_at < LONGEST_PAUSE_S:
                await self._sleep(PAUSE_STEP_S)
                paused_s = self._clock() - now
                self._tally.paused_s += paused_s
                self._counters.fill_paused_s += paused_s
                now += paused_s

    async def _fetch(self, url: str, order: _WorkerOrder) -> bytes:
        if not order.breaker.allow():
            raise _FillStoppedError("failed", f"{order.base_url} keeps failing; send the plan again when it is back")
        try:
            answer = await fetch(self._client, url)
        except UpstreamError as error:
            order.breaker.record_failure()
            if order.breaker.state is not CircuitState.CLOSED:
                raise _FillStoppedError("failed", f"{order.base_url} keeps failing: {error}") from error
            raise
        order.breaker.record_success()
        self._tally.bytes_moved += len(answer.content)
        if answer.status == 404:
            raise UpstreamError(f"{order.base_url} has no such object", status=404)
        return answer.content

    def _record_failure(self, key: str, reason: str) -> None:
        self._tally.failed_count += 1
        if len(self._tally.failed) < MAX_REPORTED_FAILURES:
            self._tally.failed.append(FailedObject(key=key, reason=reason))
        logger.warning("fill of %s: %s: %s", self._tally.plan_id, key, reason)


@dataclass(frozen=True, slots=True)
class _Sibling:
    """Another edge that objects of the fill are fetched from; one that keeps failing is not asked."""

    url: str
    breaker: CircuitBreaker


@dataclass(frozen=True, slots=True)
class _WorkerOrder:
    """What the workers of one fill share; they take (key, size) from one iterator."""

    base_url: str
    siblings: Mapping[str, _Sibling]
    stop_at: float | None
    missing: Iterator[tuple[str, int]]
    bucket: TokenBucket
    breaker: CircuitBreaker
    next_to_go: asyncio.Lock = field(default_factory=asyncio.Lock)


def _eta_s(tally: _Tally, elapsed_s: float) -> float | None:
    if tally.state == "complete":
        return 0.0
    if tally.state != "filling":
        return None
    left_bytes = tally.bytes_wanted - tally.bytes_done
    gained_bytes = tally.bytes_done - tally.bytes_already_there
    if gained_bytes > 0 and elapsed_s > 0:
        return left_bytes * elapsed_s / gained_bytes
    return left_bytes * 8 / tally.rate_bps if tally.rate_bps > 0 else None
