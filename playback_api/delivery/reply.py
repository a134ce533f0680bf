"""Raw ASGI replies that carry media objects: whole, in part, unchanged, or an error.

Raw because this is the path of every segment: a framework's response objects would cost more than the work itself.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import cast
from zlib import crc32

import msgspec
from litestar.types import HTTPScope, Scope, Send

from playback_api.delivery.byte_range import ByteRange, RangeNotSatisfiableError, parse_byte_range
from playback_api.delivery.media_type import media_type_of
from playback_api.delivery.object_key import is_immutable

Header = tuple[bytes, bytes]

INLINE_READ_BYTES = 256 * 1024
"""Up to this size a file is read on the event loop: the page cache answers faster than a thread could be woken."""
READ_CHUNK_BYTES = 1024 * 1024

CORS_HEADERS: tuple[Header, ...] = (
    (b"access-control-allow-origin", b"*"),
    (
        b"access-control-expose-headers",
        b"Cache-Status, Server-Timing, X-Matinee-Upstream-Bytes, Content-Length, Content-Range, ETag, Age",
    ),
    (b"timing-allow-origin", b"*"),
)
PREFLIGHT_HEADERS: tuple[Header, ...] = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-allow-methods", b"GET, HEAD, OPTIONS"),
    (
        b"access-control-allow-headers",
        b"Range, If-Range, If-None-Match, CMCD-Request, CMCD-Object, CMCD-Status, CMCD-Session",
    ),
    (b"access-control-max-age", b"86400"),
)
IMMUTABLE = (b"cache-control", b"public, max-age=31536000, immutable")
NO_CACHE = (b"cache-control", b"no-cache")


@dataclass(frozen=True, slots=True)
class MediaRequest:
    """What matters of a request for an object.

    Attributes:
        key: The path below ``media/``, not yet checked.
        only_if_cached: Whether it shall be answered from what is here, without asking upstream (RFC 9111, 5.2.1.7).
    """

    method: str
    key: str
    byte_range: str | None = None
    if_none_match: str | None = None
    if_range: str | None = None
    only_if_cached: bool = False


@dataclass(frozen=True, slots=True)
class ObjectFacts:
    """What a reply says about an object. ``etag`` is the same on every host that has it."""

    key: str
    size_bytes: int
    etag: str

    @classmethod
    def of_immutable(cls, key: str, size_bytes: int) -> ObjectFacts:
        """Facts of an object whose key stands for its content: keys carry hashes, so the key makes the ETag."""
        return cls(key, size_bytes, f'"{crc32(key.encode()):08x}-{size_bytes:x}"')

    @classmethod
    def of_content(cls, key: str, content: bytes) -> ObjectFacts:
        """Facts of a small object that may be replaced: its content makes the ETag."""
        return cls(key, len(content), f'"{hashlib.sha256(content).hexdigest()[:16]}"')


@dataclass(frozen=True, slots=True)
class Reply:
    """Status, headers and which bytes of the object follow; a length of 0 sends none."""

    status: int
    headers: list[Header]
    body: ByteRange


def read_media_request(scope: Scope) -> MediaRequest:
    """Read a request that was mounted at ``/media``."""
    byte_range = if_none_match = if_range = None
    only_if_cached = False
    for name, value in scope["headers"]:
        if name == b"range":
            byte_range = value.decode("latin-1")
        elif name == b"if-none-match":
            if_none_match = value.decode("latin-1")
        elif name == b"if-range":
            if_range = value.decode("latin-1")
        elif name == b"cache-control":
            only_if_cached = b"only-if-cached" in value.lower()
    method = cast("HTTPScope", scope)["method"]
    return MediaRequest(str(method), scope["path"].strip("/"), byte_range, if_none_match, if_range, only_if_cached)


def reply_for_object(request: MediaRequest, facts: ObjectFacts, extra: Iterable[Header] = ()) -> Reply:
    """Decide between 200, 206, 304 and 416.

    Args:
        request: The request.
        facts: The object, which exists.
        extra: More headers, such as ``Cache-Status``.
    """
    headers = [*CORS_HEADERS, (b"etag", facts.etag.encode()), *_headers_of(facts.key), *extra]
    if request.if_none_match is not None and _matches(request.if_none_match, facts.etag):
        return Reply(304, headers, ByteRange(0, 0))
    wanted: ByteRange | None = None
    if request.byte_range is not None and (request.if_range is None or request.if_range == facts.etag):
        try:
            wanted = parse_byte_range(request.byte_range, facts.size_bytes)
        except RangeNotSatisfiableError:
            headers += [(b"content-range", b"bytes */%d" % facts.size_bytes), (b"content-length", b"0")]
            return Reply(416, headers, ByteRange(0, 0))
    body = wanted or ByteRange(0, facts.size_bytes)
    headers.append((b"content-length", b"%d" % body.length))
    if wanted is not None:
        headers.append((b"content-range", b"bytes %d-%d/%d" % (wanted.first, wanted.last, facts.size_bytes)))
    status = 206 if wanted is not None else 200
    return Reply(status, headers, ByteRange(0, 0) if request.method == "HEAD" else body)


async def send_bytes(send: Send, reply: Reply, content: bytes) -> None:
    """Send a reply whose object is in memory."""
    body = reply.body
    whole = body.first == 0 and body.length == len(content)
    await _send(send, reply.status, reply.headers, content if whole else content[body.first : body.first + body.length])


async def send_file(send: Send, reply: Reply, descriptor: int) -> None:
    """Send a reply whose object is an open file of the right size, by its descriptor; the caller closes it.

    Raises:
        OSError: The file became shorter meanwhile; the reply breaks off, as it must after its headers.
    """
    offset, left = reply.body.first, reply.body.length
    if left <= INLINE_READ_BYTES:
        content = os.pread(descriptor, left, offset) if left else b""
        if len(content) != left:
            raise OSError(f"the file ended {left - len(content)} bytes early")
        await _send(send, reply.status, reply.headers, content)
        return
    await send({"type": "http.response.start", "status": reply.status, "headers": reply.headers})
    while left:
        content = await asyncio.to_thread(os.pread, descriptor, min(left, READ_CHUNK_BYTES), offset)
        if not content:
            raise OSError(f"the file ended {left} bytes early")
        offset += len(content)
        left -= len(content)
        await send({"type": "http.response.body", "body": content, "more_body": left > 0})


async def send_error(
    send: Send, method: str, status: int, detail: str, extra: Iterable[Header] = (), *, facts: object = None
) -> None:
    """Send an error in the form of every API of the platform.

    Args:
        send: The ASGI channel.
        method: The request's; an answer to HEAD has no body.
        status: HTTP status.
        detail: What was wrong and what to do.
        extra: More headers.
        facts: JSON for the field ``extra``.
    """
    body = msgspec.json.encode({"status_code": status, "detail": detail, "extra": facts or {}})
    headers = [
        *CORS_HEADERS,
        NO_CACHE,
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        *extra,
    ]
    await _send(send, status, headers, b"" if method == "HEAD" else body)


async def send_preflight(send: Send) -> None:
    """Answer a browser's OPTIONS."""
    await _send(send, 204, list(PREFLIGHT_HEADERS), b"")


async def _send(send: Send, status: int, headers: list[Header], body: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


@lru_cache(4096)
def _headers_of(key: str) -> tuple[Header, ...]:
    return (
        (b"content-type", media_type_of(key).encode()),
        IMMUTABLE if is_immutable(key) else NO_CACHE,
        (b"accept-ranges", b"bytes"),
    )


def _matches(if_none_match: str, etag: str) -> bool:
    if if_none_match.strip() == "*":
        return True
    return any(tag.strip().removeprefix("W/") == etag for tag in if_none_match.split(","))
