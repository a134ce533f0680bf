"""Where one playback stands and what its viewer wishes; whoever loads, tells or waits reads it here."""

from __future__ import annotations

import math
from typing import Literal

from player_sdk.abr.estimator import ThroughputEstimator
from player_sdk.clock import Clock
from player_sdk.cmcd import PlayerState
from player_sdk.heartbeat import EndReason
from player_sdk.playing_media import PlayingMedia
from player_sdk.playlist import Track
from player_sdk.report import SessionReport, SessionTally


class PlaybackState:
    """One playback.

    Args:
        plan_duration_s: Length of the title as the playback plan has it, 0 while it is live or not known.

    Attributes:
        asked_at_s: When the viewer asked: start-up time counts from here.
        start_s: Media position to start at.
        watch_s: Seconds of media after which the viewer stops.
        patience_s: Seconds without a first frame after which the viewer gives up.
        begun: Whether it plays, and is not only prepared.
        stop_wanted: The viewer leaves.
        paused: Whether the viewer has paused it, ``resume_at_s`` says until when.
        seek_to_s: Media position that the viewer wants to go to, None for none.
        height_limit: Of what is loaded next.
        track_wishes: Sound and captions that the viewer wants and does not have yet, by kind.
        media: What plays, None before it is opened.
        throughput: Of the last video downloads.
        tally: What became of it so far.
        report: What became of it, None while it plays.
    """

    def __init__(self, *, clock: Clock, plan_duration_s: float, asked_at_s: float, start_s: float) -> None:
        self._clock = clock
        self._plan_duration_s = plan_duration_s
        self.asked_at_s = asked_at_s
        self.start_s = start_s
        self.watch_s = math.inf
        self.patience_s = math.inf
        self.begun = False
        self.stop_wanted = False
        self.paused = False
        self.resume_at_s = math.inf
        self.seek_to_s: float | None = None
        self.height_limit: int | None = None
        self.track_wishes: dict[Literal["audio", "text"], Track | None] = {}
        self.media: PlayingMedia | None = None
        self.throughput = ThroughputEstimator()
        self.tally = SessionTally()
        self.report: SessionReport | None = None

    @property
    def player_state(self) -> PlayerState:
        """What the player does, in the words of Common Media Client Data."""
        if self.report is not None:
            states: dict[EndReason, PlayerState] = {"completed": "ended", "failed": "failed"}
            return states.get(self.report.end_reason, "quit")
        if not self.begun:
            return "preloading"
        if self.media is None or not self.media.buffer.started:
            return "starting" if self.tally.startup_s is None else "seeking"
        if self.paused:
            return "paused"
        return "rebuffering" if self.media.buffer.stalled else "playing"

    @property
    def position_s(self) -> float:
        """Media position of the playhead."""
        return self.media.buffer.position_s if self.media else self.start_s

    @property
    def duration_s(self) -> float:
        """Length of the title; 0 while it is live or not known yet."""
        return self.media.duration_s if self.media else self._plan_duration_s

    @property
    def buffer_s(self) -> float:
        """Seconds of media ahead of the playhead."""
        return self.media.buffer.ahead_s if self.media else 0.0

    @property
    def live(self) -> bool:
        """Whether it is known that more is to come."""
        return self.media is not None and self.media.live

    @property
    def over(self) -> bool:
        """Whether the viewer left or the title ended."""
        if self.stop_wanted or (self.media is not None and self.media.buffer.finished):
            return True
        return self.tally.startup_s is None and self._clock.now() - self.asked_at_s >= self.patience_s

    @property
    def still_wanted(self) -> bool:
        """Whether what is being loaded is of use: the viewer is there, and has not gone elsewhere in the title."""
        jumps = self.seek_to_s is not None and self.media is not None
        return not self.over and not jumps

    @property
    def end_reason(self) -> EndReason:
        """Why it ends now, if nothing has failed."""
        if self.media is None or self.tally.startup_s is None:
            return "abandoned"
        return "completed" if self.media.complete else "stopped"
