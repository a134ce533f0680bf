"""The parts of an edge that know its disk, and the order to know it anew.

An edge learns what is on its disk when it starts, and from then on by what it does itself. A disk that was restored or
replaced underneath is therefore read again only when somebody says so: ``rescan`` puts new parts together, exactly as a
start does, so that nothing of what was known about the old content can be left over.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from litestar.types import ASGIApp, Receive, Scope, Send

from playback_api.delivery import read_media_request, send_error
from playback_api.edge.errors import DiskNotReadError, RescanRefusedError
from playback_api.edge.fill_job import FillJob
from playback_api.edge.load import LoadMeter
from playback_api.edge.pull_through import PullThrough
from playback_api.edge.schema import EdgeInventory
from playback_api.edge.store import EdgeStore
from playback_api.edge.upstream import Upstream

logger = logging.getLogger(__name__)

RETRY_AFTER_S = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class EdgeParts:
    """What an edge consists of from one reading of its disk to the next; ``media`` serves ``/media`` (ASGI)."""

    store: EdgeStore
    upstream: Upstream
    pull_through: PullThrough
    fill_job: FillJob
    meter: LoadMeter
    media: ASGIApp


class EdgeNode:
    """An edge's parts: those of the start, or of the last rescan.

    Args:
        assemble: Reads the disk and puts the parts together; is given the generation that theirs must exceed. Called
            here for the start, and in a thread for every rescan.
    """

    def __init__(self, assemble: Callable[[int], EdgeParts]) -> None:
        self._assemble = assemble
        self._last_generation = 0
        self._is_reading = False
        self._parts: EdgeParts | None = assemble(self._last_generation)

    @property
    def parts(self) -> EdgeParts:
        """The parts; whoever uses them does so before he waits for anything, or asks for them again.

        Raises:
            DiskNotReadError: The disk is being read, or could not be.
        """
        if self._is_reading:
            raise DiskNotReadError("this edge is reading its disk anew; try another pathway")
        if self._parts is None:
            raise DiskNotReadError("this edge could not read its disk; repair it and order a rescan")
        return self._parts

    async def serve_media(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request below ``/media`` (ASGI)."""
        try:
            media = self.parts.media
        except DiskNotReadError as error:
            retry_after = [(b"retry-after", b"%d" % RETRY_AFTER_S)]
            await send_error(send, read_media_request(scope).method, 503, str(error), retry_after)
            return
        await media(scope, receive, send)

    async def rescan(self) -> EdgeInventory:
        """Forget everything about the disk and read it as a start does; nobody is served meanwhile.

        What is being pulled for viewers comes to its end before. The generation goes on rising, whatever the new
        content says, so that nobody takes the new inventory for one that he knows.

        Raises:
            RescanRefusedError: Something is being written; nothing has changed.
            OSError: The disk cannot be read. Nothing is served until a rescan succeeds.
        """
        if self._is_reading:
            raise RescanRefusedError("the disk is being read already; wait for it")
        outdated = self._parts
        if outdated is not None and outdated.fill_job.is_busy:
            raise RescanRefusedError("a plan is being filled; wait for it, then rescan")
        self._is_reading = True
        try:
            if outdated is not None:
                await outdated.pull_through.drain()
                if outdated.store.is_busy:
                    raise RescanRefusedError("objects are being written or purged; try again")
                self._last_generation = outdated.store.generation
                self._parts = None  # void from here on, even if the disk cannot be read
            parts = self._parts = await asyncio.to_thread(self._assemble, self._last_generation)
        finally:
            self._is_reading = False
        placed_objects, cached_objects = parts.store.object_counts
        logger.info("read the disk anew: %d placed and %d pulled objects", placed_objects, cached_objects)
        return parts.store.inventory()

    async def close(self) -> None:
        """End what is under way, as the process is going down."""
        if self._parts is not None:
            await self._parts.fill_job.close()
            await self._parts.pull_through.close()
