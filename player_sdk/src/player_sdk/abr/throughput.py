"""The plainest policy: the highest rung below the measured throughput."""

from __future__ import annotations

from player_sdk.abr.estimator import ThroughputEstimator
from player_sdk.abr.interface import AbrState, Decision, DownloadSample, highest_below, startup_rung


class ThroughputAbr:
    """Picks by throughput alone and starts at the lowest rung when nothing is known.

    Args:
        safety: Share of the estimate that may be spent.
    """

    def __init__(self, safety: float = 0.9) -> None:
        self._safety = safety
        self._estimator = ThroughputEstimator()

    def choose(self, state: AbrState) -> Decision:
        """The highest rung below the estimate."""
        estimate_bps = self._estimator.estimate_bps()
        if estimate_bps is None:
            return Decision(rung=startup_rung(state))
        return Decision(rung=highest_below(state.bitrates_bps, self._safety * estimate_bps))

    def observe(self, sample: DownloadSample) -> None:
        """Feed the estimate."""
        self._estimator.observe(sample)

    def abandon(self, state: AbrState, rung: int, received_bytes: float, elapsed_s: float) -> int | None:
        """Never."""
        return None
