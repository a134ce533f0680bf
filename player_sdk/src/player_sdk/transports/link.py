"""Networks on paper: how long a transfer takes on a link whose rate follows a recorded trace."""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence
from dataclasses import dataclass

_OUTAGE_FLOOR_BPS = 500.0
"""A trickle passes even where a trace says zero, so that every transfer ends."""


class Link:
    """A viewer's access line: rates that follow a trace, repeated for ever.

    Args:
        trace: (duration_s, bandwidth_bps) stretches; every duration positive.
        latency_s: What one request costs before its first byte, both ways together.
        offset_s: Where in the trace the line is at time 0.

    Raises:
        ValueError: The trace is empty or has a duration that is not positive.
    """

    def __init__(self, trace: Sequence[tuple[float, float]], *, latency_s: float = 0.0, offset_s: float = 0.0) -> None:
        if not trace or any(not duration_s > 0 for duration_s, _ in trace):
            raise ValueError("a trace needs at least one (duration_s, bandwidth_bps) stretch, each longer than 0 s")
        self.latency_s = latency_s
        self._trace = tuple(trace)
        self._offset_s = offset_s
        self._capped: dict[float, _Cumulative] = {}

    @classmethod
    def constant(cls, bandwidth_bps: float, *, latency_s: float = 0.0) -> Link:
        """A line of one rate."""
        return cls([(1.0, bandwidth_bps)], latency_s=latency_s)

    def transfer_end_s(self, start_s: float, size_bytes: float, *, rate_cap_bps: float = math.inf) -> float:
        """When the last of ``size_bytes`` arrives, if the first leaves at ``start_s``."""
        curve = self._curve(rate_cap_bps)
        return curve.time_at(curve.bits_at(start_s + self._offset_s) + size_bytes * 8.0) - self._offset_s

    def transferred_bytes(self, start_s: float, end_s: float, *, rate_cap_bps: float = math.inf) -> float:
        """How many bytes pass between two moments."""
        curve = self._curve(rate_cap_bps)
        return (curve.bits_at(end_s + self._offset_s) - curve.bits_at(start_s + self._offset_s)) / 8.0

    def _curve(self, rate_cap_bps: float) -> _Cumulative:
        curve = self._capped.get(rate_cap_bps)
        if curve is None:
            curve = self._capped[rate_cap_bps] = _Cumulative(self._trace, rate_cap_bps)
        return curve


@dataclass(frozen=True, kw_only=True)
class PathwayLink:
    """The way from a viewer's line to one edge or origin.

    Attributes:
        latency_s: What it adds to each request, both ways together.
        rate_bps: The most it carries.
        outages: (from_s, to_s) of the clock in which connections to it time out.
        connect_timeout_s: How long a player waits in such a case.
    """

    latency_s: float = 0.0
    rate_bps: float = math.inf
    outages: tuple[tuple[float, float], ...] = ()
    connect_timeout_s: float = 4.0

    def is_out(self, now_s: float) -> bool:
        """Whether it is out at a moment."""
        return any(from_s <= now_s < to_s for from_s, to_s in self.outages)


class _Cumulative:
    """Bits passed since time 0, invertible, for a trace under a rate cap."""

    def __init__(self, trace: Sequence[tuple[float, float]], rate_cap_bps: float) -> None:
        self._times_s, self._bits = [0.0], [0.0]
        for duration_s, bandwidth_bps in trace:
            rate_bps = max(min(bandwidth_bps, rate_cap_bps), _OUTAGE_FLOOR_BPS)
            self._times_s.append(self._times_s[-1] + duration_s)
            self._bits.append(self._bits[-1] + duration_s * rate_bps)

    def bits_at(self, time_s: float) -> float:
        return _map(time_s, self._times_s, self._bits)

    def time_at(self, bits: float) -> float:
        return _map(bits, self._bits, self._times_s)


def _map(value: float, xs: list[float], ys: list[float]) -> float:
    """Piecewise linear from xs to ys, both rising from 0, repeated for ever."""
    laps, rest = divmod(value, xs[-1])
    i = min(bisect.bisect_right(xs, rest) - 1, len(xs) - 2)
    share = (rest - xs[i]) / (xs[i + 1] - xs[i])
    return laps * ys[-1] + ys[i] + share * (ys[i + 1] - ys[i])
