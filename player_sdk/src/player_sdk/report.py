"""What became of a session, in the terms that the industry measures by."""

from __future__ import annotations

from collections import deque

import msgspec

from player_sdk.buffer import Played
from player_sdk.heartbeat import EndReason
from player_sdk.loader import Resource

_KEPT_ERRORS = 100
_ERROR_LENGTH = 1000


class SessionReport(msgspec.Struct, frozen=True, kw_only=True):
    """One session.

    Attributes:
        startup_s: From intent to first frame; None when there was no first frame.
        played_s: Seconds of media that were played.
        rebuffer_s: Seconds that playback stood still after the first frame.
        rebuffer_ratio: rebuffer_s / (played_s + rebuffer_s), 0 when nothing played.
        mean_bitrate_bps: Of what was played, weighted by time.
        switches: Changes of rung that the viewer saw.
        dropped_frames: Pictures that were not shown in time, as whoever shows them told.
        stalls: How often playback stood still.
        size_bytes, size_bytes_placed, size_bytes_cached: Received in all; what a fill had placed on the edge; what an
            earlier pull had left there.
        first_segment_local: The first video segment came from the edge's disk; None when none arrived or nobody said.
        pathways: Pathways that delivered something, in order of first use.
        end_reason: ``completed``, ``stopped`` by the viewer, ``abandoned`` before the first frame, or ``failed``.
        errors: What went wrong, first things first; of many, the last 100.
        error_count: How much went wrong in all.
        beats_sent, beats_lost: Heartbeats that the collector took, and those not delivered when the session ended.
    """

    session_id: str
    title_id: str
    startup_s: float | None
    played_s: float
    rebuffer_s: float
    rebuffer_ratio: float
    mean_bitrate_bps: float
    switches: int
    stalls: int
    size_bytes: int
    size_bytes_placed: int
    size_bytes_cached: int
    first_segment_local: bool | None
    pathways: list[str]
    end_reason: EndReason
    errors: list[str]
    error_count: int = 0
    dropped_frames: int = 0
    beats_sent: int = 0
    beats_lost: int = 0


class SessionTally:
    """Adds a session up while it plays."""

    def __init__(self) -> None:
        self.startup_s: float | None = None
        self.played_s = 0.0
        self.first_segment_local: bool | None = None
        self._errors: deque[str] = deque(maxlen=_KEPT_ERRORS)
        self._error_count = 0
        self._bits = 0.0
        self._rebuffer_s = 0.0
        self._stalls = 0
        self._switches = 0
        self.dropped_frames = 0
        self._size_bytes = 0
        self._size_bytes_placed = 0
        self._size_bytes_cached = 0
        self._pathways: list[str] = []

    def failed(self, code: str, message: object) -> None:
        """Something went wrong."""
        self._errors.append(f"{code}: {message}"[:_ERROR_LENGTH])
        self._error_count += 1

    def played(self, played: Played) -> None:
        """What the buffer played and where it stood still."""
        for run in played.runs:
            self.played_s += run.played_s
            self._bits += run.played_s * run.bitrate_bps
        for stall in played.stalls:
            self._rebuffer_s += stall.duration_s
            self._stalls += 1
        self._switches += played.switches

    def delivered(self, resource: Resource) -> None:
        """A pathway delivered something."""
        self._size_bytes += resource.size_bytes
        if resource.cache is not None and resource.cache.placed:
            self._size_bytes_placed += resource.size_bytes
        elif resource.cache is not None and resource.cache.hit:
            self._size_bytes_cached += resource.size_bytes
        if resource.pathway_id not in self._pathways:
            self._pathways.append(resource.pathway_id)

    def report(
        self, *, session_id: str, title_id: str, end_reason: EndReason, beats_sent: int, beats_lost: int
    ) -> SessionReport:
        """The sums."""
        watched_s = self.played_s + self._rebuffer_s
        return SessionReport(
            session_id=session_id,
            title_id=title_id,
            startup_s=self.startup_s,
            played_s=self.played_s,
            rebuffer_s=self._rebuffer_s,
            rebuffer_ratio=self._rebuffer_s / watched_s if watched_s > 0 else 0.0,
            mean_bitrate_bps=self._bits / self.played_s if self.played_s > 0 else 0.0,
            switches=self._switches,
            stalls=self._stalls,
            size_bytes=self._size_bytes,
            size_bytes_placed=self._size_bytes_placed,
            size_bytes_cached=self._size_bytes_cached,
            first_segment_local=self.first_segment_local,
            pathways=list(self._pathways),
            end_reason=end_reason,
            errors=list(self._errors),
            error_count=self._error_count,
            dropped_frames=self.dropped_frames,
            beats_sent=beats_sent,
            beats_lost=beats_lost,
        )
