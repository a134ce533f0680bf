"""Collects what happens in a session until the next heartbeat takes it along."""

from __future__ import annotations

import datetime as dt

from player_sdk.buffer import Played
from player_sdk.heartbeat import Beat, BeatKind, Delivery, EndReason, PlaybackError, Run, Stall
from player_sdk.loader import Resource
from player_sdk.models import PlaybackPlan, Viewer

_MAX_LABEL = 64
_MAX_MESSAGE = 500
_MAX_ERRORS = 100


class BeatRecorder:
    """The heartbeat side of one session: numbers beats, and puts each thing that happened into exactly one of them.

    Args:
        boot: How often this client has restarted within the session.
    """

    def __init__(
        self, *, plan: PlaybackPlan, viewer: Viewer, title_id: str, impression_id: str | None, boot: int = 0
    ) -> None:
        self._plan = plan
        self._viewer = viewer
        self._title_id = title_id
        self._impression_id = impression_id
        self._boot = boot
        self._seq = 0
        self._startup_s: float | None = None
        self._runs: list[Run] = []
        self._stalls: list[Stall] = []
        self._errors: list[PlaybackError] = []
        self._deliveries: dict[str, Delivery] = {}
        self._switches = 0
        self._dropped_frames = 0

    def started(self, startup_s: float) -> None:
        """The first frame was shown; the next beat says how long that took."""
        self._startup_s = startup_s

    def played(self, played: Played) -> None:
        """What the buffer played and where it stood still."""
        for run in played.runs:
            self._runs.append(
                Run(
                    position_s=run.position_s,
                    played_s=run.played_s,
                    rung=run.rung[:_MAX_LABEL],
                    bitrate_bps=round(run.bitrate_bps),
                    pathway=run.pathway_id[:_MAX_LABEL],
                )
            )
        self._stalls.extend(Stall(position_s=stall.position_s, duration_s=stall.duration_s) for stall in played.stalls)
        self._switches += played.switches

    def dropped_frames(self, count: int) -> None:
        """Pictures that were not shown in time."""
        self._dropped_frames += count

    def failed(self, code: str, message: str, *, fatal: bool) -> None:
        """Something went wrong. The first errors between two beats are kept, and one that is fatal always."""
        if len(self._errors) >= _MAX_ERRORS:
            if not fatal:
                return
            self._errors.pop()
        self._errors.append(PlaybackError(code=code[:_MAX_LABEL], message=message[:_MAX_MESSAGE], fatal=fatal))

    def delivered(self, resource: Resource) -> None:
        """A pathway delivered something."""
        old = self._deliveries.get(resource.pathway_id) or Delivery(
            pathway=resource.pathway_id[:_MAX_LABEL], requests=0
        )
        hit = resource.cache is not None and resource.cache.hit
        placed = hit and resource.cache is not None and resource.cache.placed
        cached = hit and not placed
        size = resource.size_bytes
        self._deliveries[resource.pathway_id] = Delivery(
            pathway=old.pathway,
            requests=old.requests + 1,
            requests_placed=old.requests_placed + placed,
            requests_cached=old.requests_cached + cached,
            size_bytes=old.size_bytes + size,
            size_bytes_placed=old.size_bytes_placed + (size if placed else 0),
            size_bytes_cached=old.size_bytes_cached + (size if cached else 0),
        )

    def beat(
        self,
        kind: BeatKind,
        *,
        sent_at: dt.datetime,
        duration_s: float,
        position_s: float,
        buffer_s: float,
        end_reason: EndReason | None = None,
    ) -> Beat:
        """Make the next beat, with everything since the last one."""
        beat = Beat(
            session_id=self._plan.session_id,
            boot=self._boot,
            seq=self._seq,
            sent_at=sent_at,
            kind=kind,
            viewer_id=self._viewer.viewer_id,
            title_id=self._title_id,
            region=self._viewer.region_id,
            device=self._viewer.device,
            network_class=self._viewer.network_class,
            package_id=self._plan.package_id,
            duration_s=duration_s,
            position_s=position_s,
            buffer_s=buffer_s,
            startup_s=self._startup_s,
            runs=self._runs,
            stalls=self._stalls,
            errors=self._errors,
            deliveries=list(self._deliveries.values()),
            switches=self._switches,
            dropped_frames=self._dropped_frames,
            impression_id=self._impression_id,
            end_reason=end_reason,
        )
        self._seq += 1
        self._startup_s = None
        self._runs, self._stalls, self._errors, self._deliveries = [], [], [], {}
        self._switches = self._dropped_frames = 0
        return beat
