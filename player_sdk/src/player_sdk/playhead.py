"""Time passing in one session: the playhead starts, pauses and moves on, and what is due beside it is done."""

from __future__ import annotations

import math

from player_sdk.clock import Clock
from player_sdk.events import Paused, Resumed, Stalled
from player_sdk.playback_state import PlaybackState
from player_sdk.playing_media import PlayingMedia
from player_sdk.session_cmcd import SessionCmcd
from player_sdk.session_teller import SessionTeller
from player_sdk.steering import SteeringClient

LEAST_WAIT_S = 1e-7
"""Less than this is rounding: waiting for it would not move the clock, and the loop would turn for ever."""


class Playhead:
    """Moves the playhead by the clock.

    Args:
        slice_s: Longest wait between two looks at what is due while nothing is loaded.

    Attributes:
        steering: Is asked when it is due; None where nobody steers.
    """

    def __init__(
        self, *, state: PlaybackState, teller: SessionTeller, cmcd: SessionCmcd, clock: Clock, slice_s: float
    ) -> None:
        self._state = state
        self._teller = teller
        self._cmcd = cmcd
        self._clock = clock
        self._slice_s = slice_s
        self.steering: SteeringClient | None = None

    def pause(self, duration_s: float | None) -> None:
        """Hold the picture, for so many seconds if they are given."""
        state = self._state
        if state.paused:
            return
        state.paused = True
        now_s = self._clock.now()
        state.resume_at_s = math.inf if duration_s is None else now_s + duration_s
        if state.media is not None:
            state.media.buffer.pause(now_s)
        self._teller.put(Paused(position_s=state.position_s))
        self._teller.beat("pause")
        self._cmcd.tell_state()

    def resume(self) -> None:
        """Go on after a pause; does nothing without one."""
        state = self._state
        if not state.paused:
            return
        state.paused = False
        if state.media is not None:
            state.media.buffer.unpause(min(self._clock.now(), state.resume_at_s))
        state.resume_at_s = math.inf
        self._teller.put(Resumed(position_s=state.position_s))
        self._teller.beat("playing")
        self._cmcd.tell_state()

    def arrived(self, media: PlayingMedia) -> None:
        """Picture and sound of the next piece are here: start, or end a stall."""
        now_s = self._clock.now()
        if not media.buffer.started:
            media.buffer.start(now_s)
            self._cmcd.tell_state()
            if self._state.tally.startup_s is not None:
                self._teller.beat("playing")  # after a seek
                return
            rung = media.track.rung if media.track is not None else ""
            self._teller.started(now_s - self._state.asked_at_s, rung)
            return
        stall = media.buffer.resume(now_s)
        if stall is not None:
            self._teller.put(Stalled(position_s=stall.position_s, duration_s=stall.duration_s))
            self._teller.beat("stall")
        self._cmcd.tell_state()

    async def tick(self) -> None:
        """Let playback move on to now, and do what is due beside it."""
        state, now_s = self._state, self._clock.now()
        if state.media is not None:
            if now_s >= state.resume_at_s:
                self.resume()
            state.media.buffer.advance(now_s)
            self._cmcd.tell_state()
            if self._teller.beat_due_in_s <= 0.0:
                self._teller.beat("pause" if state.paused else "stall" if state.media.buffer.stalled else "playing")
        await self._teller.send_due()
        if self.steering is not None:
            await self.steering.poll_due(state.throughput.estimate_bps())
        await self._cmcd.send_due()

    async def idle(self, duration_s: float, *, unless_wished: bool = False) -> None:
        """Wait while the buffer plays, ticking whenever something is due; or only until other tracks are wished."""
        state, until_s = self._state, self._clock.now() + duration_s
        while state.still_wanted and not (unless_wished and state.track_wishes):
            left_s = until_s - self._clock.now()
            if left_s <= LEAST_WAIT_S:
                return
            next_beat_s = max(self._teller.beat_due_in_s, 1e-3)
            until_resumed_s = max(state.resume_at_s - self._clock.now(), 1e-3)
            await self._clock.sleep(min(left_s, next_beat_s, until_resumed_s, self._slice_s))
            await self.tick()
