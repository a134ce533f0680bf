"""Fetching resources over pathways: the same relative path from the next pathway when one fails.

A failed pathway is penalised for a while and left at once; going back is a matter of steering or of the next failure,
not of a timer, so that a flapping edge does not make the player flap. Retries are bounded per resource and by a budget
per session, and wait with jitter only when no pathway is left that has not just failed.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import httpx

from player_sdk.clock import Clock
from player_sdk.errors import DeliveryError
from player_sdk.headers import CacheOutcome, cache_outcome, retry_after_s
from player_sdk.models import Pathway
from player_sdk.playlist.model import ByteRange

Watcher = Callable[[int, float], Awaitable[bool]]
"""Told (bytes received, seconds since the request) while a download runs; True drops it."""


@dataclass(frozen=True, kw_only=True)
class RetrySettings:
    """How stubborn the player is.

    Attributes:
        attempts: Requests for one resource, over all pathways.
        budget: Retries that a session may spend in a burst; ``budget_per_success`` comes back with each success.
        backoff_s, backoff_max_s: The wait doubles from the first to the second; half of it is random.
        penalty_s: How long a failed pathway is avoided.
    """

    attempts: int = 6
    budget: float = 12.0
    budget_per_success: float = 0.2
    backoff_s: float = 0.5
    backoff_max_s: float = 8.0
    penalty_s: float = 60.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Resource:
    """What came back. ``complete`` is False when the watcher dropped the download.

    Attributes:
        duration_s: From the request that succeeded to its last byte.
        latency_s: From that request to the head of its answer.
    """

    content: bytes
    size_bytes: int
    duration_s: float
    latency_s: float
    pathway_id: str
    cache: CacheOutcome | None
    complete: bool = True
    headers: httpx.Headers = field(default_factory=httpx.Headers, repr=False, compare=False)


class NotWanted(Exception):
    """Nobody waits for the resource any more."""


class LoadListener(Protocol):
    """Who wants to know what happens on the way to a resource."""

    def still_wanted(self) -> bool:
        """Whether to go on; asked before each request and each wait."""

    def request_failed(self, pathway_id: str, code: str, message: str) -> None:
        """A request failed; another may follow."""

    def pathway_switched(self, old_id: str, new_id: str, reason: str) -> None:
        """The player goes on with another pathway."""

    def delivered(self, resource: Resource) -> None:
        """A request brought bytes, wanted to the end or not."""


class PathwayLoader:
    """Fetches by relative path from the current pathway, and moves on when it fails.

    Args:
        http: Sends the requests.
        pathways: Best first; at least one.
        rng: Jitter; seeded by the caller.
    """

    def __init__(
        self,
        *,
        http: httpx.AsyncClient,
        pathways: Sequence[Pathway],
        clock: Clock,
        rng: random.Random,
        listener: LoadListener,
        settings: RetrySettings,
    ) -> None:
        if not pathways:
            raise DeliveryError("the playback plan names no pathway; nothing can be fetched")
        self._http = http
        self._by_id = {pathway.pathway_id: pathway for pathway in pathways}
        self._priority = [pathway.pathway_id for pathway in pathways]
        self._current = self._priority[0]
        self._clock = clock
        self._rng = rng
        self._listener = listener
        self._settings = settings
        self._budget = settings.budget
        self._penalised_until_s: dict[str, float] = {}

    @property
    def pathway_id(self) -> str:
        """The pathway in use."""
        return self._current

    def prioritise(self, pathway_ids: Sequence[str]) -> None:
        """Take a new order, best first; unknown ids are skipped and known ones left out go last."""
        wanted = [pathway_id for pathway_id in pathway_ids if pathway_id in self._by_id]
        self._priority = wanted + [pathway_id for pathway_id in self._priority if pathway_id not in wanted]
        self._switch_to(self._best(), "steering")

    def penalise(self, pathway_id: str, duration_s: float) -> None:
        """Avoid a pathway for a while."""
        self._penalised_until_s[pathway_id] = self._clock.now() + duration_s

    async def fetch(
        self,
        path: str,
        *,
        byte_range: ByteRange | None = None,
        watcher: Watcher | None = None,
        headers: dict[str, str] | None = None,
        method: str = "GET",
    ) -> Resource:
        """Fetch a resource.

        Args:
            path: Path below the pathway's base URL, or an absolute URL that no pathway can stand in for.
            byte_range: Only this part of it.
            watcher: Looks at the running download and may drop it.
            headers: More request headers.
            method: ``HEAD`` for the headers alone.

        Raises:
            DeliveryError: The attempts or the session's retry budget are used up.
            NotWanted: The listener did not want it any more before it came.
        """
        request_headers = dict(headers or {})
        if byte_range is not None:
            request_headers["Range"] = byte_range.header()
        attempt = 0
        while True:
            self._ask_whether_wanted(path)
            attempt += 1
            failed = self._current
            try:
                resource = await self._fetch_once(method, path, request_headers, watcher)
            except _Failed as failure:
                self._listener.request_failed(failed, failure.code, str(failure))
                self._ask_whether_wanted(path)
                if attempt >= self._settings.attempts or self._budget < 1.0:
                    raise DeliveryError(
                        f"{path}: {attempt} requests failed, the last one on {failed} with {failure}"
                    ) from failure
                self._budget -= 1.0
                self.penalise(failed, max(failure.retry_after_s or 0.0, self._settings.penalty_s))
                await self._move_on(attempt)
            else:
                self._budget = min(self._settings.budget, self._budget + self._settings.budget_per_success)
                return resource

    def _ask_whether_wanted(self, path: str) -> None:
        if not self._listener.still_wanted():
            raise NotWanted(path)

    async def _move_on(self, attempt: int) -> None:
        best = self._best()
        if self._penalised(best):
            rounds = attempt // len(self._by_id)
            wait_s = min(self._settings.backoff_max_s, self._settings.backoff_s * 2.0 ** max(0, rounds - 1))
            await self._clock.sleep(wait_s * (0.5 + 0.5 * self._rng.random()))
            # All have failed lately: take them in turn.
            best = min(self._priority, key=lambda pathway_id: self._penalised_until_s[pathway_id])
        self._switch_to(best, "failure")

    def _best(self) -> str:
        return next((one for one in self._priority if not self._penalised(one)), self._priority[0])

    def _penalised(self, pathway_id: str) -> bool:
        return self._penalised_until_s.get(pathway_id, 0.0) > self._clock.now()

    def _switch_to(self, pathway_id: str, reason: str) -> None:
        if pathway_id != self._current:
            old, self._current = self._current, pathway_id
            self._listener.pathway_switched(old, pathway_id, reason)

    async def _fetch_once(self, method: str, path: str, headers: dict[str, str], watcher: Watcher | None) -> Resource:
        pathway = self._by_id[self._current]
        url = path if "://" in path else f"{pathway.base_url.rstrip('/')}/{path.lstrip('/')}"
        asked_at_s = self._clock.now()
        pieces: list[bytes] = []
        size_bytes, complete = 0, True
        try:
            response = await self._http.send(self._http.build_request(method, url, headers=headers), stream=True)
            latency_s = self._clock.now() - asked_at_s
            try:
                if response.status_code not in (200, 206):
                    raise _Failed(
                        f"http-{response.status_code}",
                        f"{url} answered {response.status_code}",
                        retry_after_s(response.headers, self._clock.utc_now()),
                    )
                async for piece in response.aiter_bytes():
                    pieces.append(piece)
                    size_bytes += len(piece)
                    if watcher is not None and await watcher(size_bytes, self._clock.now() - asked_at_s):
                        complete = False
                        break
            finally:
                await response.aclose()
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise _Failed("network", f"{url}: {type(error).__name__} {error}".strip()) from error
        resource = Resource(
            content=b"".join(pieces),
            size_bytes=size_bytes,
            duration_s=self._clock.now() - asked_at_s,
            latency_s=latency_s,
            pathway_id=pathway.pathway_id,
            cache=cache_outcome(response.headers),
            complete=complete,
            headers=response.headers,
        )
        self._listener.delivered(resource)
        return resource


class _Failed(Exception):
    """One request failed."""

    def __init__(self, code: str, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.retry_after_s = retry_after_s
