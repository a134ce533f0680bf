"""How busy an edge is: one number for routing, over the last seconds."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from litestar.types import ASGIApp, Receive, Scope, Send

WINDOW_S = 10.0
SAMPLE_S = 0.5
"""Closer events than this share a sample, which bounds the work and the memory of a window."""


class Sample(NamedTuple):
    """What had added up at one moment."""

    at_s: float
    request_seconds: float
    sent_bytes: float


class LoadMeter:
    """Measures the load of an edge: the larger of two shares of what it can do, at most 1.

    - requests in flight, on average over the window, of ``max_in_flight``;
    - bits sent to viewers a second over the window, of ``viewer_rate_bps``, where that is known.

    An average, because control looks every few seconds and one moment says little.

    Args:
        sent_bytes: All bytes sent to viewers since the start.
        clock: Seconds that never run backwards.
        max_in_flight: Requests that the edge can work on at a time.
        viewer_rate_bps: What its link to viewers carries; None leaves the second share out.
    """

    def __init__(
        self,
        sent_bytes: Callable[[], int],
        clock: Callable[[], float],
        *,
        max_in_flight: int,
        viewer_rate_bps: float | None = None,
    ) -> None:
        self._sent_bytes = sent_bytes
        self._clock = clock
        self._max_in_flight = max_in_flight
        self._viewer_rate_bps = viewer_rate_bps
        self._in_flight = 0
        self._now = Sample(clock(), 0.0, float(sent_bytes()))
        self._samples = deque([self._now])

    def measured(self, application: ASGIApp) -> ASGIApp:
        """The application, with its requests counted while they are in flight."""

        async def serve(scope: Scope, receive: Receive, send: Send) -> None:
            self._advance()
            self._in_flight += 1
            try:
                await application(scope, receive, send)
            finally:
                self._advance()
                self._in_flight -= 1

        return serve

    @property
    def load(self) -> float:
        """The load now, 0-1."""
        self._advance()
        before, now = self._at(self._now.at_s - WINDOW_S), self._now
        load = (now.request_seconds - before.request_seconds) / WINDOW_S / self._max_in_flight
        if self._viewer_rate_bps is not None:
            sent_bps = 8 * (now.sent_bytes - before.sent_bytes) / WINDOW_S
            load = max(load, sent_bps / self._viewer_rate_bps)
        return min(1.0, round(load, 3))

    def _advance(self) -> None:
        """Add up to now what has been in flight; called before that changes."""
        before, at_s = self._now, self._clock()
        if before.at_s - self._samples[-1].at_s >= SAMPLE_S or at_s - before.at_s >= SAMPLE_S:
            # Between two samples everything is taken to grow evenly, so a pause must begin and end with one.
            self._samples.append(before)
        elapsed_s = at_s - before.at_s
        self._now = Sample(at_s, before.request_seconds + self._in_flight * elapsed_s, float(self._sent_bytes()))
        while len(self._samples) > 1 and self._samples[1].at_s <= at_s - WINDOW_S:
            self._samples.popleft()

    def _at(self, at_s: float) -> Sample:
        """What had added up at a moment, between the two samples around it."""
        earlier = self._samples[0]
        later = self._samples[1] if len(self._samples) > 1 else self._now
        if at_s <= earlier.at_s or later.at_s <= earlier.at_s:
            return earlier
        share = min(1.0, (at_s - earlier.at_s) / (later.at_s - earlier.at_s))
        return Sample(
            at_s,
            earlier.request_seconds + share * (later.request_seconds - earlier.request_seconds),
            earlier.sent_bytes + share * (later.sent_bytes - earlier.sent_bytes),
        )
