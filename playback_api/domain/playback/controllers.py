"""Playback sessions over HTTP."""

from __future__ import annotations

from litestar import Controller, post
from litestar.datastructures import CacheControlHeader
from litestar.di import NamedDependency
from litestar.params import JSONBody

from playback_api.domain.errors import INVALID, describe_errors
from playback_api.domain.playback.schemas import PlaybackSession, SessionRequest
from playback_api.domain.playback.services import PlaybackService


class PlaybackController(Controller):
    """Starting to watch."""

    path = "/v1/playback"
    tags = ["playback"]
    cache_control = CacheControlHeader(no_store=True)

    @post(
        "/sessions",
        operation_id="startPlayback",
        summary="Start a playback session",
        description=(
            "Answers with the pathways to load the title from, best first, the bit rate to start with, where the "
            "viewer left off, and where to send heartbeats and steering questions."
        ),
        response_description="The session: where to load from, and where to tell how it goes.",
        responses=describe_errors(
            e400=INVALID,
            e403="The title is rated above max_age.",
            e404="No such title.",
            e451="Not licensed today.",
            e503="No snapshot yet, or too busy; see Retry-After.",
        ),
        sync_to_thread=False,
    )
    def start_playback(
        self, playback: NamedDependency[PlaybackService], data: JSONBody[SessionRequest]
    ) -> PlaybackSession:
        """Start a session for a viewer and a title."""
        return playback.start(data)
