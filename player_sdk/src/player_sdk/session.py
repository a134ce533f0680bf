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
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urljoin

import httpx

from player_sdk.abr.estimator import ThroughputEstimator
from player_sdk.abr.interface import Abr, Decision, DownloadSample
from player_sdk.beat_recorder import BeatRecorder
from player_sdk.beat_sender import BeatSender
from player_sdk.buffer import BufferedSegment
from player_sdk.clock import Clock
from player_sdk.cmcd import CmcdEvent, CmcdRequest, CmcdResponse, CmcdVersion, PlayerState, cmcd_headers
from player_sdk.cmcd_reporter import CmcdReporter
from player_sdk.errors import DeliveryError, PlayerError, PlaylistError
from player_sdk.events import (
    Ended,
    Event,
    PathwaySwitched,
    Paused,
    RequestFailed,
    Resumed,
    SegmentAbandoned,
    SegmentContent,
    SegmentDownloaded,
    Sought,
    Stalled,
    Started,
    Switched,
    TrackChanged,
)
from player_sdk.frames import DecodedFrame, FrameDecoder
from player_sdk.heartbeat import BeatKind, EndReason
from player_sdk.loader import NotWanted, PathwayLoader, Resource, RetrySettings
from player_sdk.media_source import MediaSource
from player_sdk.models import Pathway, PlaybackPlan, Viewer
from player_sdk.playing_media import PlayingMedia, TrackBeside
from player_sdk.playlist import MediaPlaylist, Presentation, Segment, Track
from player_sdk.playlist.model import ByteRange, InitSegment
from player_sdk.report import SessionReport, SessionTally
from player_sdk.steering import SteeringClient
from player_sdk.tracks import PLAYABLE_CODECS, Display, Selection, select_tracks, short_side

_ABANDON_CHECK_S = 0.25
_LEAST_WAIT_S = 1e-7
"""Less than this is rounding: waiting for it would not move the clock, and the loop would turn for ever."""


@dataclass(frozen=True, kw_only=True)
class PlaybackSettings:
    """How sessions play.

    Attributes:
        protocol: Which manifest to play when the plan offers both.
        buffer_max_s: How far ahead of the playhead to load.
        buffer_max_bytes: How much of picture and sound to hold; one segment is always allowed.
        display: The screen, if it is known: nothing is loaded that is larger than it can show.
        codecs: Beginnings of the codec names that can be played.
        language: Audio language to prefer.
        captions: Language of the captions to begin with, None for none.
        cmcd: Send Common Media Client Data with media requests.
        cmcd_version: Which version of it.
        cmcd_events_url: Where its events go (version 2), None sends none.
        slice_s: Longest wait between two looks at what is due while nothing is loaded.
        steering_after_s: When steering is first asked; the order of the playback plan is fresh before that.
    """

    protocol: Literal["hls", "dash"] = "hls"
    buffer_max_s: float = 30.0
    buffer_max_bytes: int = 200_000_000
    display: Display | None = None
    codecs: tuple[str, ...] = PLAYABLE_CODECS
    language: str | None = None
    captions: str | None = None
    cmcd: bool = False
    cmcd_version: CmcdVersion = 1
    cmcd_events_url: str | None = None
    slice_s: float = 5.0
    steering_after_s: float = 30.0
    retry: RetrySettings = field(default_factory=RetrySettings)

    def select(self, presentation: Presentation, device: str, max_height: int | None) -> Selection:
        """The tracks of a title that a viewer gets.

        Raises:
            PlaylistError: None can be played.
        """
        return select_tracks(
            presentation,
            device=device,
            max_height=max_height,
            display=self.display,
            codecs=self.codecs,
            language=self.language,
            captions=self.captions,
        )


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
        self._abr = abr
        self._asked_at_s = asked_at_s
        self._start_s = start_s
        self._max_height = max_height
        self._height_limit: int | None = None
        self._settings = settings or PlaybackSettings()
        self._loader = PathwayLoader(
            http=http,
            pathways=plan.pathways,
            clock=clock,
            rng=random.Random(seed),
            listener=self,
            settings=self._settings.retry,
        )
        self._source = MediaSource(fetch=self._fetch_data, clock=clock)
        self._http = http
        self._steering = (
            self._make_steering(plan.steering_url, self._settings.steering_after_s, self._settings.protocol)
            if plan.steering_url
            else None
        )
        events_url = self._settings.cmcd_events_url
        self._cmcd_reporter = CmcdReporter(http=http, clock=clock, url=events_url) if events_url else None
        self._told_state: PlayerState = "preloading"
        self._beats = beats if plan.beats_url else None
        self._recorder = BeatRecorder(plan=plan, viewer=viewer, title_id=title_id, impression_id=impression_id)
        self._beat_interval_s = (beats.settings.interval_s if beats is not None else None) or plan.beat_interval_s
        self._next_beat_s = math.inf
        self._tally = SessionTally()
        self._events: list[Event] = []
        self._watch_s = math.inf
        self._patience_s = math.inf
        self._begun = False
        self._stop_wanted = False
        self._paused = False
        self._resume_at_s = math.inf
        self._seek_to_s: float | None = None
        self._track_wishes: dict[Literal["audio", "text"], Track | None] = {}
        self._keep_content = False
        self._contents: list[SegmentContent] = []
        self._report: SessionReport | None = None
        self._finishing = asyncio.Lock()
        self._media: PlayingMedia | None = None
        self._throughput = ThroughputEstimator()

    @property
    def report(self) -> SessionReport | None:
        """What became of it; None while it plays."""
        return self._report

    @property
    def state(self) -> PlayerState:
        """What it does, in the words of Common Media Client Data."""
        if self._report is not None:
            states: dict[EndReason, PlayerState] = {"completed": "ended", "failed": "failed"}
            return states.get(self._report.end_reason, "quit")
        if not self._begun:
            return "preloading"
        if self._media is None or not self._media.buffer.started:
            return "starting" if self._tally.startup_s is None else "seeking"
        if self._paused:
            return "paused"
        return "rebuffering" if self._media.buffer.stalled else "playing"

    @property
    def position_s(self) -> float:
        """Media position of the playhead."""
        return self._media.buffer.position_s if self._media else self._start_s

    @property
    def duration_s(self) -> float | None:
        """Length of the title; None while it is live or not known yet."""
        return (self._media.duration_s if self._media else self.plan.duration_s) or None

    @property
    def buffer_s(self) -> float:
        """Seconds of media ahead of the playhead."""
        return self._media.buffer.ahead_s if self._media else 0.0

    @property
    def throughput_bps(self) -> float | None:
        """Of the last video downloads; what the next session may start from."""
        return self._throughput.estimate_bps()

    def stop(self) -> None:
        """The viewer leaves; the session ends at its next tick."""
        self._stop_wanted = True

    @property
    def paused(self) -> bool:
        """Whether the viewer has paused it."""
        return self._paused

    def pause(self, duration_s: float | None = None) -> None:
        """Hold the picture; loading goes on until the buffer is full.

        Args:
            duration_s: Seconds until it goes on by itself; None waits for ``resume``. With a virtual clock give one:
                nobody else moves that.
        """
        if self._paused:
            return
        self._paused = True
        now_s = self._clock.now()
        self._resume_at_s = math.inf if duration_s is None else now_s + duration_s
        if self._media is not None:
            self._media.buffer.pause(now_s)
        self._events.append(Paused(position_s=self.position_s))
        self._beat("pause")
        self._tell_state()

    def resume(self) -> None:
        """Go on after a pause; does nothing without one."""
        if not self._paused:
            return
        self._paused = False
        if self._media is not None:
            self._media.buffer.unpause(min(self._clock.now(), self._resume_at_s))
        self._resume_at_s = math.inf
        self._events.append(Resumed(position_s=self.position_s))
        self._beat("playing")
        self._tell_state()

    def seek(self, position_s: float) -> None:
        """Go on from another media position at the next tick; a running download is dropped.

        The wait until it plays again is the viewer's wish and no stall. Past the end means the last second, or as near
        to the end of a live title as it may be played; before what a live title still has means the beginning of that.
        """
        self._seek_to_s = max(0.0, position_s)

    def limit_height(self, max_height: int | None) -> None:
        """Load nothing taller from the next segment on; None lifts the limit, not the device's own."""
        self._height_limit = max_height

    @property
    def audio_tracks(self) -> tuple[Track, ...]:
        """The sound to choose from; empty until the manifest was read, and where the picture brings its own."""
        return self._media.selection.audio_tracks if self._media else ()

    @property
    def caption_tracks(self) -> tuple[Track, ...]:
        """The same for captions and subtitles."""
        return self._media.selection.caption_tracks if self._media else ()

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
        self._wish("text", track, (*self.caption_tracks, None))

    def _wish(self, kind: Literal["audio", "text"], track: Track | None, offered: Sequence[Track | None]) -> None:
        if not any(track is one for one in offered):
            names = [one.rung for one in offered if one is not None]
            raise PlayerError(f"no such {kind} track; there are {names}")
        self._track_wishes[kind] = track

    async def segments(self, watch_s: float | None = None) -> AsyncIterator[SegmentContent]:
        """Play, and hand out the bytes as they come: what a decoder or another player is fed with.

        Args:
            watch_s: As for ``events``.
        """
        self._keep_content = True
        async for _ in self.events(watch_s):
            contents, self._contents = self._contents, []
            for content in contents:
                yield content

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
        if self._report is None:
            raise PlayerError("the session ended without a report; this is a bug in the player")
        return self._report

    async def events(self, watch_s: float | None = None, *, patience_s: float | None = None) -> AsyncIterator[Event]:
        """Play, and tell what happens; leaving the loop early stops the session.

        Args:
            watch_s: Seconds of media after which the viewer stops; None watches to the end.
            patience_s: Seconds without a first frame after which the viewer gives up; None waits for ever.

        Raises:
            PlayerError: The session has been played already.
        """
        if self._begun:
            raise PlayerError("a session plays once; ask the player for a new one")
        self._begun = True
        self._watch_s = math.inf if watch_s is None else watch_s
        self._patience_s = math.inf if patience_s is None else patience_s
        failure: PlayerError | None = None
        try:
            if not self._keep_content:
                self._contents.clear()
            if self._media is None:
                media = await self._open()
            else:
                media, self._asked_at_s = self._media, self._clock.now()
                media.buffer.stop_after(self._watch_s)
                if self._seek_to_s is None and media.buffer.ahead_s > 0.0:
                    self._arrived(media)
            while not self._over():
                await self._step(media)
                for event in self._take_events():
                    yield event
        except NotWanted:
            pass  # _reason() tells how
        except (DeliveryError, PlaylistError) as error:
            failure = error
        finally:
            await self._finish(failure)
        for event in self._take_events():
            yield event

    async def prepare(self) -> None:
        """Load what the first frame needs before the viewer asks for it, such as while the title before it ends.

        The first frame then comes at once, and start-up time counts from when the session is played.

        Raises:
            DeliveryError: No pathway delivered it.
            PlaylistError: The title cannot be played.
        """
        if self._begun or self._media is not None:
            return
        try:
            media = await self._open()
            await self._load_both(media, self._decide(media).rung)
        except NotWanted:
            return  # closed, or sent elsewhere: playing it tells what became of that

    async def close(self) -> None:
        """End a session that was not played to its end, as if the viewer had stopped."""
        self._stop_wanted = True
        await self._finish(None)

    # What the loader asks and tells (``LoadListener``).

    def still_wanted(self) -> bool:
        """Whether the viewer is still there: one who has left, or gone elsewhere in the title, waits for no retry."""
        return not self._over() and not self._jumps()

    def request_failed(self, pathway_id: str, code: str, message: str) -> None:
        """Count a failed request and tell it."""
        self._tally.errors.append(f"{code}: {message}")
        self._recorder.failed(code, message, fatal=False)
        self._events.append(RequestFailed(pathway_id=pathway_id, code=code, message=message))
        self._tell_cmcd("e", error_code=code)

    def pathway_switched(self, old_id: str, new_id: str, reason: str) -> None:
        """Tell a change of pathway."""
        self._events.append(PathwaySwitched(old_id=old_id, new_id=new_id, reason=reason))

    def delivered(self, resource: Resource) -> None:
        """Count what came, wanted to the end or not."""
        self._tally.delivered(resource)
        self._recorder.delivered(resource)
        self._tell_cmcd(
            "rr",
            response=CmcdResponse(
                url=resource.url,
                status_code=resource.status_code,
                first_byte_s=resource.latency_s,
                last_byte_s=resource.duration_s,
            ),
        )

    # Opening: manifests, tracks, where to start.

    async def _open(self) -> PlayingMedia:
        presentation = await self._load_presentation()
        selection = self._settings.select(presentation, self._viewer.device, self._max_height)
        media = PlayingMedia(selection)
        opening = media.opening_state(
            buffer_max_s=self._settings.buffer_max_s, startup_bitrate_bps=self.plan.startup_bitrate_bps
        )
        await self._playlist_of(media, self._allowed_rung(media, self._abr.choose(opening).rung))
        while not media.reference.segments:
            await self._refresh(media)
        if selection.audio is not None:
            media.put_beside("audio", selection.audio, await self._source.playlist(selection.audio))
        if selection.captions is not None:
            self._track_wishes.setdefault("text", selection.captions)
        media.start_at(self._start_s, self._watch_s)
        if self._paused:
            media.buffer.pause(self._clock.now())
        self._media = media
        return media

    async def _load_presentation(self) -> Presentation:
        """The manifest that is wanted, or else the one that there is."""
        paths = [self.plan.hls_path, self.plan.dash_path]
        if self._settings.protocol == "dash":
            paths.reverse()
        path = paths[0] or paths[1]
        if not path:
            raise PlaylistError("the playback plan names no manifest")
        presentation = await self._source.open(path)
        self._follow(presentation)
        return presentation

    def _follow(self, presentation: Presentation) -> None:
        """Use the pathways and the steering server that a manifest names, unless the playback plan has its own."""
        if self._steering is not None:
            return
        manifest_url = self._loader.url(self._source.manifest_path)
        if presentation.pathways:
            self._loader.replace_pathways(
                [
                    Pathway(pathway_id=one.pathway_id, base_url=urljoin(manifest_url, one.base_url))
                    for one in presentation.pathways
                ]
            )
        if presentation.steering_uri is not None:
            url = urljoin(manifest_url, presentation.steering_uri)
            self._steering = self._make_steering(url, 0.0, presentation.protocol)

    async def _playlist_of(self, media: PlayingMedia, rung: int) -> MediaPlaylist:
        if media.playlists[rung] is None:
            media.set_playlist(rung, await self._source.playlist(media.selection.ladder[rung]))
        return media.playlist(rung)

    async def _refresh(self, media: PlayingMedia, rung: int | None = None) -> None:
        """Read a live playlist again, by default that of the rung in use, as soon as it may have changed."""
        rung = media.used_rung if rung is None else rung
        track = media.selection.ladder[rung]
        media.set_playlist(rung, await self._reread(track, media.playlist(rung)))

    async def _refresh_beside(self, media: PlayingMedia, beside: TrackBeside) -> None:
        media.set_beside_playlist(beside, await self._reread(beside.track, beside.playlist))

    async def _reread(self, track: Track, playlist: MediaPlaylist) -> MediaPlaylist:
        await self._idle(self._source.due_in_s(track, playlist))
        if not self.still_wanted():
            raise NotWanted(track.rung)
        return await self._source.refreshed(track, playlist)

    def _is_due(self, track: Track, playlist: MediaPlaylist) -> bool:
        """Whether a live playlist may have changed."""
        return not playlist.ended and self._source.due_in_s(track, playlist) <= 0.0

    async def _fetch_data(
        self, path: str, object_type: str, *, byte_range: ByteRange | None = None, method: str = "GET"
    ) -> Resource:
        return await self._fetch(
            path,
            byte_range=byte_range,
            method=method,
            headers=self._cmcd(object_type),
            manifest=object_type == "manifest",
        )

    # Playing.

    async def _step(self, media: PlayingMedia) -> None:
        """Load the next segment, or wait when nothing is to be loaded now."""
        await self._tick()
        try:
            if self._seek_to_s is not None:
                await self._jump(media, self._seek_to_s)
            if self._track_wishes and media.buffer.started:
                await self._change_tracks(media)
            await self._load_next(media)
        except NotWanted:
            return  # the viewer has left or gone elsewhere: the next step sees to it

    async def _load_next(self, media: PlayingMedia) -> None:
        if media.all_loaded and media.live:
            await self._refresh(media)
            if media.all_loaded and not media.live:
                media.finish()
            return
        if media.all_loaded:
            await self._idle(media.buffer.until_stop_s, unless_wished=True)
            return
        excess_s = max(
            media.buffer.ahead_s - self._settings.buffer_max_s,
            media.buffer.until_below_s(self._settings.buffer_max_bytes),
        )
        if excess_s > _LEAST_WAIT_S:
            await self._idle(excess_s, unless_wished=True)
            return
        decision = self._decide(media)
        await self._idle(min(decision.wait_s, media.buffer.ahead_s))
        if self.still_wanted():
            await self._load_both(media, decision.rung)
            self._arrived(media)
            await self._load_captions(media)

    async def _change_tracks(self, media: PlayingMedia) -> None:
        """Play the sound and the captions that the viewer wishes; where they cannot be had, it stays as it was."""
        for kind, track in list(self._track_wishes.items()):
            try:
                playlist = None if track is None else await self._source.playlist(track)
            except (DeliveryError, PlaylistError) as error:
                self._tally.errors.append(f"{kind}: {error}")
            else:
                self._put_beside(media, kind, track, playlist)
            if self._track_wishes[kind] is track:
                del self._track_wishes[kind]
        if "audio" in media.beside:
            await self._load_beside(media, media.beside["audio"])
            self._arrived(media)
        await self._load_captions(media)

    async def _load_captions(self, media: PlayingMedia) -> None:
        """Load captions as far as the picture goes; without them, playback goes on."""
        if "text" not in media.beside:
            return
        try:
            await self._load_beside(media, media.beside["text"])
        except (DeliveryError, PlaylistError) as error:
            self._tally.errors.append(f"text: {error}")
            self._put_beside(media, "text", None, None)

    def _put_beside(
        self, media: PlayingMedia, kind: Literal["audio", "text"], track: Track | None, playlist: MediaPlaylist | None
    ) -> None:
        old = media.beside.get(kind)
        media.put_beside(kind, track, playlist)
        self._events.append(
            TrackChanged(
                kind=kind,
                position_s=self.position_s,
                old_name=old.track.rung if old else None,
                new_name=track.rung if track else None,
            )
        )

    async def _jump(self, media: PlayingMedia, position_s: float) -> None:
        """Empty the buffer and go on from elsewhere, as near to a position as a live title is there by now."""
        old_s = media.buffer.position_s
        media.buffer.close(self._clock.now())
        self._beat("seek")
        self._seek_to_s = None
        media.empty_buffer()
        self._tell_state()
        rung = media.used_rung
        if self._is_due(media.selection.ladder[rung], media.playlist(rung)):
            await self._refresh(media, rung)
        for beside in media.beside.values():
            if self._is_due(beside.track, beside.playlist):
                await self._refresh_beside(media, beside)
        media.go_to(position_s, self._watch_s - self._tally.played_s)
        if self._paused:
            media.buffer.pause(self._clock.now())
        self._events.append(Sought(old_position_s=old_s, new_position_s=media.buffer.position_s))

    def _allowed_rung(self, media: PlayingMedia, rung: int) -> int:
        """A rung of the ladder that is no taller than the viewer wants it now, the lowest where all are."""
        rung, limit = media.nearest_rung(rung), self._height_limit
        if limit is None:
            return rung
        fitting = [at for at, track in enumerate(media.selection.ladder) if short_side(track) <= limit]
        return min(rung, max(fitting, default=0))

    def _decide(self, media: PlayingMedia) -> Decision:
        return self._abr.choose(
            media.abr_state(buffer_max_s=self._settings.buffer_max_s, startup_bitrate_bps=self.plan.startup_bitrate_bps)
        )

    async def _load_both(self, media: PlayingMedia, rung: int) -> None:
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
            await self._load_init(media, segment.init)
            resource, lower = await self._fetch_unless_abandoned(media, rung, segment)
        if media.rung < 0 and resource.cache is not None:
            self._tally.first_segment_local = resource.cache.hit
        track = media.selection.ladder[rung]
        media.buffer.advance(self._clock.now())
        media.buffer.add_video(
            BufferedSegment(
                start_s=segment.start_s,
                end_s=segment.end_s,
                rung=track.rung,
                bitrate_bps=media.played_bitrate_bps(rung, segment, resource.size_bytes),
                pathway_id=resource.pathway_id,
                size_bytes=resource.size_bytes,
            )
        )
        if "audio" not in media.beside:
            media.buffer.add_audio(segment.end_s)
        if media.rung >= 0 and media.rung != rung:
            old = media.selection.ladder[media.rung].rung
            self._events.append(Switched(old_rung=old, new_rung=track.rung))
        self._downloaded(track, segment, resource, media.init_content(segment))
        if media.rung != rung:
            media.rung = rung
            self._tell_cmcd("bc")
        media.next_index += 1

    async def _next_video(self, media: PlayingMedia, rung: int) -> Segment:
        """The segment to load next at a rung, waiting for one that a live title has not yet."""
        playlist = await self._playlist_of(media, rung)
        if self._is_due(media.selection.ladder[rung], playlist):
            await self._refresh(media, rung)
        while (segment := media.next_video(rung)) is None and not media.playlist(rung).ended:
            await self._refresh(media, rung)
        if segment is None:
            name = media.selection.ladder[rung].rung
            raise PlaylistError(f"rung {name} ends before the others, at segment {media.next_index}")
        return segment

    async def _fetch_unless_abandoned(
        self, media: PlayingMedia, rung: int, segment: Segment
    ) -> tuple[Resource, int | None]:
        """Fetch a video segment; the second value is the rung to ask for instead when it was dropped."""
        watcher = _AbandonWatcher(lambda received, elapsed: self._wants_lower(media, rung, received, elapsed))
        resource = await self._fetch(
            segment.uri,
            byte_range=segment.byte_range,
            watcher=watcher,
            headers=self._cmcd("video", media.selection.ladder[rung], segment),
        )
        sample = DownloadSample(
            rung=rung,
            size_bytes=resource.size_bytes,
            duration_s=resource.duration_s,
            latency_s=resource.latency_s,
            from_cache=resource.cache.hit if resource.cache is not None else None,
            abandoned=watcher.lower_rung is not None,
        )
        self._abr.observe(sample)
        self._throughput.observe(sample)
        if watcher.lower_rung is not None:
            self._events.append(
                SegmentAbandoned(
                    index=media.next_index,
                    rung=media.selection.ladder[rung].rung,
                    size_bytes=resource.size_bytes,
                    duration_s=resource.duration_s,
                )
            )
            return resource, watcher.lower_rung
        return await self._source.clear(resource, segment.key), None

    def _wants_lower(self, media: PlayingMedia, rung: int, received_bytes: int, elapsed_s: float) -> int | None:
        state = media.abr_state(
            buffer_max_s=self._settings.buffer_max_s, startup_bitrate_bps=self.plan.startup_bitrate_bps
        )
        lower = self._abr.abandon(state, rung, received_bytes, elapsed_s) if rung > 0 else None
        return lower if lower is not None and 0 <= lower < rung else None

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
            await self._load_init(media, segment.init)
            resource = await self._fetch(
                segment.uri, byte_range=segment.byte_range, headers=self._cmcd(track.kind, track, segment)
            )
            resource = await self._source.clear(resource, segment.key)
            media.buffer.advance(self._clock.now())
            media.add_beside(beside, segment.end_s, resource.size_bytes)
            self._downloaded(track, segment, resource, media.init_content(segment))
        if beside.all_loaded:
            media.finish_beside(beside)

    async def _load_init(self, media: PlayingMedia, init: InitSegment | None) -> None:
        if init is None or init in media.init_contents:
            return
        resource = await self._fetch(init.uri, byte_range=init.byte_range, headers=self._cmcd("init"))
        media.init_contents[init] = (await self._source.clear(resource, init.key)).content

    async def _fetch(
        self,
        path: str,
        *,
        byte_range: ByteRange | None = None,
        watcher: _AbandonWatcher | None = None,
        headers: dict[str, str] | None = None,
        method: str = "GET",
        manifest: bool = False,
    ) -> Resource:
        """Fetch while playback goes on.

        Raises:
            NotWanted: The viewer had left or gone elsewhere before the end of the download.
        """

        async def look(received_bytes: int, elapsed_s: float) -> bool:
            await self._tick()
            return not self.still_wanted() or (watcher is not None and watcher.drops(received_bytes, elapsed_s))

        resource = await self._loader.fetch(
            path, byte_range=byte_range, watcher=look, headers=headers, method=method, manifest=manifest
        )
        if not self.still_wanted():
            raise NotWanted(path)
        return resource

    def _arrived(self, media: PlayingMedia) -> None:
        """Picture and sound of the next piece are here: start, or end a stall."""
        now_s = self._clock.now()
        if not media.buffer.started:
            media.buffer.start(now_s)
            self._tell_state()
            if self._tally.startup_s is not None:
                self._beat("playing")  # after a seek
                return
            startup_s = now_s - self._asked_at_s
            self._tally.startup_s = startup_s
            self._recorder.started(startup_s)
            self._events.append(Started(startup_s=startup_s, rung=media.selection.ladder[media.rung].rung))
            self._beat("start")
            return
        stall = media.buffer.resume(now_s)
        if stall is not None:
            self._events.append(Stalled(position_s=stall.position_s, duration_s=stall.duration_s))
            self._beat("stall")
        self._tell_state()

    # Time passing.

    async def _tick(self) -> None:
        """Let playback move on to now, and do what is due beside it."""
        now_s = self._clock.now()
        if self._media is not None:
            if now_s >= self._resume_at_s:
                self.resume()
            self._media.buffer.advance(now_s)
            self._tell_state()
            if now_s >= self._next_beat_s:
                self._beat("pause" if self._paused else "stall" if self._media.buffer.stalled else "playing")
        if self._beats is not None:
            await self._beats.send_due()
        if self._steering is not None:
            await self._steering.poll_due(self.throughput_bps)
        if self._cmcd_reporter is not None:
            if self._cmcd_reporter.due():
                self._tell_cmcd("t")
            await self._cmcd_reporter.send_due()

    async def _idle(self, duration_s: float, *, unless_wished: bool = False) -> None:
        """Wait while the buffer plays, ticking whenever something is due; or only until other tracks are wished."""
        until_s = self._clock.now() + duration_s
        while self.still_wanted() and not (unless_wished and self._track_wishes):
            left_s = until_s - self._clock.now()
            if left_s <= _LEAST_WAIT_S:
                return
            next_beat_s = max(self._next_beat_s - self._clock.now(), 1e-3)
            until_resumed_s = max(self._resume_at_s - self._clock.now(), 1e-3)
            await self._clock.sleep(min(left_s, next_beat_s, until_resumed_s, self._settings.slice_s))
            await self._tick()

    def _jumps(self) -> bool:
        """Whether what is being loaded is of no use any more."""
        return self._seek_to_s is not None and self._media is not None

    def _over(self) -> bool:
        """Whether the viewer left or the title ended."""
        if self._stop_wanted or (self._media is not None and self._media.buffer.finished):
            return True
        return self._tally.startup_s is None and self._clock.now() - self._asked_at_s >= self._patience_s

    def _reason(self) -> EndReason:
        if self._media is None or self._tally.startup_s is None:
            return "abandoned"
        return "completed" if self._media.complete else "stopped"

    # Telling.

    def _make_steering(self, url: str, first_poll_after_s: float, protocol: Literal["hls", "dash"]) -> SteeringClient:
        return SteeringClient(
            http=self._http,
            clock=self._clock,
            loader=self._loader,
            url=url,
            protocol=protocol,
            first_poll_after_s=first_poll_after_s,
        )

    def _downloaded(self, track: Track, segment: Segment, resource: Resource, init: bytes) -> None:
        if self._keep_content or not self._begun:
            self._contents.append(
                SegmentContent(
                    kind=track.kind,
                    index=segment.number,
                    rung=track.rung,
                    start_s=segment.start_s,
                    init=init,
                    content=resource.content,
                )
            )
        self._events.append(
            SegmentDownloaded(
                kind=track.kind,
                index=segment.number,
                rung=track.rung,
                pathway_id=resource.pathway_id,
                size_bytes=resource.size_bytes,
                duration_s=resource.duration_s,
                buffer_s=self.buffer_s,
                cache=resource.cache,
            )
        )

    def _cmcd(self, kind: str, track: Track | None = None, segment: Segment | None = None) -> dict[str, str] | None:
        if not self._settings.cmcd:
            return None
        ladder = self._media.selection.ladder if self._media else ()
        return cmcd_headers(
            CmcdRequest(
                session_id=self.plan.session_id,
                content_id=self.title_id,
                object_type=kind,
                streaming_format=self._settings.protocol,
                bitrate_bps=track.bitrate_bps if track else None,
                top_bitrate_bps=ladder[-1].bitrate_bps if ladder else None,
                duration_s=segment.duration_s if segment else None,
                buffer_s=self.buffer_s if segment else None,
                throughput_bps=self.throughput_bps,
                startup=self._media is None or not self._media.buffer.started,
                starved=self._media is not None and self._media.buffer.stalled,
                live=self._media is not None and self._media.live,
                version=self._settings.cmcd_version,
                state=self.state,
                pathway_id=self._loader.pathway_id,
            )
        )

    def _tell_cmcd(
        self,
        kind: Literal["ps", "bc", "e", "rr", "t"],
        *,
        error_code: str | None = None,
        response: CmcdResponse | None = None,
    ) -> None:
        if self._cmcd_reporter is None:
            return
        media = self._media
        self._cmcd_reporter.put(
            CmcdEvent(
                kind=kind,
                at_s=self._clock.utc_now().timestamp(),
                session_id=self.plan.session_id,
                content_id=self.title_id,
                streaming_format=self._settings.protocol,
                state=self.state,
                position_s=self.position_s,
                bitrate_bps=media.selection.ladder[media.rung].bitrate_bps if media and media.rung >= 0 else None,
                buffer_s=self.buffer_s,
                pathway_id=self._loader.pathway_id,
                live=media is not None and media.live,
                error_code=error_code,
                response=response,
            )
        )
        self._tell_state()

    def _tell_state(self) -> None:
        """Tell what the player does if that has changed."""
        if self._cmcd_reporter is not None and self.state != self._told_state:
            self._told_state = self.state
            self._tell_cmcd("ps")

    def _beat(self, kind: BeatKind, end_reason: EndReason | None = None) -> None:
        """Add up what was played since the last beat, and queue one."""
        if self._media is not None:
            played = self._media.buffer.take()
            self._tally.played(played)
            self._recorder.played(played)
        self._next_beat_s = self._clock.now() + self._beat_interval_s
        if self._beats is None or self.plan.beats_url is None:
            return
        beat = self._recorder.beat(
            kind,
            sent_at=self._clock.utc_now(),
            duration_s=self._media.duration_s if self._media else self.plan.duration_s,
            position_s=self.position_s,
            buffer_s=self.buffer_s,
            end_reason=end_reason,
        )
        self._beats.put(self.plan.beats_url, beat)

    async def _finish(self, failure: PlayerError | None) -> None:
        """The last beats, the report, and the last event; a second call waits for the first and does nothing."""
        async with self._finishing:
            if self._report is None:
                await self._tell_end(failure)

    async def _tell_end(self, failure: PlayerError | None) -> None:
        if self._media is not None:
            self._media.buffer.close(self._clock.now())
        if failure is not None:
            code = "delivery" if isinstance(failure, DeliveryError) else "playlist"
            self._tally.errors.append(f"{code}: {failure}")
            self._recorder.failed(code, str(failure), fatal=True)
            self._beat("error")
        reason: EndReason = "failed" if failure is not None else self._reason()
        self._beat("end", reason)
        if self._steering is not None:
            await self._steering.close()
        sent, lost = await self._flush_beats()
        self._report = self._tally.report(
            session_id=self.plan.session_id,
            title_id=self.title_id,
            end_reason=reason,
            beats_sent=sent,
            beats_lost=lost,
        )
        self._events.append(Ended(reason=reason, report=self._report))
        if self._cmcd_reporter is not None:
            self._tell_state()
            await self._cmcd_reporter.close()

    async def _flush_beats(self) -> tuple[int, int]:
        """Send what is left; returns this session's beats that were taken, and those that were not."""
        if self._beats is None:
            return 0, 0
        if not await self._beats.flush():
            self._tally.errors.append(f"beats: {self._beats.queued} not delivered: {self._beats.last_error}")
        return self._beats.result_of(self.plan.session_id)

    def _take_events(self) -> list[Event]:
        events, self._events = self._events, []
        return events


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
