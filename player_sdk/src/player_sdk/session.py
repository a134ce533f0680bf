"""One playback, from the intent to the last frame.

The session asks the policy for a rung, the loader for bytes and the buffer for what was played, and tells the world by
events, heartbeats and a report. It has no task of its own: whoever iterates its events drives it, and everything else
happens at its ticks (between pieces of a download, between slices of waiting).
"""

from __future__ import annotations

import math
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Literal

import httpx

from player_sdk.abr.interface import Abr, AbrState, DownloadSample, linear_qualities
from player_sdk.beat_recorder import BeatRecorder
from player_sdk.beat_sender import BeatSender
from player_sdk.buffer import BufferedSegment, PlaybackBuffer
from player_sdk.clock import Clock
from player_sdk.cmcd import CmcdRequest, cmcd_headers
from player_sdk.errors import DeliveryError, PlayerError, PlaylistError
from player_sdk.events import (
    Ended,
    Event,
    PathwaySwitched,
    RequestFailed,
    SegmentAbandoned,
    SegmentDownloaded,
    Stalled,
    Started,
    Switched,
)
from player_sdk.heartbeat import BeatKind, EndReason
from player_sdk.loader import PathwayLoader, Resource, RetrySettings, Watcher
from player_sdk.models import PlaybackPlan, Viewer
from player_sdk.playlist import (
    MediaPlaylist,
    Segment,
    Track,
    is_multivariant,
    parse_media,
    parse_mpd,
    parse_multivariant,
)
from player_sdk.playlist.model import ByteRange, Presentation
from player_sdk.report import SessionReport, SessionTally
from player_sdk.steering import SteeringClient
from player_sdk.tracks import Selection, segment_sizes, select_tracks

_ABANDON_CHECK_S = 0.25


@dataclass(frozen=True, kw_only=True)
class PlaybackSettings:
    """How sessions play.

    Attributes:
        protocol: Which manifest to play when the plan offers both.
        buffer_max_s: How far ahead of the playhead to load.
        language: Audio language to prefer.
        cmcd: Send Common Media Client Data with media requests.
        default_beat_interval_s: Seconds between heartbeats when neither server nor caller say.
        slice_s: Longest wait between two looks at what is due while nothing is loaded.
    """

    protocol: Literal["hls", "dash"] = "hls"
    buffer_max_s: float = 30.0
    language: str | None = None
    cmcd: bool = False
    default_beat_interval_s: float = 10.0
    slice_s: float = 5.0
    retry: RetrySettings = field(default_factory=RetrySettings)


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
        self._settings = settings or PlaybackSettings()
        self._loader = PathwayLoader(
            http=http,
            pathways=plan.pathways,
            clock=clock,
            rng=random.Random(seed),
            listener=self,
            settings=self._settings.retry,
        )
        self._steering = (
            SteeringClient(http=http, clock=clock, loader=self._loader, url=plan.steering_url)
            if plan.steering_url
            else None
        )
        self._beats = beats if plan.beats_url else None
        self._recorder = BeatRecorder(plan=plan, viewer=viewer, title_id=title_id, impression_id=impression_id)
        wanted_s = beats.settings.interval_s if beats is not None else None
        self._beat_interval_s = wanted_s or plan.beat_interval_s or self._settings.default_beat_interval_s
        self._next_beat_s = asked_at_s + self._beat_interval_s
        self._tally = SessionTally()
        self._events: list[Event] = []
        self._watch_s = math.inf
        self._patience_s = math.inf
        self._begun = False
        self._stop_wanted = False
        self._report: SessionReport | None = None
        self._media: _Media | None = None
        self._last_throughput_bps: float | None = None

    @property
    def report(self) -> SessionReport | None:
        """What became of it; None while it plays."""
        return self._report

    @property
    def position_s(self) -> float:
        """Media position of the playhead."""
        return self._media.buffer.position_s if self._media else self._start_s

    @property
    def buffer_s(self) -> float:
        """Seconds of media ahead of the playhead."""
        return self._media.buffer.ahead_s if self._media else 0.0

    @property
    def throughput_bps(self) -> float | None:
        """Of the last video download; what the next session may start from."""
        return self._last_throughput_bps

    def stop(self) -> None:
        """The viewer leaves; the session ends at its next tick."""
        self._stop_wanted = True

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
        reason: EndReason = "stopped"
        try:
            media = self._media = await self._open()
            while media is not None and not self._over():
                await self._step(media)
                for event in self._take_events():
                    yield event
            reason = self._reason()
        except (DeliveryError, PlaylistError) as error:
            self._fatal(error)
            reason = "failed"
        finally:
            await self._finish(reason)
        for event in self._take_events():
            yield event

    async def close(self) -> None:
        """End a session that was not played to its end, as if the viewer had stopped."""
        self._stop_wanted = True
        await self._finish("stopped" if self._tally.startup_s is not None else "abandoned")

    # What the loader tells (``LoadListener``).

    def request_failed(self, pathway_id: str, code: str, message: str) -> None:
        """Count a failed request and tell it."""
        self._tally.errors.append(f"{code}: {message}")
        self._recorder.failed(code, message, fatal=False)
        self._events.append(RequestFailed(pathway_id=pathway_id, code=code, message=message))

    def pathway_switched(self, old_id: str, new_id: str, reason: str) -> None:
        """Tell a change of pathway."""
        self._events.append(PathwaySwitched(old_id=old_id, new_id=new_id, reason=reason))

    def delivered(self, resource: Resource) -> None:
        """Count what came, wanted to the end or not."""
        self._tally.delivered(resource)
        self._recorder.delivered(resource)

    # Opening: manifests, tracks, where to start.

    async def _open(self) -> _Media | None:
        presentation, single = await self._load_presentation()
        if presentation is None or self._over():
            return None
        selection = select_tracks(
            presentation,
            device=self._viewer.device,
            max_height=self._max_height,
            language=self._settings.language,
        )
        media = _Media(selection=selection, presentation=presentation)
        if single is not None:
            media.playlists[0] = single
        first = self._abr.choose(self._opening_state(selection)).rung if media.playlists[0] is None else 0
        playlist = await self._playlist_of(media, first)
        if playlist is None:
            return None
        if selection.audio is not None:
            media.audio_playlist = await self._load_playlist(selection.audio)
            if media.audio_playlist is None:
                return None
        title_end_s = playlist.duration_s
        start_s = self._start_s if 0.0 <= self._start_s < title_end_s - 1.0 else 0.0
        media.buffer = PlaybackBuffer(position_s=start_s, end_s=title_end_s, stop_s=start_s + self._watch_s)
        media.next_index = playlist.index_at(start_s)
        media.next_audio_index = media.audio_playlist.index_at(start_s) if media.audio_playlist else 0
        media.duration_s = title_end_s
        return media

    async def _load_presentation(self) -> tuple[Presentation | None, MediaPlaylist | None]:
        """The manifest, and for a bare media playlist its segments."""
        wants_dash = self._settings.protocol == "dash"
        path = (
            (self.plan.dash_path or self.plan.hls_path) if wants_dash else (self.plan.hls_path or self.plan.dash_path)
        )
        if not path:
            raise PlaylistError("the playback plan names no manifest")
        resource = await self._fetch_whole(path, "manifest")
        if resource is None:
            return None, None
        text = resource.content.decode("utf-8", errors="replace")
        if text.lstrip("\ufeff \r\n").startswith("<"):
            return parse_mpd(text, path), None
        if is_multivariant(text):
            return parse_multivariant(text, path), None
        single = parse_media(text, path)
        track = Track(kind="video", rung="only", bitrate_bps=1.0, peak_bitrate_bps=1.0, uri=path, media=single)
        return Presentation(video=(track,)), single

    async def _load_playlist(self, track: Track) -> MediaPlaylist | None:
        if track.media is not None:
            return track.media
        if track.uri is None:
            raise PlaylistError(f"track {track.rung} has neither segments nor a playlist")
        resource = await self._fetch_whole(track.uri, "manifest")
        if resource is None:
            return None
        return parse_media(resource.content.decode("utf-8", errors="replace"), track.uri)

    async def _playlist_of(self, media: _Media, rung: int) -> MediaPlaylist | None:
        playlist = media.playlists[rung]
        if playlist is None:
            playlist = await self._load_playlist(media.selection.ladder[rung])
            media.playlists[rung] = playlist
            media.sizes = None
        return playlist

    def _opening_state(self, selection: Selection) -> AbrState:
        bitrates = [track.bitrate_bps for track in selection.ladder]
        nominal_s = 4.0  # only ratios matter to a first choice: no segment is known yet
        return AbrState(
            segment_index=0,
            segment_count=1,
            segment_duration_s=nominal_s,
            bitrates_bps=bitrates,
            sizes_bytes=[[bitrate * nominal_s / 8.0 for bitrate in bitrates]],
            qualities=linear_qualities(bitrates),
            buffer_s=0.0,
            buffer_max_s=self._settings.buffer_max_s,
            startup_throughput_bps=self.plan.startup_bitrate_bps or None,
        )

    # Playing.

    async def _step(self, media: _Media) -> None:
        """Load the next segment, or wait when nothing is to be loaded now."""
        await self._tick()
        buffer = media.buffer
        if media.next_index >= media.segment_count:
            await self._idle(buffer.until_stop_s)
            return
        excess_s = buffer.ahead_s - self._settings.buffer_max_s
        if excess_s > 0.0:
            await self._idle(excess_s)
            return
        decision = self._abr.choose(self._abr_state(media))
        if decision.wait_s > 0.0 and buffer.ahead_s > 0.0:
            await self._idle(min(decision.wait_s, buffer.ahead_s))
            if self._over():
                return
        rung = min(max(decision.rung, 0), len(media.selection.ladder) - 1)
        if await self._load_video(media, rung) and await self._load_audio(media):
            self._arrived(media)

    async def _load_video(self, media: _Media, rung: int) -> bool:
        """Load the next video segment, at a lower rung if the policy changes its mind; False when the viewer left."""
        while True:
            track = media.selection.ladder[rung]
            playlist = await self._playlist_of(media, rung)
            if playlist is None or not await self._load_init(media, playlist):
                return False
            segment = playlist.segments[min(media.next_index, len(playlist.segments) - 1)]
            watcher = _AbandonWatcher(self, media, rung)
            resource = await self._loader.fetch(
                segment.uri,
                byte_range=segment.byte_range,
                watcher=watcher,
                headers=self._cmcd("video", track, segment),
            )
            hit = resource.cache.hit if resource.cache is not None else None
            sample = DownloadSample(
                rung=rung,
                size_bytes=resource.size_bytes,
                duration_s=resource.duration_s,
                from_cache=hit,
                abandoned=not resource.complete,
            )
            if not resource.complete and watcher.lower_rung is None:
                return False
            self._abr.observe(sample)
            if watcher.lower_rung is None:
                break
            self._events.append(
                SegmentAbandoned(
                    index=media.next_index,
                    rung=track.rung,
                    size_bytes=resource.size_bytes,
                    duration_s=resource.duration_s,
                )
            )
            rung = watcher.lower_rung
        self._last_throughput_bps = sample.throughput_bps
        if self._tally.first_segment_local is None and hit is not None and media.rung < 0:
            self._tally.first_segment_local = hit
        self._take_video(media, rung, segment, resource)
        return True

    def _take_video(self, media: _Media, rung: int, segment: Segment, resource: Resource) -> None:
        now_s = self._clock.now()
        track = media.selection.ladder[rung]
        media.buffer.advance(now_s)
        media.buffer.add_video(
            BufferedSegment(
                start_s=segment.start_s,
                end_s=segment.end_s,
                rung=track.rung,
                bitrate_bps=media.played_bitrate_bps(rung, segment, resource.size_bytes),
                pathway_id=resource.pathway_id,
            )
        )
        if media.audio_playlist is None:
            media.buffer.add_audio(segment.end_s)
        if media.rung >= 0 and media.rung != rung:
            old = media.selection.ladder[media.rung].rung
            self._events.append(Switched(old_rung=old, new_rung=track.rung))
        media.rung = rung
        self._downloaded("video", media.next_index, track.rung, resource)
        media.next_index += 1

    async def _load_audio(self, media: _Media) -> bool:
        """Load audio until it reaches as far as video; False when the viewer left."""
        playlist, track = media.audio_playlist, media.selection.audio
        if playlist is None or track is None:
            return True
        if not await self._load_init(media, playlist):
            return False
        buffer = media.buffer
        while buffer.audio_end_s < buffer.video_end_s - 1e-3 and media.next_audio_index < len(playlist.segments):
            segment = playlist.segments[media.next_audio_index]
            resource = await self._fetch_whole(segment.uri, "audio", track, segment)
            if resource is None:
                return False
            buffer.advance(self._clock.now())
            buffer.add_audio(segment.end_s)
            self._downloaded("audio", media.next_audio_index, track.rung, resource)
            media.next_audio_index += 1
        if media.next_audio_index >= len(playlist.segments):
            buffer.add_audio(math.inf)  # sound that ends before the picture must not stop it
        return True

    async def _load_init(self, media: _Media, playlist: MediaPlaylist) -> bool:
        init = (playlist.init_uri, playlist.init_range)
        if playlist.init_uri is None or init in media.initialised:
            return True
        resource = await self._loader.fetch(
            playlist.init_uri, byte_range=playlist.init_range, watcher=self._tick_watcher()
        )
        if resource.complete:
            media.initialised.add(init)
        return resource.complete

    async def _fetch_whole(
        self, uri: str, kind: str, track: Track | None = None, segment: Segment | None = None
    ) -> Resource | None:
        """Fetch what is never abandoned for a lower rung; None when the viewer left meanwhile."""
        resource = await self._loader.fetch(
            uri,
            byte_range=segment.byte_range if segment else None,
            watcher=self._tick_watcher(),
            headers=self._cmcd(kind, track, segment),
        )
        return resource if resource.complete else None

    def _arrived(self, media: _Media) -> None:
        """Picture and sound of the next piece are here: start, or end a stall."""
        now_s = self._clock.now()
        buffer = media.buffer
        if not buffer.started:
            startup_s = now_s - self._asked_at_s
            buffer.start(now_s)
            self._tally.startup_s = startup_s
            self._recorder.started(startup_s)
            self._events.append(Started(startup_s=startup_s, rung=media.selection.ladder[media.rung].rung))
            self._beat("start")
            return
        stall = buffer.resume(now_s)
        if stall is not None:
            self._events.append(Stalled(position_s=stall.position_s, duration_s=stall.duration_s))
            self._beat("stall")

    def _downloaded(self, kind: Literal["video", "audio"], index: int, rung: str, resource: Resource) -> None:
        self._events.append(
            SegmentDownloaded(
                kind=kind,
                index=index,
                rung=rung,
                pathway_id=resource.pathway_id,
                size_bytes=resource.size_bytes,
                duration_s=resource.duration_s,
                buffer_s=self.buffer_s,
                cache=resource.cache,
            )
        )

    def _abr_state(self, media: _Media) -> AbrState:
        if media.sizes is None:
            media.sizes = segment_sizes(media.selection.ladder, media.playlists)
        index = min(media.next_index, len(media.sizes) - 1)
        reference = media.reference.segments[index]
        return AbrState(
            segment_index=index,
            segment_count=len(media.sizes),
            segment_duration_s=reference.duration_s,
            bitrates_bps=media.bitrates_bps,
            sizes_bytes=media.sizes,
            qualities=media.qualities,
            buffer_s=media.buffer.ahead_s,
            buffer_max_s=self._settings.buffer_max_s,
            last_rung=media.rung,
            startup_throughput_bps=self.plan.startup_bitrate_bps or None,
        )

    # Time passing.

    async def _tick(self) -> None:
        """Let playback move on to now, and do what is due beside it."""
        now_s = self._clock.now()
        if self._media is not None:
            self._media.buffer.advance(now_s)
        if now_s >= self._next_beat_s:
            if self._tally.startup_s is not None:
                self._beat("stall" if self._media is not None and self._media.buffer.stalled else "playing")
            self._next_beat_s = now_s + self._beat_interval_s
        if self._beats is not None:
            await self._beats.send_due()
        if self._steering is not None:
            await self._steering.poll_due(self._last_throughput_bps)

    async def _idle(self, duration_s: float) -> None:
        """Wait while the buffer plays, ticking whenever something is due."""
        until_s = self._clock.now() + duration_s
        while not self._over():
            left_s = until_s - self._clock.now()
            if left_s <= 1e-9:
                return
            next_beat_s = max(self._next_beat_s - self._clock.now(), 1e-3)
            await self._clock.sleep(min(left_s, next_beat_s, self._settings.slice_s))
            await self._tick()

    def _tick_watcher(self) -> Watcher:
        async def tick(received_bytes: int, elapsed_s: float) -> bool:
            await self._tick()
            return self._over()

        return tick

    def _over(self) -> bool:
        """Whether the viewer left or the title ended."""
        if self._stop_wanted or (self._media is not None and self._media.buffer.finished):
            return True
        return self._tally.startup_s is None and self._clock.now() - self._asked_at_s >= self._patience_s

    def _reason(self) -> EndReason:
        if self._tally.startup_s is None:
            return "abandoned"
        at_end = self._media is not None and self._media.buffer.position_s >= self._media.duration_s - 1e-3
        return "completed" if at_end else "stopped"

    # Telling.

    def _cmcd(self, kind: str, track: Track | None, segment: Segment | None) -> dict[str, str] | None:
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
                throughput_bps=self._last_throughput_bps,
                startup=self._tally.startup_s is None,
                starved=self._media is not None and self._media.buffer.stalled,
            )
        )

    def _fatal(self, error: PlayerError) -> None:
        code = "delivery" if isinstance(error, DeliveryError) else "playlist"
        self._tally.errors.append(f"{code}: {error}")
        self._recorder.failed(code, str(error), fatal=True)
        self._beat("error")

    def _beat(self, kind: BeatKind, end_reason: EndReason | None = None) -> None:
        if self._media is not None:
            played = self._media.buffer.take()
            self._tally.played(played)
            self._recorder.played(played)
        if self._beats is not None and self.plan.beats_url is not None:
            beat = self._recorder.beat(
                kind,
                sent_at=self._clock.utc_now(),
                duration_s=self._media.duration_s if self._media else self.plan.duration_s,
                position_s=self.position_s,
                buffer_s=min(self.buffer_s, self.plan.duration_s or self.buffer_s),
                end_reason=end_reason,
            )
            self._beats.put(self.plan.beats_url, beat)
            self._next_beat_s = self._clock.now() + self._beat_interval_s

    async def _finish(self, reason: EndReason) -> None:
        """The last beat, the report, and the last event; does nothing the second time."""
        if self._report is not None:
            return
        if self._media is not None:
            self._media.buffer.close(self._clock.now())
        sent, lost = (self._beats.sent, self._beats.lost) if self._beats else (0, 0)
        self._beat("end", reason)
        queued = 0
        if self._beats is not None:
            await self._beats.flush()
            queued = self._beats.queued
            if queued and self._beats.last_error:
                self._tally.errors.append(f"beats: {queued} not delivered: {self._beats.last_error}")
        if self._steering is not None:
            await self._steering.close()
        self._report = self._tally.report(
            session_id=self.plan.session_id,
            title_id=self.title_id,
            end_reason=reason,
            beats_sent=self._beats.sent - sent if self._beats else 0,
            beats_lost=self._beats.lost - lost + queued if self._beats else 0,
        )
        self._events.append(Ended(reason=reason, report=self._report))

    def _take_events(self) -> list[Event]:
        events, self._events = self._events, []
        return events


class _Media:
    """The state of what is being played: tracks, playlists, where loading stands."""

    def __init__(self, *, selection: Selection, presentation: Presentation) -> None:
        self.selection = selection
        self.playlists: list[MediaPlaylist | None] = [track.media for track in selection.ladder]
        self.audio_playlist: MediaPlaylist | None = None
        self.bitrates_bps = tuple(track.bitrate_bps for track in selection.ladder)
        self.qualities = linear_qualities(self.bitrates_bps)
        self.sizes: list[tuple[float, ...]] | None = None
        self.buffer = PlaybackBuffer(position_s=0.0, end_s=0.0, stop_s=0.0)
        self.duration_s = presentation.duration_s or 0.0
        self.rung = -1
        self.next_index = 0
        self.next_audio_index = 0
        self.initialised: set[tuple[str | None, ByteRange | None]] = set()

    @property
    def reference(self) -> MediaPlaylist:
        """Any loaded playlist: all rungs are cut at the same places."""
        return next(playlist for playlist in self.playlists if playlist is not None)

    @property
    def segment_count(self) -> int:
        return len(self.reference.segments)

    def played_bitrate_bps(self, rung: int, segment: Segment, size_bytes: int) -> float:
        """The rung's declared bit rate; for a bare playlist, which declares none, that of the segment."""
        declared = self.bitrates_bps[rung]
        return declared if declared > 1.0 else size_bytes * 8.0 / max(segment.duration_s, 1e-3)


class _AbandonWatcher:
    """Asks the policy, four times a second, whether a running download should go on."""

    def __init__(self, session: Session, media: _Media, rung: int) -> None:
        self._session = session
        self._media = media
        self._rung = rung
        self._asked_at_s = 0.0
        self.lower_rung: int | None = None

    async def __call__(self, received_bytes: int, elapsed_s: float) -> bool:
        await self._session._tick()
        if self._session._over():
            return True
        if self._rung == 0 or elapsed_s < self._asked_at_s + _ABANDON_CHECK_S - 1e-9:
            return False
        self._asked_at_s = elapsed_s
        state = self._session._abr_state(self._media)
        lower = self._session._abr.abandon(state, self._rung, received_bytes, elapsed_s)
        if lower is None or not 0 <= lower < self._rung:
            return False
        self.lower_rung = lower
        return True
