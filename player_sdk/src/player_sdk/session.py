"""One playback, from the intent to the last frame.

The session asks the policy for a rung, the loader for bytes and the buffer for what was played, and tells the world by
events, heartbeats and a report. It has no task of its own: whoever iterates its events drives it, and everything else
happens at its ticks (between pieces of a download, between slices of waiting).
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Literal

import httpx

from player_sdk.abr.interface import Abr
from player_sdk.beat_recorder import BeatRecorder
from player_sdk.beat_sender import BeatSender
from player_sdk.clock import Clock
from player_sdk.cmcd import PlayerState
from player_sdk.errors import DeliveryError, PlayerError, PlaylistError
from player_sdk.events import Event, SegmentContent, Sought
from player_sdk.fetcher import Fetcher
from player_sdk.frames import DecodedFrame, FrameDecoder
from player_sdk.loader import NotWanted, PathwayLoader
from player_sdk.media_source import MediaSource
from player_sdk.models import PlaybackPlan, Viewer
from player_sdk.playback_settings import PlaybackSettings
from player_sdk.playback_state import PlaybackState
from player_sdk.playhead import LEAST_WAIT_S, Playhead
from player_sdk.playing_media import PlayingMedia
from player_sdk.playlist import Presentation, Track
from player_sdk.presentation_opener import PresentationOpener
from player_sdk.report import SessionReport
from player_sdk.segment_loader import SegmentLoader
from player_sdk.session_cmcd import SessionCmcd
from player_sdk.session_teller import SessionTeller
from player_sdk.stream_muxer import StreamMuxer, StreamPiece
from player_sdk.tracks import Selection


class Session:
    """A playback that was granted; iterate ``events`` or call ``watch``, once.

    Args:
        plan: What the control API answered.
        asked_at_s: When the viewer asked, by the clock: start-up time counts from here.
        start_s: Media position to start at.
        beats: Where heartbeats go; None sends none.
        seed: Jitter of retries.
    """

    def __init__(
        self,
        *,
        plan: PlaybackPlan,
        title_id: str,
        viewer: Viewer,
        http: httpx.AsyncClient,
        clock: Clock,
        abr: Abr,
        asked_at_s: float,
        start_s: float = 0.0,
        impression_id: str | None = None,
        max_height: int | None = None,
        beats: BeatSender | None = None,
        settings: PlaybackSettings | None = None,
        seed: int = 0,
    ) -> None:
        self.plan = plan
        self.title_id = title_id
        self._viewer = viewer
        self._clock = clock
        self._max_height = max_height
        self._settings = settings or PlaybackSettings()
        self._finishing = asyncio.Lock()
        self._state = PlaybackState(
            clock=clock, plan_duration_s=plan.duration_s, asked_at_s=asked_at_s, start_s=start_s
        )
        self._cmcd = SessionCmcd(
            state=self._state,
            settings=self._settings,
            session_id=plan.session_id,
            title_id=title_id,
            http=http,
            clock=clock,
            pathway_id=lambda: loader.pathway_id,
        )
        self._teller = SessionTeller(
            state=self._state,
            plan=plan,
            title_id=title_id,
            clock=clock,
            recorder=BeatRecorder(plan=plan, viewer=viewer, title_id=title_id, impression_id=impression_id),
            beats=beats,
            cmcd=self._cmcd,
        )
        loader = PathwayLoader(
            http=http,
            pathways=plan.pathways,
            clock=clock,
            rng=random.Random(seed),
            listener=self._teller,
            settings=self._settings.retry,
        )
        self._playhead = Playhead(
            state=self._state, teller=self._teller, cmcd=self._cmcd, clock=clock, slice_s=self._settings.slice_s
        )
        fetcher = Fetcher(loader=loader, state=self._state, playhead=self._playhead, cmcd=self._cmcd)
        source = MediaSource(fetch=fetcher.fetch, clock=clock)
        self._segments = SegmentLoader(
            state=self._state,
            playhead=self._playhead,
            teller=self._teller,
            cmcd=self._cmcd,
            fetcher=fetcher,
            source=source,
            clock=clock,
            select=self._select,
            abr=abr,
            buffer_max_s=self._settings.buffer_max_s,
            startup_bitrate_bps=plan.startup_bitrate_bps,
        )
        self._opener = PresentationOpener(
            plan=plan,
            protocol=self._settings.protocol,
            source=source,
            loader=loader,
            playhead=self._playhead,
            http=http,
            clock=clock,
        )
        if plan.steering_url:
            self._opener.steer(plan.steering_url, self._settings.steering_after_s, self._settings.protocol)

    @property
    def report(self) -> SessionReport | None:
        """What became of it; None while it plays."""
        return self._state.report

    @property
    def state(self) -> PlayerState:
        """What it does, in the words of Common Media Client Data."""
        return self._state.player_state

    @property
    def position_s(self) -> float:
        """Media position of the playhead."""
        return self._state.position_s

    @property
    def duration_s(self) -> float | None:
        """Length of the title; None while it is live or not known yet."""
        return self._state.duration_s or None

    @property
    def buffer_s(self) -> float:
        """Seconds of media ahead of the playhead."""
        return self._state.buffer_s

    @property
    def throughput_bps(self) -> float | None:
        """Of the last video downloads; what the next session may start from."""
        return self._state.throughput.estimate_bps()

    def stop(self) -> None:
        """The viewer leaves; the session ends at its next tick."""
        self._state.stop_wanted = True

    @property
    def paused(self) -> bool:
        """Whether the viewer has paused it."""
        return self._state.paused

    def pause(self, duration_s: float | None = None) -> None:
        """Hold the picture; loading goes on until the buffer is full.

        Args:
            duration_s: Seconds until it goes on by itself; None waits for ``resume``. With a virtual clock give one:
                nobody else moves that.
        """
        self._playhead.pause(duration_s)

    def resume(self) -> None:
        """Go on after a pause; does nothing without one."""
        self._playhead.resume()

    def seek(self, position_s: float) -> None:
        """Go on from another media position at the next tick; a running download is dropped.

        The wait until it plays again is the viewer's wish and no stall. Past the end means the last second, or as near
        to the end of a live title as it may be played; before what a live title still has means the beginning of that.
        """
        self._state.seek_to_s = max(0.0, position_s)

    def limit_height(self, max_height: int | None) -> None:
        """Load nothing taller from the next segment on; None lifts the limit, not the device's own."""
        self._state.height_limit = max_height

    def add_dropped_frames(self, count: int) -> None:
        """Tell that pictures were not shown in time, for whoever shows them: heartbeats and the report carry the sum.

        What is told after the session has ended counts no more.

        Raises:
            ValueError: ``count`` is negative.
        """
        if count < 0:
            raise ValueError(f"{count} dropped frames; give how many were dropped since the last call")
        self._teller.dropped_frames(count)

    @property
    def audio_tracks(self) -> tuple[Track, ...]:
        """The sound to choose from; empty until the manifest was read, and where the picture brings its own."""
        return self._state.media.selection.audio_tracks if self._state.media else ()

    @property
    def caption_tracks(self) -> tuple[Track, ...]:
        """The same for captions and subtitles."""
        return self._state.media.selection.caption_tracks if self._state.media else ()

    def choose_audio(self, track: Track) -> None:
        """Hear another track at the next tick: a second of the old one plays on, the rest of it is thrown away.

        Raises:
            PlayerError: Not one of ``audio_tracks``.
        """
        self._wish("audio", track, self.audio_tracks)

    def choose_captions(self, track: Track | None) -> None:
        """Load other captions from the next tick on, or none. Playback never waits for captions.

        Raises:
            PlayerError: Not one of ``caption_tracks``.
        """
        if track is None:
            self._state.track_wishes["text"] = None
        else:
            self._wish("text", track, self.caption_tracks)

    def _wish(self, kind: Literal["audio", "text"], track: Track, offered: Sequence[Track]) -> None:
        # By name: a live title has others of the same names with each new version of its manifest.
        same = next((one for one in offered if isinstance(track, Track) and one.rung == track.rung), None)
        if same is None:
            raise PlayerError(f"no such {kind} track; there are {[one.rung for one in offered]}")
        self._state.track_wishes[kind] = same

    async def segments(
        self, watch_s: float | None = None, *, listener: Callable[[Event], object] | None = None
    ) -> AsyncIterator[SegmentContent]:
        """Play, and hand out the bytes as they come: what a decoder or another player is fed with.

        Args:
            watch_s: As for ``events``.
            listener: Is told the events.
        """
        self._teller.keep_content = True
        async for event in self.events(watch_s):
            if listener is not None:
                listener(event)
            for content in self._teller.take_contents():
                yield content

    async def stream(
        self, watch_s: float | None = None, *, listener: Callable[[Event], object] | None = None
    ) -> AsyncIterator[StreamPiece]:
        """Play, and hand out picture and sound as one MPEG transport stream; needs the extra ``frames``.

        It is what players read from a pipe, in H.264 or HEVC with AAC, AC-3 or MP3: choose rungs by
        ``PlaybackSettings(codecs=STREAM_CODECS)`` where a title has others too. Captions are not in it. Other sound is
        heard where what was handed out ends, and a seek is a jump of the time stamps.

        Args:
            watch_s: As for ``events``; the stream begins with the segment that holds the start, and ends there.
            listener: Is told the events.

        Raises:
            PlaylistError: The extra is not installed, or a segment cannot be read or carried.
        """
        muxer: StreamMuxer | None = None
        async for content in self.segments(watch_s, listener=listener):
            if muxer is None:
                until_s = math.inf if watch_s is None else self.position_s + watch_s
                muxer = StreamMuxer(audio_beside=bool(self.audio_tracks), until_s=until_s)
            for piece in muxer.take(content):
                yield piece
        for piece in muxer.rest() if muxer is not None else ():
            yield piece

    async def frames(self, watch_s: float | None = None) -> AsyncIterator[DecodedFrame]:
        """Play, and hand out pictures and sound, decoded, as they come; needs the extra ``frames``.

        Each of the two comes in its own order, a segment at a time, as far ahead of the playhead as it is loaded.

        Args:
            watch_s: As for ``events``.

        Raises:
            PlaylistError: The extra is not installed, or a segment cannot be decoded.
        """
        decoder = FrameDecoder()
        async for content in self.segments(watch_s):
            if content.kind != "text":
                for frame in decoder.decode(content):
                    yield frame
        for frame in decoder.rest():
            yield frame

    async def watch(self, watch_s: float | None = None, *, patience_s: float | None = None) -> SessionReport:
        """Play to the end; arguments as for ``events``."""
        async for _ in self.events(watch_s, patience_s=patience_s):
            pass
        if self._state.report is None:
            raise PlayerError("the session ended without a report; this is a bug in the player")
        return self._state.report

    async def events(self, watch_s: float | None = None, *, patience_s: float | None = None) -> AsyncIterator[Event]:
        """Play, and tell what happens; leaving the loop early stops the session.

        Args:
            watch_s: Seconds of media after which the viewer stops; None watches to the end.
            patience_s: Seconds without a first frame after which the viewer gives up; None waits for ever.

        Raises:
            PlayerError: The session has been played already.
        """
        state = self._state
        if state.begun:
            raise PlayerError("a session plays once; ask the player for a new one")
        state.begun = True
        state.watch_s = math.inf if watch_s is None else watch_s
        state.patience_s = math.inf if patience_s is None else patience_s
        failure: PlayerError | None = None
        try:
            if not self._teller.keep_content:
                self._teller.take_contents()
            if state.media is None:
                media = await self._open()
            else:
                media, state.asked_at_s = state.media, self._clock.now()
                media.buffer.stop_after(state.watch_s)
                if state.seek_to_s is None and media.buffer.ahead_s > 0.0:
                    self._playhead.arrived(media)
            while not state.over:
                await self._step(media)
                for event in self._teller.take_events():
                    yield event
        except NotWanted:
            pass  # the report tells how
        except (DeliveryError, PlaylistError) as error:
            failure = error
        finally:
            await self._finish(failure)
        for event in self._teller.take_events():
            yield event

    async def prepare(self) -> None:
        """Load what the first frame needs before the viewer asks for it, such as while the title before it ends.

        The first frame then comes at once, and start-up time counts from when the session is played.

        Raises:
            DeliveryError: No pathway delivered it.
            PlaylistError: The title cannot be played.
        """
        if self._state.begun or self._state.media is not None:
            return
        try:
            media = await self._open()
            await self._segments.load_both(media, self._segments.decide(media).rung)
        except NotWanted:
            return  # closed, or sent elsewhere: playing it tells what became of that

    async def close(self) -> None:
        """End a session that was not played to its end, as if the viewer had stopped."""
        self._state.stop_wanted = True
        await self._finish(None)

    def _select(self, presentation: Presentation) -> Selection:
        return self._settings.select(presentation, self._viewer.device, self._max_height)

    async def _open(self) -> PlayingMedia:
        """Manifest, tracks, playlists, and where to start."""
        state = self._state
        selection = self._select(await self._opener.open())
        media = PlayingMedia(selection)
        await self._segments.load_first_playlists(media)
        if selection.captions is not None:
            state.track_wishes.setdefault("text", selection.captions)
        media.start_at(state.start_s, state.watch_s)
        if state.paused:
            media.buffer.pause(self._clock.now())
        state.media = media
        return media

    async def _step(self, media: PlayingMedia) -> None:
        """Load the next segment, or wait when nothing is to be loaded now."""
        await self._playhead.tick()
        try:
            if self._state.seek_to_s is not None:
                await self._jump(media, self._state.seek_to_s)
            if self._state.track_wishes and media.buffer.started:
                await self._segments.change_tracks(media)
            await self._load_next(media)
        except NotWanted:
            return  # the viewer has left or gone elsewhere: the next step sees to it

    async def _load_next(self, media: PlayingMedia) -> None:
        if media.all_loaded and media.live:
            await self._segments.refresh(media)
            if media.all_loaded and not media.live:
                media.finish()
            return
        if media.all_loaded:
            await self._playhead.idle(media.buffer.until_stop_s, unless_wished=True)
            return
        excess_s = max(
            media.buffer.ahead_s - self._settings.buffer_max_s,
            media.buffer.until_below_s(self._settings.buffer_max_bytes),
        )
        if excess_s > LEAST_WAIT_S:
            await self._playhead.idle(excess_s, unless_wished=True)
            return
        decision = self._segments.decide(media)
        await self._playhead.idle(min(decision.wait_s, media.buffer.ahead_s))
        if self._state.still_wanted:
            await self._segments.load_both(media, decision.rung)
            self._playhead.arrived(media)
            await self._segments.load_captions(media)

    async def _jump(self, media: PlayingMedia, position_s: float) -> None:
        """Empty the buffer and go on from elsewhere, as near to a position as a live title is there by now."""
        state, old_s = self._state, media.buffer.position_s
        media.buffer.close(self._clock.now())
        self._teller.beat("seek")
        state.seek_to_s = None
        media.empty_buffer()
        self._cmcd.tell_state()
        await self._segments.refresh_due(media)
        media.go_to(position_s, state.watch_s - state.tally.played_s)
        if state.paused:
            media.buffer.pause(self._clock.now())
        self._teller.put(Sought(old_position_s=old_s, new_position_s=media.buffer.position_s))

    async def _finish(self, failure: PlayerError | None) -> None:
        """The last beats, the report, and the last event; a second call waits for the first and does nothing."""
        async with self._finishing:
            if self._state.report is not None:
                return
            if self._state.media is not None:
                self._state.media.buffer.close(self._clock.now())
            reason = self._teller.end(failure)
            if self._playhead.steering is not None:
                await self._playhead.steering.close()
            await self._teller.close(reason)
