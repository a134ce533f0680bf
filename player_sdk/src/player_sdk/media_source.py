"""What must be fetched to know what to fetch: manifests, playlists and their next versions, indexes, keys, the time."""

from __future__ import annotations

import datetime as dt
import email.utils
import logging
from collections.abc import Awaitable
from dataclasses import replace
from typing import Protocol

from player_sdk.clock import Clock
from player_sdk.decryption import decrypted
from player_sdk.errors import DeliveryError, PlaylistError
from player_sdk.loader import Resource
from player_sdk.playlist import (
    MediaPlaylist,
    Presentation,
    Track,
    clock_source_of,
    parse_manifest,
    parse_media,
    with_index,
)
from player_sdk.playlist.live import reread
from player_sdk.playlist.model import ByteRange, ClockSource, SegmentKey, most_like
from player_sdk.recent_contents import RecentContents

_STANDSTILL_S = 60.0
_LEAST_REFRESH_S = 0.5
_KEPT_KEYS = 64

_log = logging.getLogger(__name__)


class Fetch(Protocol):
    """Fetches a manifest, an index, a key or the time."""

    def __call__(
        self,
        path: str,
        object_type: str,
        *,
        byte_range: ByteRange | None = None,
        method: str = "GET",
        named_by: str | None = None,
    ) -> Awaitable[Resource]:
        """Fetch by path; ``object_type`` as for Common Media Client Data, ``named_by`` the playlist with that path."""
        ...


class MediaSource:
    """The manifest of one session and all that hangs on it.

    Args:
        fetch: Brings bytes, from whichever pathway is in use.
        clock: Says when a live playlist is read again.

    Attributes:
        manifest_path: What was opened.
        presentation: The newest version of it that was read, None before the first.
    """

    def __init__(self, *, fetch: Fetch, clock: Clock) -> None:
        self._fetch = fetch
        self._clock = clock
        self.manifest_path = ""
        self._clock_offset_s = 0.0
        self.presentation: Presentation | None = None
        self._presentation_read_at_s = 0.0
        self._read_at_s: dict[str, float] = {}
        self._changed_at_s: dict[str, float] = {}
        self._keys: RecentContents[str] = RecentContents(_KEPT_KEYS)

    async def open(self, path: str) -> Presentation:
        """Read the manifest.

        Raises:
            PlaylistError: It cannot be read or played.
        """
        text = await self._text(path)
        if (source := clock_source_of(text, path)) is not None:
            await self._set_clock(source)
        presentation = parse_manifest(text, path, self._utc_s())
        self.presentation = presentation
        self.manifest_path = path
        return presentation

    async def playlist(self, track: Track) -> MediaPlaylist:
        """The segments of a track, cut by their index where they have one.

        Raises:
            PlaylistError: They cannot be read.
        """
        playlist = track.media
        if playlist is None:
            if track.uri is None:
                raise PlaylistError(f"track {track.rung} has neither segments nor a playlist")
            playlist = parse_media(await self._text(track.uri), track.uri)
        while (whole := playlist.first_unindexed) is not None:
            index = await self._fetch(whole.uri, "init", byte_range=whole.index_range)
            playlist = with_index(playlist, whole, index.content)
        self._read_at_s[track.rung] = self._clock.now()
        self._changed_at_s[track.rung] = self._clock.now()
        return playlist

    def due_in_s(self, track: Track, playlist: MediaPlaylist) -> float:
        """Seconds until a live playlist may be read again: its refresh time, or half of it if it had not changed."""
        read_at_s = self._read_at_s.get(track.rung, 0.0)
        changed = self._changed_at_s.get(track.rung, 0.0) >= read_at_s
        refresh_s = max(_LEAST_REFRESH_S, playlist.refresh_s if changed else playlist.refresh_s / 2.0)
        return max(0.0, read_at_s + refresh_s - self._clock.now())

    async def refreshed(self, track: Track, playlist: MediaPlaylist) -> MediaPlaylist:
        """The next reading of a live playlist.

        Raises:
            PlaylistError: It cannot be read, does not go on from the one before, or has stood still for too long.
        """
        now_s = self._clock.now()
        if self.presentation is not None and self.presentation.reload_uri is not None:
            new = await self._reloaded_track(track, self.presentation.reload_uri)
            now_s = self._presentation_read_at_s
        else:
            new = await self._reread(track)
        new = reread(playlist, new)
        self._read_at_s[track.rung] = now_s
        changed_at_s = self._changed_at_s.setdefault(track.rung, now_s)
        if new.end_number > playlist.end_number or new.ended:
            self._changed_at_s[track.rung] = now_s
        elif now_s - changed_at_s > max(_STANDSTILL_S, 10.0 * playlist.target_duration_s):
            raise PlaylistError(f"the live playlist of {track.rung} has not gone on for more than {_STANDSTILL_S:g} s")
        return new

    async def clear(self, resource: Resource, key: SegmentKey | None, track: Track) -> Resource:
        """A resource of a track in the clear; one without a key as it is.

        Raises:
            PlaylistError: It cannot be decrypted.
        """
        if key is None:
            return resource
        content = self._keys.get(key.uri)
        if content is None:
            content = (await self._fetch(key.uri, "key", named_by=track.uri)).content
            self._keys.put(key.uri, content)
        return replace(resource, pieces=(decrypted(resource.content, key=content, iv=key.iv),))

    async def _reread(self, track: Track) -> MediaPlaylist:
        if track.uri is None:
            raise PlaylistError(f"the live track {track.rung} has no playlist to read again")
        return parse_media(await self._text(track.uri), track.uri)

    async def _reloaded_track(self, track: Track, uri: str) -> MediaPlaylist:
        """A track in the next version of the manifest, which may have been read for another one already."""
        presentation = self.presentation
        if presentation is None or self._presentation_read_at_s <= self._read_at_s.get(track.rung, 0.0):
            now_s = self._clock.now()
            presentation = parse_manifest(await self._text(uri), uri, self._utc_s())
            self._presentation_read_at_s = now_s
            self.presentation = replace(presentation, reload_uri=presentation.reload_uri or uri)
            kept = {track.rung, *(one.rung for one in presentation.tracks)}  # each period may bring new names, for ever
            self._read_at_s = {rung: at_s for rung, at_s in self._read_at_s.items() if rung in kept}
            self._changed_at_s = {rung: at_s for rung, at_s in self._changed_at_s.items() if rung in kept}
        tracks = presentation.tracks
        same = next((one for one in tracks if one.rung == track.rung), None) or most_like(track, tracks)
        if same is None or same.media is None:
            raise PlaylistError(f"the next version of the manifest has nothing like {track.rung} any more")
        return same.media

    async def _set_clock(self, source: ClockSource) -> None:
        """Learn the server's time; without an answer, the machine's own is used, which is told in the log."""
        try:
            text = source.value
            if source.scheme == "http-head":
                text = (await self._fetch(source.value, "other", method="HEAD")).headers.get("date", "")
            elif source.scheme != "direct":
                text = (await self._fetch(source.value, "other")).content.decode("ascii", errors="replace")
            self._clock_offset_s = _utc_s(text) - self._clock.utc_now().timestamp()
        except (DeliveryError, ValueError) as error:
            _log.warning("%s gave no time, the machine's own is used: %s", source.value, error)

    def _utc_s(self) -> float:
        return self._clock.utc_now().timestamp() + self._clock_offset_s

    async def _text(self, path: str) -> str:
        return (await self._fetch(path, "manifest")).content.decode("utf-8", errors="replace")


def _utc_s(text: str) -> float:
    """A date of ISO 8601, or one of an HTTP header.

    Raises:
        ValueError: Neither.
    """
    try:
        moment = dt.datetime.fromisoformat(text.strip())
    except ValueError:
        moment = email.utils.parsedate_to_datetime(text)
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=dt.UTC)).timestamp()
