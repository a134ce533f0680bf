"""Measured bit rates, against which declared ones are held.

Written apart from the code that declares them: RFC 8216, 4.1 and 4.3.4.2.
"""

from __future__ import annotations

from collections.abc import Sequence

TOLERANCE_SHARE = 0.01
_SHORTEST, _LONGEST = 0.5, 1.5


def peak_bps(sizes_bytes: Sequence[int], durations_s: Sequence[float]) -> int:
    """The largest rate of any run of segments that lasts between 0.5 and 1.5 target durations; of all without one."""
    target_s = max(int(max(durations_s) + 0.5), 1)
    peak = 0.0
    for first in range(len(sizes_bytes)):
        size_bytes, duration_s = 0, 0.0
        for index in range(first, len(sizes_bytes)):
            size_bytes += sizes_bytes[index]
            duration_s += durations_s[index]
            if duration_s > _LONGEST * target_s:
                break
            if duration_s >= _SHORTEST * target_s:
                peak = max(peak, size_bytes * 8 / duration_s)
    return round(peak) if peak > 0 else average_bps(sizes_bytes, durations_s)


def average_bps(sizes_bytes: Sequence[int], durations_s: Sequence[float]) -> int:
    """All bits over all seconds."""
    return round(sum(sizes_bytes) * 8 / max(sum(durations_s), 0.001))
