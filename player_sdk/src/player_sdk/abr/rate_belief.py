"""What is believed of a connection's rate: how fast on the whole, how far it strays, and where it stands now."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

from player_sdk.abr.estimator import TransferEstimator, transfer_s, without_faster_hits
from player_sdk.abr.interface import DownloadSample

_MEMORY = 60
"""Downloads that count at all."""
_FADING = 0.98
"""What an older download counts, relative to the next younger one."""
_PERSISTENCE = 0.8
"""Correlation of the log rates of successive downloads."""
_TRUST = 0.6
"""How far one download moves the belief of where the rate stands; the rest of it is taken for noise."""
_PRIOR_SPREAD = 0.3
_PRIOR_WEIGHT = 3.0
"""Spread of log rates before much was seen, and how many downloads that belief is worth."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RateForecast:
    """What is believed of the rates of the next downloads.

    Attributes:
        log_mean: Mean of the natural logarithm of the rate in bit/s, once bytes flow.
        log_spread: Its standard deviation.
        deviation: Where the rate stands now, in standard deviations from the mean.
        persistence: Correlation of the log rates of successive downloads.
        latency_s: Wait for the first byte of each.
    """

    log_mean: float
    log_spread: float
    deviation: float
    persistence: float
    latency_s: float

    @property
    def next_rate_bps(self) -> float:
        """The median rate of the next download."""
        return math.exp(self.log_mean + self.log_spread * self.persistence * self.deviation)


class RateBelief:
    """A mean-reverting log rate, learned from the downloads of a session."""

    def __init__(self) -> None:
        self._samples: deque[DownloadSample] = deque(maxlen=_MEMORY)
        self._latency = TransferEstimator()

    def observe(self, sample: DownloadSample) -> None:
        """Take a download in, whole or dropped; one without bytes says nothing."""
        if sample.size_bytes > 0 and sample.duration_s > 0:
            self._samples.append(sample)
            self._latency.observe(sample)

    def forecast(self) -> RateForecast | None:
        """The belief, None before the first download."""
        logs = [math.log(sample.size_bytes * 8.0 / transfer_s(sample)) for sample in without_faster_hits(self._samples)]
        if not logs:
            return None
        weights = [_FADING**age for age in range(len(logs) - 1, -1, -1)]
        total = sum(weights)
        mean = sum(weight * log for weight, log in zip(weights, logs, strict=True)) / total
        squares = sum(weight * (log - mean) ** 2 for weight, log in zip(weights, logs, strict=True))
        spread = math.sqrt((_PRIOR_WEIGHT * _PRIOR_SPREAD**2 + squares) / (_PRIOR_WEIGHT + total))
        above = 0.0
        for log in logs:
            expected = _PERSISTENCE * above
            above = expected + _TRUST * (log - mean - expected)
        return RateForecast(
            log_mean=mean,
            log_spread=spread,
            deviation=above / spread,
            persistence=_PERSISTENCE,
            latency_s=self._latency.latency_s(),
        )
