"""The way to the origin or a parent: one GET, its failures named, its distance emulated openly.

On one machine every host is equally near. So the edge knows how far its upstream would be and says so in
``Server-Timing``; clients that keep a virtual clock add it. Nobody sleeps.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import httpx

from playback_api.edge.errors import UpstreamError, UpstreamTimeoutError
from playback_api.resilience import CircuitBreaker, CircuitState, RetryBudget

MAX_OBJECT_BYTES = 256 * 1024 * 1024
"""Objects are held in memory while they pass; segments are far smaller."""
IN_USE_AFTER_S = 1.0
"""A viewer who missed one object is about to ask for the next."""


@dataclass(frozen=True, slots=True)
class UpstreamObject:
    """What upstream answered: an object, or that there is none (404). A HEAD has a size and no content."""

    status: int
    content: bytes = b""
    size_bytes: int = 0


async def fetch(
    client: httpx.AsyncClient, url: str, *, method: str = "GET", only_if_cached: bool = False
) -> UpstreamObject:
    """Ask for one object; ``only_if_cached`` wants it from the disk of an edge, which answers 504 without it.

    Raises:
        UpstreamTimeoutError: No answer in time.
        UpstreamError: No connection, a broken answer, or a status other than 200, 404 and 410.
    """
    headers = {"accept-encoding": "identity"}
    if only_if_cached:
        headers["cache-control"] = "only-if-cached"
    request = client.build_request(method, url, headers=headers)
    try:
        response = await client.send(request, stream=True)
        try:
            size_bytes = int(response.headers.get("content-length", "0"))
            if response.status_code == 200:
                if size_bytes > MAX_OBJECT_BYTES:
                    raise UpstreamError(f"{url} has {size_bytes} bytes; this edge passes at most {MAX_OBJECT_BYTES}")
                content = await response.aread()
                return UpstreamObject(200, content, size_bytes if method == "HEAD" else len(content))
        finally:
            await response.aclose()
    except httpx.TimeoutException as error:
        raise UpstreamTimeoutError(f"upstream did not answer {url} in time ({type(error).__name__})") from error
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise UpstreamError(f"upstream could not be asked for {url}: {type(error).__name__}: {error}") from error
    if response.status_code in (404, 410):
        return UpstreamObject(404)
    raise UpstreamError(f"upstream answered {response.status_code} for {url}", status=response.status_code)


class Upstream:
    """The upstream of pull-through, guarded by a circuit breaker and a retry budget.

    Args:
        client: Makes the requests; its time-outs hold.
        base_url: ``<base_url>/media/<key>`` is an object.
        latency_s, rate_bps: The emulated distance.
        breaker: Opens when upstream keeps failing; answers then fail at once.
        retry_budget: A failed attempt is repeated once while this allows.
        clock: Seconds that never run backwards.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        *,
        base_url: str,
        latency_s: float,
        rate_bps: float,
        breaker: CircuitBreaker,
        retry_budget: RetryBudget,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.breaker = breaker
        self._client = client
        self._base_url = base_url.rstrip("/")
        self._latency_s = latency_s
        self._rate_bps = rate_bps
        self._retry_budget = retry_budget
        self._clock = clock
        self._in_flight = 0
        self._in_use_until = clock()

    @property
    def is_in_use(self) -> bool:
        """Whether something is being fetched, or was within the last ``IN_USE_AFTER_S``."""
        return self._in_flight > 0 or self._clock() < self._in_use_until

    async def get(self, key: str) -> UpstreamObject:
        """Fetch an object.

        Raises:
            UpstreamError: Upstream failed, or its circuit is open (with ``retry_after_s``).
        """
        return await self._ask(key, "GET")

    async def head(self, key: str) -> UpstreamObject:
        """Ask for an object's size alone; errors as for ``get``."""
        return await self._ask(key, "HEAD")

    def duration_s(self, size_bytes: int) -> float:
        """How long the emulated link takes for an object: latency and bytes over rate."""
        return self._latency_s + (size_bytes * 8 / self._rate_bps if self._rate_bps > 0 else 0.0)

    async def _ask(self, key: str, method: str) -> UpstreamObject:
        self._retry_budget.record_request()
        url = f"{self._base_url}/media/{key}"
        try:
            return await self._attempt(url, method)
        except UpstreamError:
            if self.breaker.state is not CircuitState.CLOSED or not self._retry_budget.try_retry():
                raise
        return await self._attempt(url, method)

    async def _attempt(self, url: str, method: str) -> UpstreamObject:
        if not self.breaker.allow():
            raise UpstreamError(
                f"upstream {self._base_url} keeps failing and is not asked for now",
                retry_after_s=self.breaker.retry_after_s,
            )
        self._in_flight += 1
        try:
            answer = await fetch(self._client, url, method=method)
        except UpstreamError:
            self.breaker.record_failure()
            raise
        finally:
            self._in_flight -= 1
            self._in_use_until = self._clock() + IN_USE_AFTER_S
        self.breaker.record_success()
        return answer
