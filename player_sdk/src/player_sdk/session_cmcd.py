"""What one session says as Common Media Client Data: with its requests, and as events to a collector."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import httpx

from player_sdk.clock import Clock
from player_sdk.cmcd import CmcdEvent, CmcdRequest, CmcdResponse, PlayerState, cmcd_headers
from player_sdk.cmcd_reporter import CmcdReporter
from player_sdk.playback_settings import PlaybackSettings
from player_sdk.playback_state import PlaybackState
from player_sdk.playlist import Segment, Track


class SessionCmcd:
    """Fills in what the standard asks for from the state of a playback.

    Args:
        pathway_id: Tells the pathway in use.
    """

    def __init__(
        self,
        *,
        state: PlaybackState,
        settings: PlaybackSettings,
        session_id: str,
        title_id: str,
        http: httpx.AsyncClient,
        clock: Clock,
        pathway_id: Callable[[], str],
    ) -> None:
        self._state = state
        self._settings = settings
        self._session_id = session_id
        self._title_id = title_id
        self._clock = clock
        self._pathway_id = pathway_id
        url = settings.cmcd_events_url
        self._reporter = CmcdReporter(http=http, clock=clock, url=url) if url else None
        self._told_state: PlayerState = "preloading"

    def headers(
        self, object_type: str, track: Track | None = None, segment: Segment | None = None
    ) -> dict[str, str] | None:
        """What goes with a request; None where nothing is to be sent."""
        if not self._settings.cmcd:
            return None
        state, media = self._state, self._state.media
        ladder = media.selection.ladder if media else ()
        return cmcd_headers(
            CmcdRequest(
                session_id=self._session_id,
                content_id=self._title_id,
                object_type=object_type,
                streaming_format=self._settings.protocol,
                bitrate_bps=track.bitrate_bps if track else None,
                top_bitrate_bps=ladder[-1].bitrate_bps if ladder else None,
                duration_s=segment.duration_s if segment else None,
                buffer_s=state.buffer_s if segment else None,
                throughput_bps=state.throughput.estimate_bps(),
                startup=media is None or not media.buffer.started,
                starved=media is not None and media.buffer.stalled,
                live=state.live,
                version=self._settings.cmcd_version,
                state=state.player_state,
                pathway_id=self._pathway_id(),
            )
        )

    def tell(
        self,
        kind: Literal["ps", "bc", "e", "rr", "t"],
        *,
        error_code: str | None = None,
        response: CmcdResponse | None = None,
    ) -> None:
        """Put an event into the next report, and the state after it if that has changed."""
        if self._reporter is None:
            return
        state, media = self._state, self._state.media
        self._reporter.put(
            CmcdEvent(
                kind=kind,
                at_s=self._clock.utc_now().timestamp(),
                session_id=self._session_id,
                content_id=self._title_id,
                streaming_format=self._settings.protocol,
                state=state.player_state,
                position_s=state.position_s,
                bitrate_bps=media.track.bitrate_bps if media and media.track else None,
                buffer_s=state.buffer_s,
                pathway_id=self._pathway_id(),
                live=state.live,
                error_code=error_code,
                response=response,
            )
        )
        self.tell_state()

    def tell_state(self) -> None:
        """Tell what the player does if that has changed."""
        if self._reporter is not None and self._state.player_state != self._told_state:
            self._told_state = self._state.player_state
            self.tell("ps")

    async def send_due(self) -> None:
        """Send a report if one is due, with the time in it."""
        if self._reporter is not None:
            if self._reporter.due():
                self.tell("t")
            await self._reporter.send_due()

    async def close(self) -> None:
        """Tell the last state, and send what is left."""
        if self._reporter is not None:
            self.tell_state()
            await self._reporter.close()
