"""Starting playback: check that the title may be played, choose pathways, sign a session."""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Callable

from playback_api.domain.catalogue.services import find_playable
from playback_api.domain.counters import Counters
from playback_api.domain.playback.schemas import PlaybackSession, SessionPathway, SessionRequest
from playback_api.domain.playback.startup import expected_bandwidth_bps, max_height_of, startup_bitrate_bps
from playback_api.domain.playback.tokens import SessionClaims, TokenSigner
from playback_api.domain.profiles.services import ProfileService
from playback_api.domain.served import ServedSnapshots
from playback_api.domain.steering.services import PathwayRouter, SteeringService

SHORTEST_TOKEN_LIFETIME = dt.timedelta(hours=4)
TOKEN_LIFETIME_DURATIONS = 3
"""A session may last this many times the title's duration: pauses are part of watching."""


class PlaybackService:
    """Starts sessions."""

    def __init__(
        self,
        snapshots: ServedSnapshots,
        router: PathwayRouter,
        steering: SteeringService,
        profiles: ProfileService,
        signer: TokenSigner,
        counters: Counters,
        *,
        beats_url: str,
        beat_interval_s: float,
        clock: Callable[[], dt.datetime],
        new_session_id: Callable[[], str] = lambda: secrets.token_urlsafe(16),
    ) -> None:
        self._snapshots = snapshots
        self._router = router
        self._steering = steering
        self._profiles = profiles
        self._signer = signer
        self._counters = counters
        self._beats_url = beats_url
        self._beat_interval_s = beat_interval_s
        self._clock = clock
        self._new_session_id = new_session_id

    def start(self, request: SessionRequest) -> PlaybackSession:
        """Start a session.

        Raises:
            TitleUnknown, TitleNotLicensed, TitleTooMature: The title cannot be played.
            SnapshotNotReady: Nothing is served yet.
        """
        served = self._snapshots.current()
        now = self._clock()
        title = find_playable(served, request.title_id, today=now.date(), max_age=request.max_age)
        lifetime = max(SHORTEST_TOKEN_LIFETIME, TOKEN_LIFETIME_DURATIONS * dt.timedelta(seconds=title.duration_s))
        claims = SessionClaims(
            session_id=self._new_session_id(),
            title_id=title.title_id,
            region_id=request.region_id,
            bandwidth_bps=expected_bandwidth_bps(request.network_class, request.throughput_bps),
            max_height=max_height_of(request.device),
            expires_at=now + lifetime,
            package_id=title.package_id,
        )
        token = self._signer.sign(claims)
        choices = self._router.rank(served, claims)
        self._counters.add("playback_sessions", step=choices[0].step.value)
        return PlaybackSession(
            session_id=claims.session_id,
            token=token,
            expires_at=claims.expires_at,
            title_id=title.title_id,
            package_id=title.package_id,
            duration_s=title.duration_s,
            pathways=[
                SessionPathway(
                    pathway_id=choice.candidate.pathway_id,
                    base_url=choice.candidate.base_url,
                    latency_hint_s=choice.candidate.latency_s,
                )
                for choice in choices
            ],
            hls_path=title.hls_path,
            dash_path=title.dash_path,
            steering_url=self._steering.steering_url(claims.session_id, token),
            beats_url=self._beats_url,
            beat_interval_s=self._beat_interval_s,
            resume_position_s=self._profiles.resume_position_s(request.viewer_id, title.title_id),
            startup_bitrate_bps=startup_bitrate_bps(
                title.rungs,
                device=request.device,
                network_class=request.network_class,
                throughput_bps=request.throughput_bps,
            ),
            snapshot_id=served.snapshot.snapshot_id,
        )
