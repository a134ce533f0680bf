"""Loading the segments of one session into its buffer: picture, and the sound and captions beside it.

Which rung comes next is the policy's to say; where bytes come from is the fetcher's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from player_sdk.abr.interface import Abr, Decision, DownloadSample
from player_sdk.buffer import BufferedSegment
from player_sdk.clock import Clock
from player_sdk.errors import DeliveryError, PlaylistError
from player_sdk.events import SegmentAbandoned, Switched, TrackChanged
from player_sdk.fetcher import Fetcher
from player_sdk.loader import NotWanted, Resource
from player_sdk.media_source import MediaSource
from player_sdk.playback_state import PlaybackState
from player_sdk.playhead import Playhead
from player_sdk.playing_media import PlayingMedia, TrackBeside
from player_sdk.playlist import MediaPlaylist, Presentation, Segment, Track
from player_sdk.playlist.model import UNDECLARED_BITRATE_BPS, InitSegment
from player_sdk.session_cmcd import SessionCmcd
from player_sdk.session_teller import SessionTeller
from player_sdk.tracks import Selection, short_side

_ABANDON_CHECK_S = 0.25


class SegmentLoader:
    """Loads what plays next, and the playlists that name it.

    Args:
        source: Playlists and keys.
        select: Chooses among the tracks of a manifest.
        abr: Chooses the rungs.
        buffer_max_s: How far ahead of the playhead the session loads.
        startup_bitrate_bps: What the playback plan knows of the line.
    """

    def __init__(
        self,
        *,
        state: PlaybackState,
        playhead: Playhead,
        teller: SessionTeller,
        cmcd: SessionCmcd,
        fetcher: Fetcher,
        source: MediaSource,
        clock: Clock,
        select: Callable[[Presentation], Selection],
        abr: Abr,
        buffer_max_s: float,
        startup_bitrate_bps: float | None,
    ) -> None:
        self._state = state
        self._playhead = playhead
        self._teller = teller
        self._cmcd = cmcd
        self._fetcher = fetcher
        self._source = source
        self._clock = clock
        self._select = select
        self._abr = abr
        self._buffer_max_s = buffer_max_s
        self._startup_bitrate_bps = startup_bitrate_bps
        self._followed: Presentation | None = None

    # Which rung.

    def decide(self, media: PlayingMedia) -> Decision:
        """What the policy wants next, of what the newest version of the manifest offers."""
        self._follow_ladder(media)
        return self._abr.choose(
            media.abr_state(buffer_max_s=self._buffer_max_s, startup_bitrate_bps=self._startup_bitrate_bps)
        )

    def _follow_ladder(self, media: PlayingMedia) -> None:
        """Later periods of a live title may have another ladder."""
        presentation = self._source.presentation
        if presentation is self._followed or presentation is None or presentation.reload_uri is None:
            return
        self._followed = presentation
        try:
            media.change_ladder(self._select(presentation))
        except PlaylistError as error:
            self._teller.put_error("playlist", error)

    def _wants_lower(self, media: PlayingMedia, rung: int, received_bytes: int, elapsed_s: float) -> int | None:
        state = media.abr_state(buffer_max_s=self._buffer_max_s, startup_bitrate_bps=self._startup_bitrate_bps)
        lower = self._abr.abandon(state, rung, received_bytes, elapsed_s) if rung > 0 else None
        return lower if lower is not None and 0 <= lower < rung else None

    def _allowed_rung(self, media: PlayingMedia, rung: int) -> int:
        """A rung of the ladder that is no taller than the viewer wants it now, the lowest where all are."""
        rung, limit = media.nearest_rung(rung), self._state.height_limit
        if limit is None:
            return rung
        fitting = [at for at, track in enumerate(media.selection.ladder) if short_side(track) <= limit]
        return min(rung, max(fitting, default=0))

    # Playlists.

    async def load_first_playlists(self, media: PlayingMedia) -> None:
        """Load what must be known of the picture and the sound before there is a place to start at."""
        opening = media.opening_state(buffer_max_s=self._buffer_max_s, startup_bitrate_bps=self._startup_bitrate_bps)
        await self._load_playlist(media, self._allowed_rung(media, self._abr.choose(opening).rung))
        while not media.reference.segments:
            await self.refresh(media)
        audio = media.selection.audio
        if audio is not None:
            media.put_beside("audio", audio, await self._source.playlist(audio))

    async def refresh(self, media: PlayingMedia, rung: int | None = None) -> None:
        """Read a live playlist again, by default that of the rung in use, as soon as it may have changed."""
        rung = media.used_rung if rung is None else rung
        track = media.selection.ladder[rung]
        media.set_playlist(rung, await self._reread(track, media.playlist(rung)))

    async def refresh_due(self, media: PlayingMedia) -> None:
        """Read again all live playlists in use that may have changed."""
        await self._refresh_rung_due(media, media.used_rung)
        for beside in media.beside.values():
            if self._is_due(beside.track, beside.playlist):
                await self._refresh_beside(media, beside)

    async def _load_playlist(self, media: PlayingMedia, rung: int) -> None:
        if media.playlists[rung] is None:
            media.set_playlist(rung, await self._source.playlist(media.selection.ladder[rung]))

    async def _refresh_rung_due(self, media: PlayingMedia, rung: int) -> None:
        if self._is_due(media.selection.ladder[rung], media.playlist(rung)):
            await self.refresh(media, rung)

    async def _refresh_beside(self, media: PlayingMedia, beside: TrackBeside) -> None:
        media.set_beside_playlist(beside, await self._reread(beside.track, beside.playlist))

    async def _reread(self, track: Track, playlist: MediaPlaylist) -> MediaPlaylist:
        await self._playhead.idle(self._source.due_in_s(track, playlist))
        if not self._state.still_wanted:
            raise NotWanted(track.rung)
        return await self._source.refreshed(track, playlist)

    def _is_due(self, track: Track, playlist: MediaPlaylist) -> bool:
        """Whether a live playlist may have changed."""
        return not playlist.ended and self._source.due_in_s(track, playlist) <= 0.0

    # Picture and sound.

    async def load_both(self, media: PlayingMedia, rung: int) -> None:
        """The next segment of picture, and sound as far as that goes."""
        await self._load_video(media, self._allowed_rung(media, rung))
        if "audio" in media.beside:
            await self._load_beside(media, media.beside["audio"])
        if media.all_loaded and not media.live:
            media.finish()

    async def _load_video(self, media: PlayingMedia, rung: int) -> None:
        """Load the next video segment, at a lower rung whenever the policy changes its mind."""
        lower: int | None = rung
        while lower is not None:
            rung = lower
            segment = await self._next_video(media, rung)
            await self._load_init(media, segment.init, media.selection.ladder[rung])
            resource, lower = await self._fetch_unless_abandoned(media, rung, segment)
        if media.track is None and resource.cache is not None:
            self._state.tally.first_segment_local = resource.cache.hit
        track = media.track_of(rung, segment)
        media.buffer.advance(self._clock.now())
        media.buffer.add_video(
            BufferedSegment(
                start_s=segment.start_s,
                end_s=segment.end_s,
                rung=track.rung,
                bitrate_bps=_played_bitrate_bps(track, segment, resource.size_bytes),
                pathway_id=resource.pathway_id,
                size_bytes=resource.size_bytes,
            )
        )
        if "audio" not in media.beside:
            media.buffer.add_audio(segment.end_s)
        before, media.rung, media.track = media.track, rung, track
        if before is not None and before.rung != track.rung:
            self._teller.put(Switched(old_rung=before.rung, new_rung=track.rung))
        self._teller.downloaded(track, segment, resource, media.init_content(segment))
        if before is None or before.bitrate_bps != track.bitrate_bps:
            self._cmcd.tell("bc")
        media.next_index += 1

    async def _next_video(self, media: PlayingMedia, rung: int) -> Segment:
        """The segment to load next at a rung, waiting for one that a live title has not yet."""
        await self._refresh_rung_due(media, media.used_rung)  # others are brought in line with it
        await self._load_playlist(media, rung)
        await self._refresh_rung_due(media, rung)
        while (segment := media.next_video(rung)) is None and not media.playlist(rung).ended:
            await self.refresh(media, rung)
        if segment is None:
            name = media.selection.ladder[rung].rung
            raise PlaylistError(f"rung {name} ends before the others, at segment {media.next_index}")
        return segment

    async def _fetch_unless_abandoned(
        self, media: PlayingMedia, rung: int, segment: Segment
    ) -> tuple[Resource, int | None]:
        """Fetch a video segment; the second value is the rung to ask for instead when it was dropped."""
        watcher = _AbandonWatcher(lambda received, elapsed: self._wants_lower(media, rung, received, elapsed))
        track = media.track_of(rung, segment)
        resource = await self._fetcher.segment(track, segment, watcher.drops)
        sample = DownloadSample(
            rung=rung,
            size_bytes=resource.size_bytes,
            duration_s=resource.duration_s,
            latency_s=resource.latency_s,
            from_cache=resource.cache.hit if resource.cache is not None else None,
            abandoned=watcher.lower_rung is not None,
        )
        self._abr.observe(sample)
        self._state.throughput.observe(sample)
        if watcher.lower_rung is not None:
            self._teller.put(
                SegmentAbandoned(
                    index=media.next_index,
                    rung=track.rung,
                    size_bytes=resource.size_bytes,
                    duration_s=resource.duration_s,
                )
            )
            return resource, watcher.lower_rung
        return await self._source.clear(resource, segment.key, track), None

    async def _load_beside(self, media: PlayingMedia, beside: TrackBeside) -> None:
        """Load sound or captions until they reach as far as the picture; of these, only sound is waited for."""
        track = beside.track
        if self._is_due(track, beside.playlist):
            await self._refresh_beside(media, beside)
        while (behind_s := media.buffer.video_end_s - beside.end_s) > 1e-3:
            segment = media.next_beside(beside)
            if segment is None and beside.playlist.ended:
                break
            if segment is None and (track.kind == "text" or behind_s <= beside.playlist.target_duration_s):
                return  # the rest comes with what is cut next
            if segment is None:
                await self._refresh_beside(media, beside)
                continue
            await self._load_init(media, segment.init, track)
            resource = await self._fetcher.segment(track, segment)
            resource = await self._source.clear(resource, segment.key, track)
            media.buffer.advance(self._clock.now())
            media.add_beside(beside, segment.end_s, resource.size_bytes)
            self._teller.downloaded(track, segment, resource, media.init_content(segment))
        if beside.all_loaded:
            media.finish_beside(beside)

    async def _load_init(self, media: PlayingMedia, init: InitSegment | None, track: Track) -> None:
        if init is None or media.init_contents.get(init) is not None:
            return
        resource = await self._fetcher.fetch(init.uri, "init", byte_range=init.byte_range, named_by=track.uri)
        media.init_contents.put(init, (await self._source.clear(resource, init.key, track)).content)

    # Captions, and other sound.

    async def load_captions(self, media: PlayingMedia) -> None:
        """Load captions as far as the picture goes; without them, playback goes on."""
        if "text" not in media.beside:
            return
        try:
            await self._load_beside(media, media.beside["text"])
        except (DeliveryError, PlaylistError) as error:
            self._teller.put_error("text", error)
            self._put_beside(media, "text", None, None)

    async def change_tracks(self, media: PlayingMedia) -> None:
        """Play the sound and the captions that the viewer wishes; where they cannot be had, it stays as it was."""
        wishes = self._state.track_wishes
        for kind, track in list(wishes.items()):
            try:
                playlist = None if track is None else await self._source.playlist(track)
            except (DeliveryError, PlaylistError) as error:
                self._teller.put_error(kind, error)
            else:
                self._put_beside(media, kind, track, playlist)
            if wishes[kind] is track:
                del wishes[kind]
        if "audio" in media.beside:
            await self._load_beside(media, media.beside["audio"])
            self._playhead.arrived(media)
        await self.load_captions(media)

    def _put_beside(
        self, media: PlayingMedia, kind: Literal["audio", "text"], track: Track | None, playlist: MediaPlaylist | None
    ) -> None:
        old = media.beside.get(kind)
        media.put_beside(kind, track, playlist)
        self._teller.put(
            TrackChanged(
                kind=kind,
                position_s=self._state.position_s,
                old_name=old.track.rung if old else None,
                new_name=track.rung if track else None,
            )
        )


def _played_bitrate_bps(track: Track, segment: Segment, size_bytes: int) -> float:
    """The declared bit rate, or the segment's own where none is declared."""
    if track.bitrate_bps > UNDECLARED_BITRATE_BPS:
        return track.bitrate_bps
    return size_bytes * 8.0 / max(segment.duration_s, 1e-3)


class _AbandonWatcher:
    """Asks, at most four times a second, whether a running download should go on."""

    def __init__(self, ask: Callable[[int, float], int | None]) -> None:
        self._ask = ask
        self._next_s = _ABANDON_CHECK_S
        self.lower_rung: int | None = None

    def drops(self, received_bytes: int, elapsed_s: float) -> bool:
        """Whether the download is to be dropped; ``lower_rung`` then says for what."""
        if elapsed_s < self._next_s - 1e-9:
            return False
        self._next_s = elapsed_s + _ABANDON_CHECK_S
        self.lower_rung = self._ask(received_bytes, elapsed_s)
        return self.lower_rung is not None
