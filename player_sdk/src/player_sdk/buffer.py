"""The playback buffer: what was loaded, what was played, and when playback stood still.

Pure: it is told the time and what arrived, and knows nothing of requests. Stalls are computed from times, not from how
often somebody looks, so a slow machine under a virtual clock sees none that were not there.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class BufferedSegment:
    """A video segment in the buffer; times are media time."""

    start_s: float
    end_s: float
    rung: str
    bitrate_bps: float
    pathway_id: str
    size_bytes: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class PlayedRun:
    """A stretch of media played at one rung from one pathway."""

    position_s: float
    played_s: float
    rung: str
    bitrate_bps: float
    pathway_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class StallSpan:
    """Playback stood still at ``position_s`` for ``duration_s``."""

    position_s: float
    duration_s: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Played:
    """What happened since the last look."""

    runs: tuple[PlayedRun, ...]
    stalls: tuple[StallSpan, ...]
    switches: int


_GAP_S = 0.5
"""Segments that begin this much after the end of those before them leave a hole, over which the playhead jumps."""


class PlaybackBuffer:
    """A playhead over video and audio; it moves while both are ahead of it, and stalls otherwise.

    Args:
        position_s: Where playback starts.
        end_s: Where the title ends: standing there is no stall.
        stop_s: Where the viewer stops; the playhead never passes it.
    """

    def __init__(self, *, position_s: float, end_s: float, stop_s: float) -> None:
        self.position_s = position_s
        self.video_end_s = position_s
        self.audio_end_s = position_s
        self._stop_s = min(stop_s, end_s)
        self._segments: deque[BufferedSegment] = deque()
        self._holes_s = 0.0
        self._audio_sizes: deque[tuple[float, int]] = deque()
        self._looked_at_s: float | None = None
        self._stalled_since_s: float | None = None
        self._runs: list[PlayedRun] = []
        self._stalls: list[StallSpan] = []
        self._switches = 0
        self._playing: BufferedSegment | None = None
        self._paused = False

    @property
    def started(self) -> bool:
        """Whether the first frame was shown."""
        return self._looked_at_s is not None

    @property
    def stalled(self) -> bool:
        """Whether playback stands still for want of data."""
        return self._stalled_since_s is not None

    @property
    def finished(self) -> bool:
        """Whether the playhead is where the viewer stops."""
        return self.position_s >= self._stop_s - 1e-6

    @property
    def ahead_s(self) -> float:
        """Seconds that can be played from here."""
        ahead_s = min(self.video_end_s, self.audio_end_s) - self.position_s - self._holes_s
        return ahead_s if ahead_s > 1e-6 else 0.0

    @property
    def until_stop_s(self) -> float:
        """Seconds of play until the viewer stops."""
        return max(0.0, self._stop_s - self.position_s)

    def add_video(self, segment: BufferedSegment) -> None:
        """Append a video segment; one that begins later than the one before it ends leaves a hole."""
        hole_s = segment.start_s - self.video_end_s
        if hole_s > _GAP_S:
            self._holes_s += hole_s
        self._segments.append(segment)
        self.video_end_s = segment.end_s

    def add_audio(self, end_s: float, size_bytes: int = 0) -> None:
        """Audio is loaded up to here, by a segment of that size."""
        self.audio_end_s = end_s
        if size_bytes:
            self._audio_sizes.append((end_s, size_bytes))

    def drop_audio(self, keep_s: float) -> float:
        """Forget the sound after what the next seconds need.

        Returns:
            Where what is left ends.
        """
        kept = [part for part in self._audio_sizes if part[0] > self.position_s]
        beyond = next((at for at, (end_s, _) in enumerate(kept) if end_s >= self.position_s + keep_s), len(kept))
        self._audio_sizes = deque(kept[: beyond + 1])
        self.audio_end_s = self._audio_sizes[-1][0] if self._audio_sizes else self.position_s
        return self.audio_end_s

    def until_below_s(self, limit_bytes: int) -> float:
        """Seconds of play until no more than that is held; the segment that is played counts until its end."""
        parts = [(one.end_s, one.size_bytes) for one in self._segments]
        parts += [one for one in self._audio_sizes if one[0] > self.position_s]
        over_bytes = sum(size_bytes for _, size_bytes in parts) - limit_bytes
        until_s = 0.0
        for end_s, size_bytes in sorted(parts):
            if over_bytes <= 0:
                break
            over_bytes -= size_bytes
            until_s = end_s - self.position_s
        return until_s if len(self._segments) > 1 else 0.0

    def end_at_loaded(self) -> float:
        """Nothing more will come: what is loaded is all there is to play.

        Returns:
            Where that ends.
        """
        end_s = min(self.video_end_s, self.audio_end_s)
        self._stop_s = min(self._stop_s, end_s)
        return end_s

    def stop_after(self, watch_s: float) -> None:
        """The viewer stops after so many seconds from here."""
        self._stop_s = min(self._stop_s, self.position_s + watch_s)

    def start(self, now_s: float) -> None:
        """Show the first frame."""
        self._looked_at_s = now_s

    def advance(self, now_s: float) -> None:
        """Play on until now with what is loaded; call it before adding what arrived now."""
        while self._audio_sizes and self._audio_sizes[0][0] <= self.position_s:
            self._audio_sizes.popleft()
        if self._looked_at_s is None:
            return
        if self._paused:
            self._looked_at_s = now_s
            return
        elapsed_s = max(0.0, now_s - self._looked_at_s)
        playable_s = min(self.ahead_s, self.until_stop_s)
        if self._stalled_since_s is not None and playable_s > 0.0:
            # What arrived ended the stall at the last look; ``resume`` normally did this already.
            self.resume(self._looked_at_s)
        played_s = min(elapsed_s, playable_s)
        if played_s > 0.0:
            self._play(played_s)
        if elapsed_s > played_s and not self.finished and self._stalled_since_s is None:
            self._stalled_since_s = self._looked_at_s + played_s
        self._looked_at_s = now_s

    def resume(self, now_s: float) -> StallSpan | None:
        """End a stall if there is something to play now; returns it."""
        if self._stalled_since_s is None or self.ahead_s <= 0.0:
            return None
        return self._end_stall(now_s)

    def pause(self, now_s: float) -> None:
        """The viewer holds the picture: nothing plays from now on, and nothing is a stall."""
        self.close(now_s)
        self._paused = True

    def unpause(self, now_s: float) -> None:
        """Play on from now."""
        self.advance(now_s)
        self._paused = False

    def close(self, now_s: float) -> None:
        """Playback is over: a stall that still lasts ends here."""
        self.advance(now_s)
        if self._stalled_since_s is not None:
            self._end_stall(now_s)

    def take(self) -> Played:
        """What happened since the last call."""
        played = Played(runs=tuple(self._runs), stalls=tuple(self._stalls), switches=self._switches)
        self._runs, self._stalls, self._switches = [], [], 0
        return played

    def _end_stall(self, now_s: float) -> StallSpan | None:
        since_s, self._stalled_since_s = self._stalled_since_s, None
        if since_s is None or now_s <= since_s:
            return None
        stall = StallSpan(position_s=self.position_s, duration_s=now_s - since_s)
        self._stalls.append(stall)
        return stall

    def _play(self, played_s: float) -> None:
        left_s = played_s
        while left_s > 1e-9 and self._segments:
            segment = self._segments[0]
            if self._playing is not segment:
                if self._playing is not None and self._playing.rung != segment.rung:
                    self._switches += 1
                self._playing = segment
            if segment.start_s - self.position_s > _GAP_S:
                self._holes_s = max(0.0, self._holes_s - (segment.start_s - self.position_s))
                self.position_s = segment.start_s
            step_s = min(left_s, segment.end_s - self.position_s)
            if step_s > 0.0:
                self._add_run(segment, step_s)
                self.position_s += step_s
                left_s -= step_s
            if self.position_s >= segment.end_s - 1e-9:
                self.position_s = max(self.position_s, segment.end_s)
                self._segments.popleft()

    def _add_run(self, segment: BufferedSegment, played_s: float) -> None:
        last = self._runs[-1] if self._runs else None
        if last is not None and last.rung == segment.rung and last.pathway_id == segment.pathway_id:
            self._runs[-1] = PlayedRun(
                position_s=last.position_s,
                played_s=last.played_s + played_s,
                rung=last.rung,
                bitrate_bps=last.bitrate_bps,
                pathway_id=last.pathway_id,
            )
        else:
            self._runs.append(
                PlayedRun(
                    position_s=self.position_s,
                    played_s=played_s,
                    rung=segment.rung,
                    bitrate_bps=segment.bitrate_bps,
                    pathway_id=segment.pathway_id,
                )
            )
