"""Reading a title without playing it: its manifest, the pathways that this names, and the playlists of its tracks."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

from player_sdk.clock import Clock
from player_sdk.loader import LoadListener, PathwayLoader, Resource
from player_sdk.media_source import MediaSource
from player_sdk.models import PlaybackPlan
from player_sdk.playlist import MediaPlaylist, Presentation, Track
from player_sdk.playlist.model import ByteRange

_log = logging.getLogger(__name__)


class TitleReader:
    """Reads one title.

    Args:
        plan: Names its manifest.
        loader: Brings bytes from the pathways of that plan, and of the manifest once this was read.
        clock: Says when.
    """

    def __init__(self, *, plan: PlaybackPlan, loader: PathwayLoader, clock: Clock) -> None:
        self._plan = plan
        self._loader = loader
        self._source = MediaSource(fetch=self._fetch_data, clock=clock)

    async def open(self) -> Presentation:
        """Read the manifest.

        Raises:
            DeliveryError: It did not come.
            PlaylistError: It cannot be read or played.
        """
        presentation = await self._source.open(self._plan.manifest_path())
        if self._plan.steering_url is None:
            self._loader.use_pathways_of(presentation, self._source.manifest_path)
        return presentation

    async def open_with_playlists(self) -> Presentation:
        """The same, with the segments of every track, its URI as it was asked for, and how long all of it is."""
        presentation = await self.open()
        video = await self._with_playlists(presentation.video)
        duration_s, first = presentation.duration_s, video[0].media
        if duration_s is None and first is not None and first.ended:
            duration_s = first.duration_s
        return replace(
            presentation,
            video=video,
            audio=await self._with_playlists(presentation.audio),
            text=await self._with_playlists(presentation.text),
            duration_s=duration_s,
        )

    async def _with_playlists(self, tracks: Sequence[Track]) -> tuple[Track, ...]:
        return tuple(
            [
                replace(
                    track,
                    media=await self.playlist(track),
                    uri=None if track.uri is None else self._loader.url(track.uri),
                )
                for track in tracks
            ]
        )

    async def playlist(self, track: Track) -> MediaPlaylist:
        """The segments of a track.

        Raises:
            DeliveryError: They did not come.
            PlaylistError: They cannot be read.
        """
        return await self._source.playlist(track)

    async def fetch(self, path: str, byte_range: ByteRange | None = None) -> bytes:
        """A file that a playlist names.

        Raises:
            DeliveryError: It did not come.
        """
        return (await self._loader.fetch(path, byte_range=byte_range)).content

    async def _fetch_data(
        self,
        path: str,
        object_type: str,
        *,
        byte_range: ByteRange | None = None,
        method: str = "GET",
        named_by: str | None = None,
    ) -> Resource:
        manifest = object_type == "manifest"
        return await self._loader.fetch(
            path, byte_range=byte_range, method=method, manifest=manifest, named_by=named_by
        )


class ReadingLog(LoadListener):
    """Tells the log what happens on the way; reading ends with an answer or an exception."""

    def still_wanted(self) -> bool:
        """Always."""
        return True

    def request_failed(self, pathway_id: str, code: str, message: str) -> None:
        """A request failed; another may follow."""
        _log.info("%s: %s %s", pathway_id, code, message)

    def pathway_switched(self, old_id: str, new_id: str, reason: str) -> None:
        """Another pathway is used."""
        _log.info("from %s to %s by %s", old_id, new_id, reason)

    def delivered(self, resource: Resource) -> None:
        """Bytes came."""
