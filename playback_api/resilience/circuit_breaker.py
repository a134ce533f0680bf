"""A circuit breaker: stop asking what keeps failing, and find out gently when it is back."""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import StrEnum


class CircuitState(StrEnum):
    """What a breaker lets through: everything, nothing, or one probe."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


class CircuitBreaker:
    """Counts consecutive failures of one dependency and holds calls back once there were too many.

    Closed, it lets every call pass. ``failure_threshold`` failures in a row open it; ``reset_after_s`` later it is
    half-open and lets a single probe pass, whose outcome closes or opens it again. A probe that never reports (its
    caller was cancelled) gives its place free after another ``reset_after_s``. After M. Nygard, "Release It!".

    Made for one event loop: calls do not block and are not guarded against threads.

    Args:
        name: The dependency, as logs and metrics should call it.
        failure_threshold: Failures in a row that open the circuit, at least 1.
        reset_after_s: How long an open circuit rests before a probe.
        clock: Seconds that never run backwards.
    """

    def __init__(
        self,
        name: str,
        *,
        failure_threshold: int = 5,
        reset_after_s: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if failure_threshold < 1:
            raise ValueError(f"failure_threshold of breaker {name!r} is {failure_threshold}; it must be at least 1")
        self.name = name
        self.opened_count = 0
        self._failure_threshold = failure_threshold
        self._reset_after_s = reset_after_s
        self._clock = clock
        self._failures = 0
        self._opened_at: float | None = None
        self._probe_started_at: float | None = None

    @property
    def state(self) -> CircuitState:
        """The state at this moment; an open circuit becomes half-open by time alone."""
        if self._opened_at is None:
            return CircuitState.CLOSED
        if self._clock() - self._opened_at < self._reset_after_s:
            return CircuitState.OPEN
        return CircuitState.HALF_OPEN

    @property
    def retry_after_s(self) -> float:
        """Seconds until a probe may pass; 0 when calls may pass already."""
        if self._opened_at is None:
            return 0.0
        return max(0.0, self._opened_at + self._reset_after_s - self._clock())

    def allow(self) -> bool:
        """Whether a call may be made now; who was allowed must report its outcome."""
        state = self.state
        if state is CircuitState.CLOSED:
            return True
        if state is CircuitState.OPEN:
            return False
        now = self._clock()
        if self._probe_started_at is not None and now - self._probe_started_at < self._reset_after_s:
            return False
        self._probe_started_at = now
        return True

    def record_success(self) -> None:
        """The call came through: close the circuit."""
        self._failures = 0
        self._opened_at = None
        self._probe_started_at = None

    def record_failure(self) -> None:
        """The call failed: count it, and open the circuit when it was one too many or the probe."""
        self._failures += 1
        probing = self.state is CircuitState.HALF_OPEN
        if probing or (self._opened_at is None and self._failures >= self._failure_threshold):
            self._opened_at = self._clock()
            self._probe_started_at = None
            self.opened_count += 1
