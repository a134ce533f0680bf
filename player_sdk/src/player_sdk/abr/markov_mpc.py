"""The player's own policy: stochastic model predictive control, with abandonment.

It differs from RobustMPC (Yin et al., SIGCOMM 2015) in four ways. It starts at the lowest rung unless somebody knows
better, because a second of start-up costs as much as a stalled one. It believes in a rate that strays and comes back
(``rate_belief``) and plans over that with later choices free to react (``planner``): it neither follows each swing of
the line nor pays for following. Any download may meet an outage, which is what a full buffer is for. And it drops a
download that will not make it; what had arrived until then is a sample like any other.
"""

from __future__ import annotations

from player_sdk.abr.estimator import ASSUMED_LATENCY_S
from player_sdk.abr.interface import AbrState, Decision, DownloadSample, startup_rung
from player_sdk.abr.rate_belief import RateBelief

_ABANDON_AFTER_S = 0.5
_EXPECTATION_S = 1.0
"""A line that pauses for a moment has not become a slow one: what was expected of it counts as much as this time."""


class MarkovMpcAbr:
    """Stochastic MPC over a Markov chain of rates, with abandonment."""

    def __init__(self) -> None:
        # numpy takes longer to import than the rest of the player, and most of what a player does needs none.
        from player_sdk.abr.planner import rung_values

        self._rung_values = rung_values
        self._belief = RateBelief()

    def choose(self, state: AbrState) -> Decision:
        """The rung with the highest expected quality from here on."""
        forecast = self._belief.forecast()
        if forecast is None or state.last_rung < 0:
            return Decision(rung=startup_rung(state))
        return Decision(rung=int(self._rung_values(state, forecast).argmax()))

    def observe(self, sample: DownloadSample) -> None:
        """Feed the belief."""
        self._belief.observe(sample)

    def abandon(self, state: AbrState, rung: int, received_bytes: float, elapsed_s: float) -> int | None:
        """The lower rung that would cost less than waiting for this download; None when none does."""
        if elapsed_s < _ABANDON_AFTER_S:
            return None
        seconds_per_byte = self._pace(received_bytes, elapsed_s)
        sizes = state.sizes_bytes[state.segment_index]
        stall_s = (sizes[rung] - received_bytes) * seconds_per_byte - state.buffer_s
        best, best_gain = None, 0.0
        for lower in range(rung if stall_s > 0.0 else 0):
            lower_stall_s = max(0.0, ASSUMED_LATENCY_S + sizes[lower] * seconds_per_byte - state.buffer_s)
            lost_quality = state.qualities[rung] - state.qualities[lower]
            loss = (1.0 + state.weights.switch_weight) * lost_quality
            gain = state.weights.rebuffer_weight * (stall_s - lower_stall_s) - loss
            if gain > best_gain:
                best, best_gain = lower, gain
        return best

    def _pace(self, received_bytes: float, elapsed_s: float) -> float:
        """Seconds a byte for what is left: as so far, and as was expected, which counts like a second more."""
        flowing_s = max(elapsed_s - ASSUMED_LATENCY_S, 0.3 * elapsed_s)
        forecast = self._belief.forecast()
        if forecast is None:
            return flowing_s / max(received_bytes, 1.0)
        expected_bytes = forecast.next_rate_bps / 8.0 * _EXPECTATION_S
        return (flowing_s + _EXPECTATION_S) / (received_bytes + expected_bytes)


DefaultAbr = MarkovMpcAbr
"""What a player uses when nothing else is asked for."""
