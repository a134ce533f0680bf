"""Fetching resources over pathways: the same relative path from the next pathway when one fails.

A download that breaks off goes on where it broke, by a range request to the next pathway: what a path names is the same
on all of them, and a size that differs makes it start again. A failed pathway is penalised for a while and left at
once; going back is a matter of steering or of the next failure, not of a timer, so that a flapping edge does not make
the player flap. Retries are bounded per resource and by a budget per session, and wait with jitter only when no pathway
is left that has not just failed. What no pathway has is asked for again only after something has come: the next segment
of a live title may be late, an address that names nothing stays so.
"""

from __future__ import annotations

import asyncio
import posixpath
import random
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol
from urllib.parse import urljoin

import httpx

from player_sdk.clock import Clock
from player_sdk.errors import DeliveryError
from player_sdk.headers import CacheOutcome, cache_outcome, retry_after_s
from player_sdk.models import Pathway
from player_sdk.playlist.model import ByteRange, Presentation, StableId

_MOST_ADDED = 50
"""Pathways beside those of the plan."""
_MISSING = ("http-404", "http-410")
_LINKS = 10
"""Turns of the event loop in which iterators over a body are closed: two for each of httpx's and the transport's."""

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
        connect_timeout_s, silence_timeout_s: When an attempt is given up: no connection, or no byte for so long.
    """

    attempts: int = 6
    budget: float = 12.0
    budget_per_success: float = 0.2
    backoff_s: float = 0.5
    backoff_max_s: float = 8.0
    penalty_s: float = 60.0
    connect_timeout_s: float = 4.0
    silence_timeout_s: float = 10.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Resource:
    """What came back. ``complete`` is False when the watcher dropped the download.

    Attributes:
        pieces: What was wanted, as it came.
        size_bytes: Received for it, over all requests that it took.
        duration_s: From request to last byte; where a request broke off, from its start to its last byte too.
        latency_s: From the last request to the head of its answer.
        pathway_id: Of the last request.
    """

    pieces: tuple[bytes, ...] = field(repr=False)
    size_bytes: int
    duration_s: float
    latency_s: float
    pathway_id: str
    cache: CacheOutcome | None
    complete: bool = True
    headers: httpx.Headers = field(default_factory=httpx.Headers, repr=False, compare=False)
    url: str = ""
    status_code: int = 0

    @property
    def content(self) -> bytes:
        """All pieces in one, put together at each use: most segments are never looked into."""
        return b"".join(self.pieces)


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
        self._anything_came = False
        self._penalised_until_s: dict[str, float] = {}
        self._added: set[str] = set()
        self._params: dict[str, dict[str, str]] = {}
        self._params_on_media: set[str] = set()
        self._playlist_urls: dict[str, Mapping[StableId, str]] = {}
        self._stable_ids: Mapping[str, StableId] = {}

    @property
    def pathway_id(self) -> str:
        """The pathway in use."""
        return self._current

    @property
    def base_url(self) -> str:
        """Of the pathway in use."""
        return self._by_id[self._current].base_url

    def pathway(self, pathway_id: str) -> Pathway | None:
        """A pathway by its id."""
        return self._by_id.get(pathway_id)

    def url(self, path: str, named_by: str | None = None) -> str:
        """Where a path, or an absolute URL, is on the pathway in use.

        Args:
            path: The path.
            named_by: That of the media playlist which names it: where a pathway has another URL for that, this one is
                beside it as it is beside the other.
        """
        if "://" in path:
            return path
        playlist_path = path if named_by is None else named_by
        stable_id = self._stable_ids.get(playlist_path)
        playlist_url = self.playlist_urls(self._current).get(stable_id) if stable_id is not None else None
        if playlist_url is not None:
            return urljoin(playlist_url, posixpath.relpath(path, posixpath.dirname(playlist_path)) if named_by else "")
        return f"{self.base_url.rstrip('/')}/{path.lstrip('/')}"

    def know_playlists(self, stable_ids: Mapping[str, StableId]) -> None:
        """The ids of media playlists, by their paths."""
        self._stable_ids = stable_ids

    def playlist_urls(self, pathway_id: str) -> Mapping[StableId, str]:
        """The media playlists that a pathway has at a place of their own."""
        return self._playlist_urls.get(pathway_id, {})

    def params(self, pathway_id: str) -> Mapping[str, str]:
        """The query parameters that a pathway adds."""
        return self._params.get(pathway_id, {})

    def add_pathway(
        self,
        pathway: Pathway,
        *,
        params: Mapping[str, str] | None = None,
        params_on_media: bool = False,
        playlist_urls: Mapping[StableId, str] | None = None,
    ) -> None:
        """Add a pathway, as the last one; it is used when an order or a failure leads to it.

        Of very many, the one that would be used last goes: a steering server may make new ones for ever.

        Args:
            pathway: Has an id that is not taken.
            params: Query parameters of its manifest requests.
            params_on_media: They belong to all requests (DASH), not to those of manifests alone (HLS).
            playlist_urls: Where it has media playlists that are not below its base URL; what these name relative to
                themselves is there too.
        """
        unused = [one for one in self._priority if one in self._added and one != self._current]
        if len(unused) >= _MOST_ADDED:
            self._forget(unused[-1])
        self._added.add(pathway.pathway_id)
        self._by_id[pathway.pathway_id] = pathway
        self._priority.append(pathway.pathway_id)
        if params:
            self._params[pathway.pathway_id] = dict(params)
            if params_on_media:
                self._params_on_media.add(pathway.pathway_id)
        if playlist_urls:
            self._playlist_urls[pathway.pathway_id] = dict(playlist_urls)

    def _forget(self, pathway_id: str) -> None:
        del self._by_id[pathway_id]
        self._priority.remove(pathway_id)
        self._added.discard(pathway_id)
        self._params_on_media.discard(pathway_id)
        for known in (self._params, self._playlist_urls, self._penalised_until_s):
            known.pop(pathway_id, None)

    def use_pathways_of(self, presentation: Presentation, manifest_path: str) -> None:
        """Take the pathways that a manifest names, best first, instead of the one that it came from."""
        pathways = presentation.pathways
        if not pathways and presentation.steering_pathway is not None:
            # There is one, known to the steering server by its name in the playlist and not by that of its host.
            pathways = (Pathway(pathway_id=presentation.steering_pathway, base_url=self.base_url),)
        if pathways:
            manifest_url = self.url(manifest_path)
            self._by_id = {
                one.pathway_id: Pathway(pathway_id=one.pathway_id, base_url=urljoin(manifest_url, one.base_url))
                for one in pathways
            }
            self._priority = list(self._by_id)
            self._switch_to(self._best(), "manifest")

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
        manifest: bool = False,
        named_by: str | None = None,
    ) -> Resource:
        """Fetch a resource.

        Args:
            path: Path below the pathway's base URL, or an absolute URL that no pathway can stand in for.
            byte_range: Only this part of it.
            watcher: Looks at the running download and may drop it.
            headers: More request headers.
            method: ``HEAD`` for the headers alone.
            manifest: It is a manifest or playlist, to which the query parameters of a pathway belong.
            named_by: As for ``url``.

        Raises:
            DeliveryError: The attempts or the session's retry budget are used up, or no pathway has it or had anything.
            NotWanted: The listener did not want it any more before it came.
        """
        wanted = _Wanted(
            method=method,
            path=path,
            byte_range=byte_range,
            headers=headers or {},
            manifest=manifest,
            named_by=named_by,
        )
        part = _Part()
        missing_on: set[str] = set()
        attempt = 0
        while True:
            self._ask_whether_wanted(path)
            attempt += 1
            failed = self._current
            try:
                resource = await self._fetch_once(wanted, part, watcher)
            except _Failed as failure:
                self._listener.request_failed(failed, failure.code, str(failure))
                self._ask_whether_wanted(path)
                if failure.code in _MISSING:
                    missing_on.add(failed)
                nowhere = not self._anything_came and missing_on.issuperset(self._by_id)
                if nowhere or attempt >= self._settings.attempts or self._budget < 1.0:
                    tried = f" (the last of {attempt} requests)" if attempt > 1 else ""
                    raise DeliveryError(f"{failure}{tried}") from failure
                self._budget -= 1.0
                if wanted.absolute:
                    await self._back_off(attempt)
                else:
                    self.penalise(failed, max(failure.retry_after_s or 0.0, self._settings.penalty_s))
                    await self._move_on(attempt)
            else:
                self._anything_came = True
                self._budget = min(self._settings.budget, self._budget + self._settings.budget_per_success)
                return resource

    def _ask_whether_wanted(self, path: str) -> None:
        if not self._listener.still_wanted():
            raise NotWanted(path)

    async def _move_on(self, attempt: int) -> None:
        best = self._best()
        if self._penalised(best):
            await self._back_off(attempt // len(self._by_id))
            # All have failed lately: take them in turn.
            best = min(self._priority, key=lambda pathway_id: self._penalised_until_s[pathway_id])
        self._switch_to(best, "failure")

    async def _back_off(self, rounds: int) -> None:
        wait_s = min(self._settings.backoff_max_s, self._settings.backoff_s * 2.0 ** max(0, rounds - 1))
        await self._clock.sleep(wait_s * (0.5 + 0.5 * self._rng.random()))

    def _best(self) -> str:
        return next((one for one in self._priority if not self._penalised(one)), self._priority[0])

    def _penalised(self, pathway_id: str) -> bool:
        return self._penalised_until_s.get(pathway_id, 0.0) > self._clock.now()

    def _switch_to(self, pathway_id: str, reason: str) -> None:
        if pathway_id != self._current:
            old, self._current = self._current, pathway_id
            self._listener.pathway_switched(old, pathway_id, reason)

    async def _fetch_once(self, wanted: _Wanted, part: _Part, watcher: Watcher | None) -> Resource:
        """One request; what it brought before it failed is in ``part``, and the next one goes on from there."""
        pathway = self._by_id[self._current]
        part.prepare()
        request = self._request(wanted, pathway, part)
        asked_at_s, latency_s, active_before_s = self._clock.now(), 0.0, part.active_s
        complete, response = True, None
        try:
            response = await self._http.send(request, stream=True)
            latency_s = self._clock.now() - asked_at_s
            try:
                part.begin(wanted, response, retry_after_s(response.headers, self._clock.utc_now()))
                async for piece in response.aiter_bytes():
                    part.take(wanted, piece)
                    part.active_s = active_before_s + self._clock.now() - asked_at_s
                    if watcher is not None and await watcher(part.held_bytes, part.active_s):
                        complete = False
                        break
            finally:
                await response.aclose()
            if not complete:
                await _let_go()
            if complete:
                part.check(wanted)
        except (httpx.HTTPError, httpx.InvalidURL, _Failed) as error:
            if part.request_bytes and response is not None:
                self._tell_delivered(part, pathway, response, self._clock.now() - asked_at_s, latency_s)
            if isinstance(error, _Failed):
                raise
            raise _Failed("network", f"{request.url}: {type(error).__name__} {error}".strip()) from error
        part.active_s = active_before_s + self._clock.now() - asked_at_s
        told = self._tell_delivered(part, pathway, response, part.active_s, latency_s, complete=complete)
        return replace(told, pieces=tuple(part.pieces), size_bytes=part.size_bytes)

    def _request(self, wanted: _Wanted, pathway: Pathway, part: _Part) -> httpx.Request:
        headers = {**wanted.headers, **part.range_header(wanted)}
        params: Mapping[str, str] = {}
        url = self.url(wanted.path, wanted.named_by)
        if not wanted.absolute and (wanted.manifest or pathway.pathway_id in self._params_on_media):
            params = self.params(pathway.pathway_id)
        timeout = httpx.Timeout(self._settings.silence_timeout_s, connect=self._settings.connect_timeout_s)
        try:
            target = httpx.URL(url)
            for name in sorted(params):
                target = target.copy_set_param(name, params[name])
            return self._http.build_request(wanted.method, target, headers=headers, timeout=timeout)
        except httpx.InvalidURL as error:
            raise _Failed("network", f"{url[:200]}: {error}") from error

    def _tell_delivered(
        self,
        part: _Part,
        pathway: Pathway,
        response: httpx.Response,
        duration_s: float,
        latency_s: float,
        *,
        complete: bool = False,
    ) -> Resource:
        """Tell the listener what this request alone has brought."""
        resource = Resource(
            pieces=(),
            size_bytes=part.request_bytes,
            duration_s=duration_s,
            latency_s=latency_s,
            pathway_id=pathway.pathway_id,
            cache=cache_outcome(response.headers),
            complete=complete,
            headers=response.headers,
            url=str(response.request.url),
            status_code=response.status_code,
        )
        self._listener.delivered(resource)
        return resource


@dataclass(frozen=True, kw_only=True)
class _Wanted:
    """What is asked for, over however many requests."""

    method: str
    path: str
    byte_range: ByteRange | None
    headers: Mapping[str, str]
    manifest: bool
    named_by: str | None

    @property
    def absolute(self) -> bool:
        return "://" in self.path


@dataclass
class _Part:
    """What the requests for a resource have brought so far.

    Attributes:
        pieces: From the first byte that is wanted.
        held_bytes: Their size.
        total_bytes: Size of the whole resource, None where no server said.
        active_s: Seconds from each request to its last byte.
        size_bytes: Received in all, and by the request that runs.
    """

    pieces: list[bytes] = field(default_factory=list)
    held_bytes: int = 0
    total_bytes: int | None = None
    active_s: float = 0.0
    size_bytes: int = 0
    request_bytes: int = 0
    _resumable: bool = True
    _skip: int = 0

    def prepare(self) -> None:
        """Another request is made; what cannot be gone on with is thrown away."""
        self.request_bytes = 0
        if not self._resumable:
            self._start_over()

    def _start_over(self) -> None:
        self.pieces.clear()
        self.held_bytes = 0

    def range_header(self, wanted: _Wanted) -> dict[str, str]:
        """The header that asks for what is still missing."""
        if not self.held_bytes:
            return {} if wanted.byte_range is None else {"Range": wanted.byte_range.header()}
        first = wanted.byte_range.offset if wanted.byte_range is not None else 0
        last = "" if wanted.byte_range is None else str(first + wanted.byte_range.length - 1)
        return {"Range": f"bytes={first + self.held_bytes}-{last}", "Accept-Encoding": "identity"}

    def begin(self, wanted: _Wanted, response: httpx.Response, wait_s: float | None) -> None:
        """The head of an answer has come.

        Raises:
            _Failed: It does not bring what is missing; the next request starts from the beginning where this one
                tried to go on.
        """
        status, url = response.status_code, response.request.url
        if status not in (200, 206):
            if status == 416:
                self._start_over()
            raise _Failed(f"http-{status}", f"{url} answered {status}", wait_s)
        first = wanted.byte_range.offset if wanted.byte_range is not None else 0
        plain = "content-encoding" not in response.headers
        self._skip = 0
        if status == 200:
            self._start_over()
            self._skip = first
            length = response.headers.get("content-length", "") if plain else ""
            self.total_bytes = int(length) if length.isdigit() and wanted.method == "GET" else None
            self._resumable = plain
            return
        begins, total = _content_range(response.headers.get("content-range", ""))
        elsewhere = begins != first + self.held_bytes and (begins is not None or self.held_bytes)
        if elsewhere or (self.held_bytes and (self.total_bytes or total) != total):
            self._start_over()
            raise _Failed("range", f"{url} answered with another range or size than the rest of what broke off")
        self.total_bytes = total
        self._resumable = plain

    def take(self, wanted: _Wanted, piece: bytes) -> None:
        """A piece of the body has come."""
        self.size_bytes += len(piece)
        self.request_bytes += len(piece)
        if self._skip:
            skipped = min(self._skip, len(piece))
            self._skip -= skipped
            piece = piece[skipped:]
        if wanted.byte_range is not None:
            piece = piece[: wanted.byte_range.length - self.held_bytes]
        if piece:
            self.pieces.append(piece)
            self.held_bytes += len(piece)

    def check(self, wanted: _Wanted) -> None:
        """The body is over.

        Raises:
            _Failed: It is shorter than what was asked for.
        """
        length = self.total_bytes if wanted.byte_range is None else wanted.byte_range.length
        if wanted.method == "GET" and length is not None and self.held_bytes < length:
            raise _Failed("short", f"{wanted.path}: {self.held_bytes} bytes came of {length}")


async def _let_go() -> None:
    """Let the event loop close what was iterated half-way, link by link: in virtual time it has no turn of its own."""
    for _ in range(_LINKS):
        await asyncio.sleep(0.0)


def _content_range(text: str) -> tuple[int | None, int | None]:
    """First byte and size of the whole in a ``Content-Range`` header (RFC 9110)."""
    match = re.fullmatch(r"bytes (\d{1,18})-\d{1,18}/(\d{1,18}|\*)", text.strip())
    if match is None:
        return None, None
    return int(match[1]), None if match[2] == "*" else int(match[2])


class _Failed(Exception):
    """One request failed."""

    def __init__(self, code: str, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.retry_after_s = retry_after_s
