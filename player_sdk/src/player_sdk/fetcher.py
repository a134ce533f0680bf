"""Fetching while playback goes on: time passes between the pieces of a download, and nobody may want the rest of it."""

from __future__ import annotations

from collections.abc import Callable

from player_sdk.loader import NotWanted, PathwayLoader, Resource
from player_sdk.playback_state import PlaybackState
from player_sdk.playhead import Playhead
from player_sdk.playlist import Segment, Track
from player_sdk.playlist.model import ByteRange
from player_sdk.session_cmcd import SessionCmcd


class Fetcher:
    """The loader of one session, as those use it who play."""

    def __init__(self, *, loader: PathwayLoader, state: PlaybackState, playhead: Playhead, cmcd: SessionCmcd) -> None:
        self._loader = loader
        self._state = state
        self._playhead = playhead
        self._cmcd = cmcd

    async def fetch(
        self,
        path: str,
        object_type: str,
        *,
        byte_range: ByteRange | None = None,
        method: str = "GET",
        track: Track | None = None,
        segment: Segment | None = None,
        drops: Callable[[int, float], bool] | None = None,
        named_by: str | None = None,
    ) -> Resource:
        """Fetch from whichever pathway is in use.

        Args:
            path: Where it is on each pathway, or an absolute URL.
            object_type: As for Common Media Client Data.
            byte_range: What is wanted of it, None for all.
            method: Of the HTTP request.
            track: What it belongs to, to be told as Common Media Client Data.
            segment: The same.
            drops: Told (bytes received, seconds since the request) now and then; True drops the download.
            named_by: The media playlist which names it.

        Raises:
            NotWanted: The viewer had left or gone elsewhere before the end of the download.
        """

        async def look(received_bytes: int, elapsed_s: float) -> bool:
            await self._playhead.tick()
            return not self._state.still_wanted or (drops is not None and drops(received_bytes, elapsed_s))

        resource = await self._loader.fetch(
            path,
            byte_range=byte_range,
            watcher=look,
            headers=self._cmcd.headers(object_type, track, segment),
            method=method,
            manifest=object_type == "manifest",
            named_by=named_by,
        )
        if not self._state.still_wanted:
            raise NotWanted(path)
        return resource

    async def segment(
        self, track: Track, segment: Segment, drops: Callable[[int, float], bool] | None = None
    ) -> Resource:
        """Fetch a segment; arguments as for ``fetch``."""
        return await self.fetch(
            segment.uri,
            track.kind,
            byte_range=segment.byte_range,
            track=track,
            segment=segment,
            drops=drops,
            named_by=track.uri,
        )
