"""Real bytes over emulated distance: the inner transport fetches, the virtual clock pays for the way.

What a request costs: the latency of the viewer's line and of the pathway, what the edge reports to have waited for its
upstream (``Server-Timing: upstream;dur=<ms>``), and the bytes over the line's trace, capped by the pathway's rate. How
long the machine really took is never looked at, so a busy one changes nothing. Requests of one player are expected one
after the other; those made in the background cost the player nothing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping

import httpx

from player_sdk.background import BACKGROUND_EXTENSION
from player_sdk.clock import VirtualClock
from player_sdk.headers import upstream_s
from player_sdk.transports.link import Link, PathwayLink

_PIECE_S = 0.25
_REAL_TIMEOUT_S = 120.0
_REAL_TIMEOUTS = {
    "connect": _REAL_TIMEOUT_S,
    "read": _REAL_TIMEOUT_S,
    "write": _REAL_TIMEOUT_S,
    "pool": _REAL_TIMEOUT_S,
}


class EmulatedTransport(httpx.AsyncBaseTransport):
    """Wraps a transport and charges its requests to a virtual clock.

    Args:
        inner: Carries the real bytes; not closed by this transport, so that many players can share one.
        clock: The player's clock.
        link: The viewer's line.
        pathways: By ``host:port``; others cost the line alone.
        free_hosts: ``host:port`` of API and collector: their requests cost ``free_latency_s`` and no transfer time.
    """

    def __init__(
        self,
        inner: httpx.AsyncBaseTransport,
        *,
        clock: VirtualClock,
        link: Link,
        pathways: Mapping[str, PathwayLink] | None = None,
        free_hosts: Collection[str] = (),
        free_latency_s: float = 0.0,
    ) -> None:
        self._inner = inner
        self._clock = clock
        self._link = link
        self._pathways = dict(pathways or {})
        self._free_hosts = frozenset(free_hosts)
        self._free_latency_s = free_latency_s
        self._plain = PathwayLink()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Fetch over the inner transport; the clock moves on by what the way costs.

        Raises:
            httpx.ConnectTimeout: The pathway is out at this moment of virtual time.
        """
        # Real time-outs would let the machine's load into virtual time; only a lost server may meet them.
        request.extensions = {**request.extensions, "timeout": _REAL_TIMEOUTS}
        host = request.url.netloc.decode("ascii")
        if request.extensions.get(BACKGROUND_EXTENSION):
            return await self._inner.handle_async_request(request)
        if host in self._free_hosts:
            self._clock.advance(self._free_latency_s)
            return await self._inner.handle_async_request(request)
        pathway = self._pathways.get(host, self._plain)
        if pathway.is_out(self._clock.now()):
            self._clock.advance(pathway.connect_timeout_s)
            raise httpx.ConnectTimeout(f"{host} is out (emulated)", request=request)
        self._clock.advance(self._link.latency_s + pathway.latency_s)
        response = await self._inner.handle_async_request(request)
        body = await _read_raw(response)
        self._clock.advance(upstream_s(response.headers))
        return httpx.Response(
            status_code=response.status_code,
            headers=response.headers,
            stream=_EmulatedBody(body, self._clock, self._link, pathway.rate_bps),
            extensions=response.extensions,
        )


class _EmulatedBody(httpx.AsyncByteStream):
    """A body that arrives in pieces of at most a quarter of a virtual second."""

    def __init__(self, body: bytes, clock: VirtualClock, link: Link, rate_bps: float) -> None:
        self._body = body
        self._clock = clock
        self._link = link
        self._rate_bps = rate_bps

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = len(self._body)
        start_s = self._clock.now()
        end_s = self._link.transfer_end_s(start_s, size, rate_cap_bps=self._rate_bps)
        sent, steps = 0, 1
        while start_s + steps * _PIECE_S < end_s:
            piece_end_s = start_s + steps * _PIECE_S
            arrived = int(self._link.transferred_bytes(start_s, piece_end_s, rate_cap_bps=self._rate_bps))
            self._clock.advance_to(piece_end_s)
            yield self._body[sent : max(sent, min(arrived, size))]
            sent, steps = max(sent, min(arrived, size)), steps + 1
        self._clock.advance_to(end_s)
        yield self._body[sent:]


async def _read_raw(response: httpx.Response) -> bytes:
    stream = response.stream
    if not isinstance(stream, httpx.AsyncByteStream):
        raise TypeError("the inner transport must answer asynchronously")
    try:
        return b"".join([piece async for piece in stream])
    finally:
        await stream.aclose()
