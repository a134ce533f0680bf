"""How fast the connection is, from the downloads of this session."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from player_sdk.abr.interface import DownloadSample

ASSUMED_LATENCY_S = 0.05
"""Taken for the latency of downloads that do not tell theirs."""

_CACHE_IS_MUCH_FASTER = 2.0
_LEAST_TRANSFER_SHARE = 0.3
"""However long the latency seems, this share of a download counts as transfer."""


class _Estimator:
    """The latest downloads.

    Args:
        window: How many of them to remember.
    """

    def __init__(self, window: int = 5) -> None:
        self._samples: deque[DownloadSample] = deque(maxlen=window)

    def observe(self, sample: DownloadSample) -> None:
        """Take a download in; one without bytes says nothing."""
        if sample.size_bytes > 0 and sample.duration_s > 0:
            self._samples.append(sample)


class ThroughputEstimator(_Estimator):
    """Harmonic mean of the latest downloads, latency and all: slow ones count more, as for the time they take."""

    def estimate_bps(self) -> float | None:
        """Bits a second, None before the first download."""
        rates = [sample.throughput_bps for sample in without_faster_hits(self._samples)]
        return len(rates) / sum(1.0 / max(rate, 1.0) for rate in rates) if rates else None


class TransferEstimator(_Estimator):
    """Rate and latency apart: all bits over all transfer time, so that short downloads neither hide nor exaggerate."""

    def rate_bps(self) -> float | None:
        """Bits a second once bytes flow, None before the first download."""
        samples = without_faster_hits(self._samples)
        if not samples:
            return None
        return sum(sample.size_bytes for sample in samples) * 8.0 / sum(transfer_s(sample) for sample in samples)

    def latency_s(self) -> float:
        """Mean wait for the first byte."""
        known = [sample.latency_s for sample in self._samples if sample.latency_s is not None]
        return sum(known) / len(known) if known else ASSUMED_LATENCY_S


def transfer_s(sample: DownloadSample) -> float:
    """Seconds in which bytes flowed."""
    latency_s = ASSUMED_LATENCY_S if sample.latency_s is None else sample.latency_s
    return max(sample.duration_s - latency_s, _LEAST_TRANSFER_SHARE * sample.duration_s, 1e-6)


def without_faster_hits(samples: Iterable[DownloadSample]) -> list[DownloadSample]:
    """Leave hits out where they say nothing about the next miss: both occur, and hits are much faster."""
    everything = list(samples)
    misses = [sample for sample in everything if sample.from_cache is False]
    rest = [sample for sample in everything if sample.from_cache is not False]
    if misses and rest and _overall_bps(rest) > _CACHE_IS_MUCH_FASTER * _overall_bps(misses):
        return misses
    return everything


def _overall_bps(samples: list[DownloadSample]) -> float:
    return sum(sample.size_bytes for sample in samples) * 8.0 / sum(sample.duration_s for sample in samples)
