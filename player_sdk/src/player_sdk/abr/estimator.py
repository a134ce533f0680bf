"""How fast the connection is, from the downloads of this session."""

from __future__ import annotations

from collections import deque

from player_sdk.abr.interface import DownloadSample

_CACHE_IS_MUCH_FASTER = 2.0


class ThroughputEstimator:
    """Harmonic mean of the latest downloads: slow ones count more, as they do for the time that downloads take.

    Deliveries from an edge's disk can be several times as fast as those that an edge had to fetch first. While both
    kinds occur and differ that much, hits say nothing about the next miss and are left out.

    Args:
        window: How many downloads to remember.
    """

    def __init__(self, window: int = 5) -> None:
        self._samples: deque[DownloadSample] = deque(maxlen=window)

    def observe(self, sample: DownloadSample) -> None:
        """Take a download in; one without bytes says nothing."""
        if sample.size_bytes > 0 and sample.duration_s > 0:
            self._samples.append(sample)

    def estimate_bps(self) -> float | None:
        """Bits a second, None before the first download."""
        misses = [sample.throughput_bps for sample in self._samples if sample.from_cache is False]
        rest = [sample.throughput_bps for sample in self._samples if sample.from_cache is not False]
        if misses and rest and _harmonic(rest) > _CACHE_IS_MUCH_FASTER * _harmonic(misses):
            return _harmonic(misses)
        return _harmonic(misses + rest) if misses or rest else None


def _harmonic(values: list[float]) -> float:
    return len(values) / sum(1.0 / max(value, 1.0) for value in values)
