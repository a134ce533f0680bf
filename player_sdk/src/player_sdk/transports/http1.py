"""HTTP/1.1 by aiohttp, as a transport of httpx: its parser is C, and a piece of a body costs a fraction.

Needs the extra ``crowd``; ``http1_transport`` is how to get one.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import aiohttp
import httpx
from yarl import URL

_READ_BYTES = 1 << 18
"""As much as the event loop reads at once."""

_SET_BY_HTTPX = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")

_ERRORS: tuple[tuple[type[Exception], type[httpx.TransportError]], ...] = (
    (aiohttp.ConnectionTimeoutError, httpx.ConnectTimeout),
    (aiohttp.SocketTimeoutError, httpx.ReadTimeout),
    (aiohttp.ClientConnectorError, httpx.ConnectError),
    (aiohttp.ClientOSError, httpx.ReadError),
    (aiohttp.InvalidURL, httpx.UnsupportedProtocol),
    (aiohttp.ClientError, httpx.RemoteProtocolError),
)
"""What an error of aiohttp is called in httpx; the first that fits."""


class Http1Transport(httpx.AsyncBaseTransport):
    """A pool of connections, opened in the event loop of the first request.

    Args:
        connections: At most so many, open or idle.
        verify: Check certificates by a context, or not at all.
    """

    def __init__(self, *, connections: int, verify: bool | ssl.SSLContext) -> None:
        self._connections = connections
        self._verify = verify
        self._opened: aiohttp.ClientSession | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; the body of the answer is read as it is iterated.

        Raises:
            httpx.TransportError: As every transport of httpx.
        """
        with _errors_of_httpx(request):
            response = await self._session().request(
                request.method,
                URL(str(request.url), encoded=True),
                data=await request.aread() or None,
                headers=[(name.decode("ascii"), value.decode("latin-1")) for name, value in request.headers.raw],
                skip_auto_headers=_SET_BY_HTTPX,
                allow_redirects=False,
                timeout=_timeout(request),
            )
        return httpx.Response(
            status_code=response.status,
            headers=list(response.raw_headers),
            stream=_Body(request, response),
            extensions={"http_version": b"HTTP/1.1"},
        )

    async def aclose(self) -> None:
        """Close all connections."""
        if self._opened is not None:
            await self._opened.close()

    def _session(self) -> aiohttp.ClientSession:
        if self._opened is None:
            self._opened = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self._connections, ssl=self._verify),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                read_bufsize=_READ_BYTES,
            )
        return self._opened


class _Body(httpx.AsyncByteStream):
    def __init__(self, request: httpx.Request, response: aiohttp.ClientResponse) -> None:
        self._request = request
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _errors_of_httpx(self._request):
            async for piece in self._response.content.iter_any():
                yield piece

    async def aclose(self) -> None:
        """Give the connection back, or close it where the body was not read to its end."""
        self._response.close()


def _timeout(request: httpx.Request) -> aiohttp.ClientTimeout:
    wanted_s: dict[str, float | None] = request.extensions.get("timeout", {})
    pool_s, connect_s = wanted_s.get("pool"), wanted_s.get("connect")
    return aiohttp.ClientTimeout(
        total=None,
        connect=None if pool_s is None or connect_s is None else pool_s + connect_s,
        sock_connect=connect_s,
        sock_read=wanted_s.get("read"),
    )


@contextmanager
def _errors_of_httpx(request: httpx.Request) -> Iterator[None]:
    try:
        yield
    except aiohttp.ClientError as error:
        kind = next(kind for known, kind in _ERRORS if isinstance(error, known))
        raise kind(str(error) or type(error).__name__, request=request) from error
