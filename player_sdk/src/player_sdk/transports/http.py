"""Real HTTP: the connection pool of a player, and how several players share one."""

from __future__ import annotations

import ssl
from functools import lru_cache

import httpx

from player_sdk.errors import PlayerError


def http_transport(
    *, http2: bool = True, connections: int = 20, verify: bool | ssl.SSLContext = True
) -> httpx.AsyncHTTPTransport:
    """A pool of connections that stay open between requests, HTTP/2 where the server offers it (over TLS).

    Args:
        http2: Offer it.
        connections: At most so many, open or idle.
        verify: Check certificates by the usual authorities, or by those of a context, or not at all.
    """
    limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
    return httpx.AsyncHTTPTransport(
        http2=http2, limits=limits, verify=_usual_authorities() if verify is True else verify
    )


def http1_transport(*, connections: int = 20, verify: bool | ssl.SSLContext = True) -> httpx.AsyncBaseTransport:
    """The same with HTTP/1.1 alone and by aiohttp: for many sessions in one process; needs the extra ``crowd``.

    Args:
        connections: As for ``http_transport``.
        verify: The same.

    Raises:
        PlayerError: The extra is not installed.
    """
    try:
        from player_sdk.transports.http1 import Http1Transport
    except ImportError as error:
        raise PlayerError("this transport needs the extra: pip install 'player-sdk[crowd]'") from error
    return Http1Transport(connections=connections, verify=_usual_authorities() if verify is True else verify)


@lru_cache(maxsize=1)
def _usual_authorities() -> ssl.SSLContext:
    """Read once: it takes longer than the rest of what a player does before its first request."""
    return httpx.create_ssl_context()


class SharedTransport(httpx.AsyncBaseTransport):
    """Lends a transport: closing the borrower leaves it open, since its owner closes it."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Pass the request on."""
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        """Leave the inner transport open."""
