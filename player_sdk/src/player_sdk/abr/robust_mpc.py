"""RobustMPC: exact look-ahead at a throughput lowered by recent errors (Yin et al., SIGCOMM 2015)."""

from __future__ import annotations

from collections import deque

from player_sdk.abr.estimator import ThroughputEstimator
from player_sdk.abr.interface import AbrState, Decision, DownloadSample, startup_rung


class RobustMpcAbr:
    """Picks the first step of the best plan for the next segments.

    Args:
        horizon: Segments to look ahead.
    """

    def __init__(self, horizon: int = 5) -> None:
        self._horizon = horizon
        self._estimator = ThroughputEstimator()
        self._errors: deque[float] = deque(maxlen=5)
        self._predicted_bps: float | None = None

    def choose(self, state: AbrState) -> Decision:
        """The first step of the plan with the most quality, stalls and switches paid for."""
        estimate_bps = self._estimator.estimate_bps()
        self._predicted_bps = estimate_bps
        if estimate_bps is None or state.last_rung < 0:
            return Decision(rung=startup_rung(state))
        return Decision(
            rung=best_first_rung(state, estimate_bps / (1.0 + max(self._errors, default=0.0)), self._horizon)
        )

    def observe(self, sample: DownloadSample) -> None:
        """Feed the estimate and the error of the last prediction."""
        if self._predicted_bps is not None:
            self._errors.append(abs(self._predicted_bps - sample.throughput_bps) / sample.throughput_bps)
            self._predicted_bps = None
        self._estimator.observe(sample)

    def abandon(self, state: AbrState, rung: int, received_bytes: float, elapsed_s: float) -> int | None:
        """Never."""
        return None


def best_first_rung(state: AbrState, throughput_bps: float, horizon: int) -> int:
    """The first rung of the best plan at a constant throughput: exhaustive, by depth-first branch and bound.

    A branch is cut when the best quality for all the rest, with the stalls that even the lowest rung could not avoid,
    would not lift it above the best plan found.
    """
    last = min(state.segment_index + horizon, state.segment_count)
    qualities, weights = state.qualities, state.weights
    rungs = range(len(qualities))
    highest = max(qualities)
    download_s = [
        [size * 8.0 / throughput_bps for size in state.sizes_bytes[k]] for k in range(state.segment_index, last)
    ]
    lowest_s = [sum(min(row) for row in download_s[depth:]) for depth in range(len(download_s))]
    best_value, best_rung = float("-inf"), 0

    def extend(depth: int, buffer_s: float, previous: int, value: float, first: int) -> None:
        nonlocal best_value, best_rung
        if depth == len(download_s):
            if value > best_value:
                best_value, best_rung = value, first
            return
        left = len(download_s) - depth
        inevitable_s = lowest_s[depth] - buffer_s - (left - 1) * state.segment_duration_s
        if value + highest * left - weights.rebuffer_weight * max(0.0, inevitable_s) <= best_value:
            return
        steps = []
        for rung in rungs:
            left_s = buffer_s - download_s[depth][rung]
            gain = qualities[rung] - weights.switch_weight * abs(qualities[rung] - qualities[previous])
            if left_s < 0.0:
                gain += weights.rebuffer_weight * left_s
                left_s = 0.0
            steps.append((gain, rung, left_s))
        steps.sort(reverse=True)
        for gain, rung, left_s in steps:
            extend(depth + 1, left_s + state.segment_duration_s, rung, value + gain, rung if depth == 0 else first)

    extend(0, state.buffer_s, state.last_rung, 0.0, 0)
    return best_rung
