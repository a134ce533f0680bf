"""BOLA: the buffer alone decides (Spiteri, Urgaonkar, Sitaraman, INFOCOM 2016; the basic form)."""

from __future__ import annotations

import math

from player_sdk.abr.interface import AbrState, Decision, DownloadSample, startup_rung


class BolaAbr:
    """Maximises (V · (utility + gp) − buffer) / bit rate, with logarithmic utility.

    Args:
        target_buffer_s: The buffer that it steers to, at most the player's bound.
        gamma_p: The weight of not stalling, relative to utility.
    """

    def __init__(self, target_buffer_s: float = 25.0, gamma_p: float = 5.0) -> None:
        self._target_buffer_s = target_buffer_s
        self._gamma_p = gamma_p

    def choose(self, state: AbrState) -> Decision:
        """The best score; waits when every score is negative."""
        bitrates = state.bitrates_bps
        if state.last_rung < 0:
            return Decision(rung=startup_rung(state))
        # The segment that is asked for when the buffer is full comes on top of it.
        target_s = min(self._target_buffer_s, state.buffer_max_s + state.segment_duration_s)
        utilities = [math.log(bitrate / bitrates[0]) for bitrate in bitrates]
        spread_s = max(target_s - state.segment_duration_s, state.segment_duration_s)
        v = spread_s / (utilities[-1] + self._gamma_p)
        scores = [
            (v * (utility + self._gamma_p) - state.buffer_s) / bitrate
            for utility, bitrate in zip(utilities, bitrates, strict=True)
        ]
        best = max(range(len(scores)), key=scores.__getitem__)
        return Decision(rung=best, wait_s=max(0.0, state.buffer_s - v * (utilities[best] + self._gamma_p)))

    def observe(self, sample: DownloadSample) -> None:
        """The buffer says it all."""

    def abandon(self, state: AbrState, rung: int, received_bytes: float, elapsed_s: float) -> int | None:
        """Never."""
        return None
