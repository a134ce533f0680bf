"""Load shedding in order of priority: under pressure the least important requests are refused first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import IntEnum


class Priority(IntEnum):
    """How important a request is to somebody who is watching or wants to; lower goes first."""

    PLAY = 0
    STEER = 1
    HOME = 2
    BEATS = 3
    PREFETCH = 4


DEFAULT_SHARES: Mapping[Priority, float] = {
    Priority.PLAY: 1.0,
    Priority.STEER: 0.9,
    Priority.HOME: 0.8,
    Priority.BEATS: 0.65,
    Priority.PREFETCH: 0.5,
}
"""Up to which share of the capacity in use each priority is still admitted."""


class OverloadedError(Exception):
    """The request was shed; the client should come back after ``retry_after_s``."""

    def __init__(self, priority: Priority, in_flight: int, retry_after_s: float) -> None:
        super().__init__(
            f"{in_flight} requests in flight: no room for {priority.name.lower()} now; retry after {retry_after_s:g} s"
        )
        self.priority = priority
        self.retry_after_s = retry_after_s


class LoadShedder:
    """Admits requests by what is in flight and how important they are.

    A request of a priority is admitted while fewer than its share of ``max_in_flight`` are in flight, counted over
    all priorities. So prefetches go first and plays are refused only when the process is full. After Netflix,
    "Keeping Netflix reliable using prioritized load shedding".

    Args:
        max_in_flight: Requests that the process can work on at a time.
        shares: Share of ``max_in_flight`` up to which each priority is admitted.
        retry_after_s: What a refused client is told to wait.
    """

    def __init__(
        self,
        max_in_flight: int,
        *,
        shares: Mapping[Priority, float] = DEFAULT_SHARES,
        retry_after_s: float = 1.0,
    ) -> None:
        if max_in_flight < 1:
            raise ValueError(f"max_in_flight is {max_in_flight}; it must be at least 1")
        self._limits = {priority: max(1, int(max_in_flight * shares[priority])) for priority in Priority}
        self._retry_after_s = retry_after_s
        self.in_flight = 0
        self.admitted = dict.fromkeys(Priority, 0)
        self.shed = dict.fromkeys(Priority, 0)

    def try_admit(self, priority: Priority) -> bool:
        """Take a place if the priority still gets one; who got one must ``release`` it."""
        if self.in_flight >= self._limits[priority]:
            self.shed[priority] += 1
            return False
        self.in_flight += 1
        self.admitted[priority] += 1
        return True

    def release(self) -> None:
        """Give a place back."""
        self.in_flight -= 1

    @contextmanager
    def admit(self, priority: Priority) -> Iterator[None]:
        """Hold a place for the duration of a block.

        Raises:
            OverloadedError: There is no place for this priority now.
        """
        if not self.try_admit(priority):
            raise OverloadedError(priority, self.in_flight, self._retry_after_s)
        try:
            yield
        finally:
            self.release()
