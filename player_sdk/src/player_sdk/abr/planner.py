"""Plans over a chain of rates: what each rung of the next segment is worth when all later choices may react.

Backward induction (Bellman) over (rate of the last download, buffer, rung). The rate of a download is drawn from a
Markov chain in which it depends on the one before; a choice sees only what came before it. That is what plans at one
assumed rate lack: they switch up as if the rate would stay, and down again when it does not, and pay for both.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from player_sdk.abr.interface import AbrState
from player_sdk.abr.rate_belief import RateForecast

Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]

_CELLS = 24
_HORIZON = 12
"""Segments to look ahead."""
_GRID = np.linspace(-1.6, 1.6, 5)
"""Rates of the chain, in standard deviations of the log rate around its mean."""
_OUTAGE_CHANCE = 0.01
"""That a download meets an outage, for each unit of spread: lines that stray are lines that break."""
_OUTAGE_S = 30.0
"""How long outages last on average; exponentially distributed."""


def rung_values(state: AbrState, forecast: RateForecast, *, cells: int = _CELLS) -> Array:
    """Expected quality from the next segment to the horizon, by the rung of the next segment.

    Args:
        state: Where the session stands.
        forecast: What is believed of the rates.
        cells: Cells that the buffer is rounded to, finer towards the empty end.

    Returns:
        One value a rung, stalls and switches paid for.
    """
    plan = _Plan(state, forecast, cells)
    worth = plan.nothing
    for step in range(plan.steps - 1, 0, -1):
        worth = plan.worth_before(step, worth)
    return plan.values_now(worth)


class _Plan:
    """The tables of one decision; axes are (step, rate, buffer, rung), as far as a table has them."""

    def __init__(self, state: AbrState, forecast: RateForecast, cells: int) -> None:
        first, last = state.segment_index, min(state.segment_index + _HORIZON, state.segment_count)
        self.steps = last - first
        self._state = state
        self._forecast = forecast
        self._buffer_cells = cells
        self._qualities: Array = np.array(state.qualities, dtype=np.float64)
        self._segment_s = state.segment_duration_s
        self._room_s = max(state.buffer_max_s - self._segment_s, 0.01 * self._segment_s)
        # After a download the buffer holds a segment at least.
        self._buffers_s: Array = self._segment_s + self._room_s * _edges(cells)
        sizes_bits = 8.0 * np.array(state.sizes_bytes[first:last], dtype=np.float64)
        rates_bps = np.exp(forecast.log_mean + forecast.log_spread * _GRID)
        self._downloads_s: Array = forecast.latency_s + sizes_bits[:, None, :] / rates_bps[None, :, None]
        self.nothing: Array = np.zeros((_GRID.size, cells + 1, self._qualities.size))
        self._chain = _chain(forecast.persistence)
        left_s = self._buffers_s[None, None, :, None] - self._downloads_s[1:, :, None, :]
        self._gains = self._gain(left_s)
        self._below, self._shares = self._cells(left_s)

    def worth_before(self, step: int, after: Array) -> Array:
        """The worth of (last rate, buffer, last rung) before a step, from the worth after it."""
        outcome = self._gains[step - 1] + self._worth_of(after, self._below[step - 1], self._shares[step - 1])
        values = (self._chain @ outcome.reshape(_GRID.size, -1)).reshape(outcome.shape)
        # The best of max over rungs of value - |change of quality|, from below and from above.
        price = self._state.weights.switch_weight * self._qualities
        from_below = np.maximum.accumulate(values + price, axis=2) - price
        from_above = np.maximum.accumulate((values - price)[:, :, ::-1], axis=2)[:, :, ::-1] + price
        return np.asarray(np.maximum(from_below, from_above))

    def values_now(self, after: Array) -> Array:
        """The value of each rung for the segment at hand."""
        left_s = (self._state.buffer_s - self._downloads_s[0])[:, None, :]
        below, shares = self._cells(left_s)
        outcome = (self._gain(left_s) + self._worth_of(after, below, shares))[:, 0, :]
        values = _next_rates(np.array([self._forecast.deviation]), self._forecast.persistence)[0] @ outcome
        if self._state.last_rung >= 0:
            change = np.abs(self._qualities - self._qualities[self._state.last_rung])
            values = values - self._state.weights.switch_weight * change
        return np.asarray(values)

    def _gain(self, left_s: Array) -> Array:
        """Quality less the stall that is sure and the one that an outage would bring."""
        chance = _OUTAGE_CHANCE * self._forecast.log_spread
        unlucky_s = chance * _OUTAGE_S * np.exp(-np.maximum(left_s, 0.0) / _OUTAGE_S)
        stalled_s = unlucky_s - np.minimum(left_s, 0.0)
        return np.asarray(self._qualities - self._state.weights.rebuffer_weight * stalled_s)

    def _cells(self, left_s: Array) -> tuple[Indices, Array]:
        """Where in a flat table of worth the buffer after a download lies: the cell's lower edge, and the share."""
        place = self._buffer_cells * np.sqrt(np.clip(left_s / self._room_s, 0.0, 1.0))
        cell = np.minimum(place.astype(np.intp), self._buffer_cells - 1)
        within = place - cell
        rungs = self._qualities.size
        rates = np.arange(_GRID.size)[:, None, None]
        flat = (rates * (self._buffer_cells + 1) + cell) * rungs + np.arange(rungs)
        return flat, within * (2 * cell + within) / (2 * cell + 1)

    def _worth_of(self, worth: Array, below: Indices, shares: Array) -> Array:
        lower = worth.take(below)
        return np.asarray(lower + shares * (worth.take(below + self._qualities.size) - lower))


@lru_cache(maxsize=8)
def _edges(cells: int) -> Array:
    """Where the cells of the buffer begin and end, as shares of its room."""
    return np.asarray(np.linspace(0.0, 1.0, cells + 1) ** 2)


@lru_cache(maxsize=8)
def _chain(persistence: float) -> Array:
    """Chances of the next rate of the chain after each of its rates."""
    return _next_rates(_GRID, persistence)


def _next_rates(deviations: Array, persistence: float) -> Array:
    """Chances of the chain's rates after each of some deviations: an autoregression of order 1, on a grid."""
    spread = np.sqrt(1.0 - persistence**2)
    densities = np.exp(-0.5 * ((_GRID[None, :] - persistence * deviations[:, None]) / spread) ** 2)
    return np.asarray(densities / densities.sum(axis=1, keepdims=True))
