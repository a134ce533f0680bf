"""Opening what a playback plan names: its manifest, and the pathways and the steering server that this brings."""

from __future__ import annotations

from typing import Literal
from urllib.parse import urljoin

import httpx

from player_sdk.clock import Clock
from player_sdk.loader import PathwayLoader
from player_sdk.media_source import MediaSource
from player_sdk.models import PlaybackPlan
from player_sdk.playhead import Playhead
from player_sdk.playlist import Presentation
from player_sdk.steering import SteeringClient


class PresentationOpener:
    """Opens the manifest of one session.

    Args:
        protocol: Which manifest is wanted.
        playhead: Gets the steering, which is asked as time passes.
    """

    def __init__(
        self,
        *,
        plan: PlaybackPlan,
        protocol: Literal["hls", "dash"],
        source: MediaSource,
        loader: PathwayLoader,
        playhead: Playhead,
        http: httpx.AsyncClient,
        clock: Clock,
    ) -> None:
        self._plan = plan
        self._protocol = protocol
        self._source = source
        self._loader = loader
        self._playhead = playhead
        self._http = http
        self._clock = clock

    def steer(self, url: str, first_poll_after_s: float, protocol: Literal["hls", "dash"]) -> None:
        """Follow a steering server from now on."""
        self._playhead.steering = SteeringClient(
            http=self._http,
            clock=self._clock,
            loader=self._loader,
            url=url,
            protocol=protocol,
            first_poll_after_s=first_poll_after_s,
        )

    async def open(self) -> Presentation:
        """Read the manifest that is wanted, or else the one that there is.

        Raises:
            PlaylistError: There is none, or it cannot be read or played.
        """
        presentation = await self._source.open(self._plan.manifest_path(self._protocol))
        self._loader.know_playlists(presentation.stable_ids)
        self._follow(presentation)
        return presentation

    def _follow(self, presentation: Presentation) -> None:
        """Use the pathways and the steering server that a manifest names, unless the playback plan has its own."""
        if self._playhead.steering is not None:
            return
        manifest_url = self._loader.url(self._source.manifest_path)
        self._loader.use_pathways_of(presentation, self._source.manifest_path)
        if presentation.steering_uri is not None:
            self.steer(urljoin(manifest_url, presentation.steering_uri), 0.0, presentation.protocol)
