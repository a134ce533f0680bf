"""``/media/<key>`` on an edge: placed first, then pulled, then from upstream; every answer says which (RFC 9211)."""

from __future__ import annotations

import logging
import os

from litestar.types import Receive, Scope, Send

from playback_api.delivery import (
    MediaRequest,
    ObjectFacts,
    is_immutable,
    is_object_key,
    read_media_request,
    reply_for_object,
    send_bytes,
    send_error,
    send_file,
    send_preflight,
)
from playback_api.edge.counters import EdgeCounters
from playback_api.edge.errors import UpstreamError, UpstreamTimeoutError
from playback_api.edge.pull_through import PullThrough
from playback_api.edge.store import EdgeStore, Holding
from playback_api.edge.upstream import Upstream

logger = logging.getLogger(__name__)

Header = tuple[bytes, bytes]

NO_UPSTREAM_BYTES = (b"x-matinee-upstream-bytes", b"0")


class EdgeMedia:
    """Answers requests below ``/media`` (ASGI)."""

    def __init__(
        self, *, edge_id: str, store: EdgeStore, pull_through: PullThrough, upstream: Upstream, counters: EdgeCounters
    ) -> None:
        self._store = store
        self._pull_through = pull_through
        self._upstream = upstream
        self._counters = counters
        self._cache_name = edge_id.encode()
        self._hit_headers: dict[str, list[Header]] = {
            area: [(b"cache-status", b"%s; hit; detail=%s" % (self._cache_name, area.encode())), NO_UPSTREAM_BYTES]
            for area in ("placed", "cached")
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        request = read_media_request(scope)
        if request.method == "OPTIONS":
            await send_preflight(send)
            return
        if request.method not in ("GET", "HEAD"):
            allow = [(b"allow", b"GET, HEAD, OPTIONS")]
            await send_error(send, request.method, 405, "media objects can be read only", allow)
            return
        if request.only_if_cached:
            self._counters.disk_only_requests += 1
        else:
            self._counters.requests += 1
        if not is_object_key(request.key):
            self._counters.not_found += 1
            await send_error(send, request.method, 404, f"{request.key!r} is no key of a media object")
            return
        holding = self._store.find(request.key)
        if holding is not None:
            descriptor = self._open(request.key, holding)
            if descriptor is not None:
                try:
                    await self._serve_hit(send, request, holding, descriptor)
                finally:
                    os.close(descriptor)
                return
        if request.only_if_cached:
            here = [(b"cache-status", b"%s; detail=only-if-cached" % self._cache_name), NO_UPSTREAM_BYTES]
            await send_error(send, request.method, 504, f"this edge does not hold {request.key!r}", here)
            return
        try:
            if request.method == "HEAD" and is_immutable(request.key):
                await self._serve_head_miss(send, request)
            else:
                await self._serve_miss(send, request)
        except UpstreamError as error:
            await self._send_upstream_error(send, request, error)

    def _open(self, key: str, holding: Holding) -> int | None:
        """Open what the store says is there; if it is not, have it forgotten so that it is fetched again."""
        try:
            descriptor = os.open(holding.path, os.O_RDONLY)
        except OSError:
            self._store.discard_damaged(key, holding)
            return None
        if os.fstat(descriptor).st_size != holding.size_bytes:
            os.close(descriptor)
            self._store.discard_damaged(key, holding)
            return None
        return descriptor

    async def _serve_hit(self, send: Send, request: MediaRequest, holding: Holding, descriptor: int) -> None:
        facts = ObjectFacts.of_immutable(request.key, holding.size_bytes)
        reply = reply_for_object(request, facts, self._hit_headers[holding.area])
        if request.only_if_cached:
            self._counters.disk_only_bytes += reply.body.length
        elif holding.area == "placed":
            self._counters.hits_placed += 1
            self._counters.bytes_placed += reply.body.length
        else:
            self._counters.hits_cached += 1
            self._counters.bytes_cached += reply.body.length
        await send_file(send, reply, descriptor)

    async def _serve_miss(self, send: Send, request: MediaRequest) -> None:
        self._counters.misses += 1
        pulled = await self._pull_through.get(request.key)
        if pulled.content is None:
            await self._send_absent(send, request, negative=pulled.negative)
            return
        size_bytes = len(pulled.content)
        immutable = is_immutable(request.key)
        if immutable:
            facts = ObjectFacts.of_immutable(request.key, size_bytes)
        else:
            facts = ObjectFacts.of_content(request.key, pulled.content)
        reply = reply_for_object(
            request,
            facts,
            [
                self._forwarded(200, stored=pulled.stored, collapsed=pulled.collapsed, bypass=not immutable),
                self._server_timing(size_bytes),
                (b"x-matinee-upstream-bytes", b"%d" % (0 if pulled.collapsed else size_bytes)),
            ],
        )
        self._counters.bytes_missed += reply.body.length
        await send_bytes(send, reply, pulled.content)

    async def _serve_head_miss(self, send: Send, request: MediaRequest) -> None:
        self._counters.misses += 1
        answer = await self._pull_through.head(request.key)
        if answer.status == 404:
            await self._send_absent(send, request, negative=False)
            return
        facts = ObjectFacts.of_immutable(request.key, answer.size_bytes)
        extra = [self._forwarded(200), self._server_timing(0), NO_UPSTREAM_BYTES]
        await send_bytes(send, reply_for_object(request, facts, extra), b"")

    async def _send_absent(self, send: Send, request: MediaRequest, *, negative: bool) -> None:
        self._counters.not_found += 1
        if negative:
            status = (b"cache-status", b"%s; hit; detail=negative" % self._cache_name)
            extra = [status, NO_UPSTREAM_BYTES]
        else:
            extra = [self._forwarded(404), self._server_timing(0), NO_UPSTREAM_BYTES]
        await send_error(send, request.method, 404, f"neither this edge nor its upstream has {request.key!r}", extra)

    async def _send_upstream_error(self, send: Send, request: MediaRequest, error: UpstreamError) -> None:
        status = 504 if isinstance(error, UpstreamTimeoutError) else 502
        extra = [self._forwarded(error.status), NO_UPSTREAM_BYTES]
        if error.retry_after_s > 0:
            extra.append((b"retry-after", b"%d" % max(1, round(error.retry_after_s))))
        await send_error(send, request.method, status, f"{error}; try another pathway", extra)

    def _forwarded(
        self, status: int | None, *, stored: bool = False, collapsed: bool = False, bypass: bool = False
    ) -> Header:
        value = self._cache_name + (b"; fwd=bypass" if bypass else b"; fwd=uri-miss")
        if stored:
            value += b"; stored"
        if status is not None:
            value += b"; fwd-status=%d" % status
        if collapsed:
            value += b"; collapsed"
        return (b"cache-status", value)

    def _server_timing(self, size_bytes: int) -> Header:
        return (b"server-timing", b"upstream;dur=%.3f" % (self._upstream.duration_s(size_bytes) * 1000))
