"""The origin: the object store's ``media/`` folder over HTTP, for edges and for players that no edge serves.

``GET/HEAD /media/<key>`` with single byte ranges; objects are immutable but for ``CURRENT`` pointers, which
clients must revalidate. The origin knows files only: no index, no database, no signature.
"""

from __future__ import annotations

import logging
import stat
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

from litestar import Litestar, MediaType, asgi, get
from litestar.types import Receive, Scope, Send

from playback_api.delivery import (
    MediaRequest,
    ObjectFacts,
    is_immutable,
    is_object_key,
    prometheus_text,
    read_media_request,
    reply_for_object,
    send_bytes,
    send_error,
    send_file,
    send_preflight,
)
from playback_api.framework import MsgspecLitestar
from playback_api.settings import OriginSettings

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class OriginCounters:
    """What the origin has done since it started; ``sent_bytes`` are bodies."""

    requests: int = 0
    found: int = 0
    not_found: int = 0
    refused_methods: int = 0
    sent_bytes: int = 0
    broken_replies: int = 0


class OriginMedia:
    """Answers requests below ``/media`` from one folder."""

    def __init__(self, media_folder: Path, counters: OriginCounters) -> None:
        self._media_folder = media_folder
        self._counters = counters

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request (ASGI)."""
        request = read_media_request(scope)
        self._counters.requests += 1
        if request.method == "OPTIONS":
            await send_preflight(send)
            return
        if request.method not in ("GET", "HEAD"):
            self._counters.refused_methods += 1
            allow = [(b"allow", b"GET, HEAD, OPTIONS")]
            await send_error(send, request.method, 405, "media objects can be read only", allow)
            return
        file = self._open(request.key)
        if file is None:
            self._counters.not_found += 1
            await send_error(send, request.method, 404, f"no media object {request.key!r} at the origin")
            return
        with file:
            await self._serve(send, request, file)

    def _open(self, key: str) -> BinaryIO | None:
        if not is_object_key(key):
            return None
        path = self._media_folder / key
        try:
            if not stat.S_ISREG(path.stat().st_mode):
                return None
            return path.open("rb")
        except (FileNotFoundError, NotADirectoryError):
            return None

    async def _serve(self, send: Send, request: MediaRequest, file: BinaryIO) -> None:
        self._counters.found += 1
        if not is_immutable(request.key):
            content = file.read()
            reply = reply_for_object(request, ObjectFacts.of_content(request.key, content))
            self._counters.sent_bytes += reply.body.length
            await send_bytes(send, reply, content)
            return
        size_bytes = file.seek(0, 2)
        reply = reply_for_object(request, ObjectFacts.of_immutable(request.key, size_bytes))
        self._counters.sent_bytes += reply.body.length
        try:
            await send_file(send, reply, file.fileno())
        except OSError as error:
            self._counters.broken_replies += 1
            logger.error("reply for %s broke off: %s", request.key, error)
            raise


def create_origin_app(settings: OriginSettings) -> Litestar:
    """Build the origin over ``<store_folder>/media``."""
    counters = OriginCounters()
    media = OriginMedia(settings.store_folder / "media", counters)

    @get("/system/health", operation_id="originHealth", sync_to_thread=False)
    def health() -> dict[str, str]:
        return {"status": "ok"}

    @get("/metrics", operation_id="originMetrics", media_type=MediaType.TEXT, sync_to_thread=False)
    def metrics() -> str:
        return prometheus_text("matinee_origin_", asdict(counters))

    mount = asgi("/media", is_mount=True, copy_scope=False)(media)
    return MsgspecLitestar([mount, health, metrics], openapi_config=None, logging_config=None)
