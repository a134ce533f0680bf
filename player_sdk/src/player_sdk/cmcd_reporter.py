"""Sends Common Media Client Data events (CTA-5004-B, event mode) to a collector, in batches, beside playback."""

from __future__ import annotations

import logging
import math
from collections import deque

import httpx

from player_sdk.background import BACKGROUND_EXTENSION, Background
from player_sdk.clock import Clock
from player_sdk.cmcd import CmcdEvent, cmcd_event_line
from player_sdk.headers import retry_after_s

_CONTENT_TYPE = "application/cmcd"
_MAX_LINES = 1000
_RETRY_S = 10.0

_log = logging.getLogger(__name__)


class CmcdReporter:
    """Collects events and posts them; a collector that fails is asked again later, with the newest of what waits.

    Args:
        url: The collector.
        interval_s: Longest time between two reports, and between two events that only tell the time.

    Attributes:
        lost: Events that were dropped because the collector did not take them in time.
    """

    def __init__(self, *, http: httpx.AsyncClient, clock: Clock, url: str, interval_s: float = 10.0) -> None:
        self._http = http
        self._clock = clock
        self._url = url
        self._interval_s = interval_s
        self._lines: deque[str] = deque()
        self._background = Background(clock)
        self._next_s = clock.now() + interval_s
        self.lost = 0

    @property
    def stopped(self) -> bool:
        """Whether the collector said 410: nobody wants events any more."""
        return math.isinf(self._next_s)

    def due(self) -> bool:
        """Whether a report is due; the caller adds what it wants to be in it."""
        return self._clock.now() >= self._next_s

    def put(self, event: CmcdEvent) -> None:
        """Add an event to the next report."""
        if self.stopped:
            return
        self._lines.append(cmcd_event_line(event))
        if len(self._lines) > _MAX_LINES:
            self._lines.popleft()
            self.lost += 1

    async def send_due(self) -> None:
        """Send what waits if the time has come."""
        if self.due():
            self._next_s = self._clock.now() + self._interval_s
            await self._background.run(self._send)

    async def close(self) -> None:
        """Send the rest, once."""
        await self._background.cancel()
        if not self.stopped:
            await self._send()

    async def _send(self) -> None:
        lines = list(self._lines)
        if not lines:
            return
        try:
            response = await self._http.post(
                self._url,
                content="\n".join(lines).encode("ascii") + b"\n",
                headers={"Content-Type": _CONTENT_TYPE},
                extensions={BACKGROUND_EXTENSION: True},
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            self._failed(f"{type(error).__name__} {error}", _RETRY_S)
            return
        if response.status_code == 410:
            self._next_s = math.inf
            self._lines.clear()
        elif not response.is_success:
            wanted_s = retry_after_s(response.headers, self._clock.utc_now())
            self._failed(f"status {response.status_code}", _RETRY_S if wanted_s is None else wanted_s)
        else:
            for _ in lines[: len(self._lines)]:
                self._lines.popleft()

    def _failed(self, reason: str, wait_s: float) -> None:
        self._next_s = self._clock.now() + wait_s
        _log.warning("%s took no events: %s", self._url.split("?", 1)[0], reason)
