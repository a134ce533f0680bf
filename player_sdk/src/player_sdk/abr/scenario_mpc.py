"""The player's own policy: model predictive control over throughput scenarios, with abandonment.

It differs from RobustMPC (Yin et al., SIGCOMM 2015) in five ways. It starts at the lowest rung unless the server knows
better, because a second of start-up costs as much as a stalled one. It plans against several throughputs, spread as
widely as its recent predictions were wrong, instead of one lowered by the worst error. What is left in the buffer at
the end of a plan has a worth, which grows with the same error: an uncertain line is worth a reserve. Its plans hold at
most one switch, which is what good plans look like and keeps a decision to a millisecond. And it drops a download that
will not make it; what had arrived until then is a throughput sample like any other.
"""

from __future__ import annotations

import math
from collections import deque

from player_sdk.abr.estimator import ASSUMED_LATENCY_S, TransferEstimator, transfer_s
from player_sdk.abr.interface import AbrState, Decision, DownloadSample, startup_rung

_ABANDON_AFTER_S = 0.5
_QUANTILES = (-1.28, -0.52, 0.0, 0.52)
"""Of the standard normal, one a scenario; luck beyond the last needs no plan."""
_PRIOR_ERROR = 0.1
"""Log error of a prediction before any could be checked; counts as one observation."""
_RESERVE_WORTH = 2.0
"""Worth of a full reserve, in segments at the highest quality for each unit of log error."""
_RESERVE_S = 10.0
"""The reserve's worth is 1 - exp(-buffer / this)."""


class ScenarioMpcAbr:
    """Scenario MPC with abandonment.

    Args:
        horizon: Segments to look ahead.
        memory: Predictions whose errors are remembered.
    """

    def __init__(self, horizon: int = 5, memory: int = 6) -> None:
        self._horizon = horizon
        self._estimator = TransferEstimator()
        self._log_errors: deque[float] = deque(maxlen=memory)
        self._predicted_bps: float | None = None

    def choose(self, state: AbrState) -> Decision:
        """The first rung of the best plans, on average over the scenarios."""
        rate_bps = self._predicted_bps = self._estimator.rate_bps()
        if rate_bps is None or state.last_rung < 0:
            return Decision(rung=startup_rung(state))
        spread = (_PRIOR_ERROR + sum(abs(error) for error in self._log_errors)) / (1 + len(self._log_errors))
        latency_s = self._estimator.latency_s()
        totals = [0.0] * len(state.bitrates_bps)
        for quantile in _QUANTILES:
            scenario_bps = rate_bps * math.exp(spread * quantile)
            values = plan_values(state, scenario_bps, latency_s, self._horizon, _RESERVE_WORTH * spread)
            totals = [total + value for total, value in zip(totals, values, strict=True)]
        return Decision(rung=max(range(len(totals)), key=totals.__getitem__))

    def observe(self, sample: DownloadSample) -> None:
        """Feed the estimate and the error of the last prediction."""
        if sample.size_bytes <= 0:
            return
        if self._predicted_bps is not None:
            seen_bps = sample.size_bytes * 8.0 / transfer_s(sample)
            self._log_errors.append(math.log(seen_bps / self._predicted_bps))
            self._predicted_bps = None
        self._estimator.observe(sample)

    def abandon(self, state: AbrState, rung: int, received_bytes: float, elapsed_s: float) -> int | None:
        """The lower rung that would cost less than waiting for this download; None when none does."""
        if elapsed_s < _ABANDON_AFTER_S or received_bytes <= 0:
            return None
        seconds_per_byte = max(elapsed_s - ASSUMED_LATENCY_S, 0.3 * elapsed_s) / received_bytes
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


def plan_values(
    state: AbrState, throughput_bps: float, latency_s: float, horizon: int, reserve_worth: float
) -> list[float]:
    """The value of the best plan that begins with each rung, at a constant throughput.

    Plans hold one rung for some segments, then another for the rest of the horizon.

    Args:
        state: Where the session stands, past its first segment.
        throughput_bps: Once bytes flow.
        latency_s: Of each request.
        horizon: Segments to look ahead, fewer at the end of the title.
        reserve_worth: Worth of a full buffer at the end, in segments of the highest quality.
    """
    first, last = state.segment_index, min(state.segment_index + horizon, state.segment_count)
    qualities, segment_s = state.qualities, state.segment_duration_s
    rebuffer_weight, switch_weight = state.weights.rebuffer_weight, state.weights.switch_weight
    worth = 0.0 if last == state.segment_count else reserve_worth * max(qualities)
    per_byte_s = 8.0 / throughput_bps
    downloads_s = [[latency_s + size * per_byte_s for size in state.sizes_bytes[k]] for k in range(first, last)]
    values = []
    for rung, quality in enumerate(qualities):
        value = -switch_weight * abs(quality - qualities[state.last_rung])
        buffer_s, best = state.buffer_s, -math.inf
        for step, row_s in enumerate(downloads_s, start=1):
            left_s = buffer_s - row_s[rung]
            value += quality + (rebuffer_weight * left_s if left_s < 0.0 else 0.0)
            buffer_s = max(left_s, 0.0) + segment_s
            rest_s = downloads_s[step:]
            for other, other_quality in enumerate(qualities):
                if other == rung or not rest_s:
                    continue
                plan = value - switch_weight * abs(other_quality - quality) + other_quality * len(rest_s)
                if plan + worth <= best:
                    continue  # even without a stall it could not win
                plan_buffer_s = buffer_s
                for other_row_s in rest_s:
                    plan_left_s = plan_buffer_s - other_row_s[other]
                    if plan_left_s < 0.0:
                        plan += rebuffer_weight * plan_left_s
                        plan_left_s = 0.0
                    plan_buffer_s = plan_left_s + segment_s
                best = max(best, plan + worth * (1.0 - math.exp(-plan_buffer_s / _RESERVE_S)))
        values.append(max(best, value + worth * (1.0 - math.exp(-buffer_s / _RESERVE_S))))
    return values


DefaultAbr = ScenarioMpcAbr
"""What a player uses when nothing else is asked for."""
