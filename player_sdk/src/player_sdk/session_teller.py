"""What one session tells the world: events, contents, heartbeats and, at the end, its report."""

from __future__ import annotations

import math

from player_sdk.beat_recorder import BeatRecorder
from player_sdk.beat_sender import BeatSender
from player_sdk.clock import Clock
from player_sdk.cmcd import CmcdResponse
from player_sdk.errors import DeliveryError, PlayerError
from player_sdk.events import Ended, Event, PathwaySwitched, RequestFailed, SegmentContent, SegmentDownloaded, Started
from player_sdk.heartbeat import BeatKind, EndReason
from player_sdk.loader import Resource
from player_sdk.models import PlaybackPlan
from player_sdk.playback_state import PlaybackState
from player_sdk.playlist import Segment, Track
from player_sdk.session_cmcd import SessionCmcd


class SessionTeller:
    """Tells what happens in a session; listens to its loader (``LoadListener``).

    Args:
        recorder: Makes the heartbeats.
        beats: Where they go; None sends none.

    Attributes:
        keep_content: Whether to hand out the bytes of segments.
    """

    def __init__(
        self,
        *,
        state: PlaybackState,
        plan: PlaybackPlan,
        title_id: str,
        clock: Clock,
        recorder: BeatRecorder,
        beats: BeatSender | None,
        cmcd: SessionCmcd,
    ) -> None:
        self._state = state
        self._plan = plan
        self._title_id = title_id
        self._clock = clock
        self._recorder = recorder
        self._beats = beats if plan.beats_url else None
        self._beat_interval_s = (beats.settings.interval_s if beats is not None else None) or plan.beat_interval_s
        self._next_beat_s = math.inf
        self._cmcd = cmcd
        self._events: list[Event] = []
        self._contents: list[SegmentContent] = []
        self.keep_content = False

    def put(self, event: Event) -> None:
        """Tell an event to whoever iterates the session."""
        self._events.append(event)

    def take_events(self) -> list[Event]:
        """The events since the last call."""
        events, self._events = self._events, []
        return events

    def take_contents(self) -> list[SegmentContent]:
        """The segments since the last call."""
        contents, self._contents = self._contents, []
        return contents

    # What the loader asks and tells (``LoadListener``).

    def still_wanted(self) -> bool:
        """Whether the viewer is still there: one who has left, or gone elsewhere in the title, waits for no retry."""
        return self._state.still_wanted

    def request_failed(self, pathway_id: str, code: str, message: str) -> None:
        """Count a failed request and tell it."""
        self.put_error(code, message)
        self._recorder.failed(code, message, fatal=False)
        self.put(RequestFailed(pathway_id=pathway_id, code=code, message=message))
        self._cmcd.tell("e", error_code=code)

    def pathway_switched(self, old_id: str, new_id: str, reason: str) -> None:
        """Tell a change of pathway."""
        self.put(PathwaySwitched(old_id=old_id, new_id=new_id, reason=reason))

    def delivered(self, resource: Resource) -> None:
        """Count what came, wanted to the end or not."""
        self._state.tally.delivered(resource)
        self._recorder.delivered(resource)
        self._cmcd.tell(
            "rr",
            response=CmcdResponse(
                url=resource.url,
                status_code=resource.status_code,
                first_byte_s=resource.latency_s,
                last_byte_s=resource.duration_s,
            ),
        )

    # What happens besides.

    def put_error(self, code: str, message: object) -> None:
        """Note in the report what went wrong."""
        self._state.tally.failed(code, message)

    def downloaded(self, track: Track, segment: Segment, resource: Resource, init: bytes) -> None:
        """A segment is in the buffer, in the clear."""
        if self.keep_content or not self._state.begun:
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
        self.put(
            SegmentDownloaded(
                kind=track.kind,
                index=segment.number,
                rung=track.rung,
                pathway_id=resource.pathway_id,
                size_bytes=resource.size_bytes,
                duration_s=resource.duration_s,
                buffer_s=self._state.buffer_s,
                cache=resource.cache,
            )
        )

    def dropped_frames(self, count: int) -> None:
        """Count pictures that were not shown in time."""
        self._state.tally.dropped_frames += count
        self._recorder.dropped_frames(count)

    def started(self, startup_s: float, rung: str) -> None:
        """The first frame is there."""
        self._state.tally.startup_s = startup_s
        self._recorder.started(startup_s)
        self.put(Started(startup_s=startup_s, rung=rung))
        self.beat("start")

    def beat(self, kind: BeatKind, end_reason: EndReason | None = None) -> None:
        """Add up what was played since the last beat, and queue one."""
        state = self._state
        if state.media is not None:
            played = state.media.buffer.take()
            state.tally.played(played)
            if self._beats is not None:  # nothing would ever take it from the recorder
                self._recorder.played(played)
        self._next_beat_s = self._clock.now() + self._beat_interval_s
        if self._beats is None or self._plan.beats_url is None:
            return
        beat = self._recorder.beat(
            kind,
            sent_at=self._clock.utc_now(),
            duration_s=state.duration_s,
            position_s=state.position_s,
            buffer_s=state.buffer_s,
            end_reason=end_reason,
        )
        self._beats.put(self._plan.beats_url, beat)

    @property
    def beat_due_in_s(self) -> float:
        """Seconds until the next heartbeat, infinite before the first one; not above zero when it is due."""
        return self._next_beat_s - self._clock.now()

    async def send_due(self) -> None:
        """Send the heartbeats for which it is time."""
        if self._beats is not None:
            await self._beats.send_due()

    # The end.

    def end(self, failure: PlayerError | None) -> EndReason:
        """Queue the last beats; returns why it ends."""
        if failure is not None:
            code = "delivery" if isinstance(failure, DeliveryError) else "playlist"
            self.put_error(code, failure)
            self._recorder.failed(code, str(failure), fatal=True)
            self.beat("error")
        reason: EndReason = "failed" if failure is not None else self._state.end_reason
        self.beat("end", reason)
        return reason

    async def close(self, reason: EndReason) -> None:
        """Send what is left, and tell the report."""
        sent, lost = await self._flush_beats()
        report = self._state.tally.report(
            session_id=self._plan.session_id,
            title_id=self._title_id,
            end_reason=reason,
            beats_sent=sent,
            beats_lost=lost,
        )
        self._state.report = report
        self.put(Ended(reason=reason, report=report))
        await self._cmcd.close()

    async def _flush_beats(self) -> tuple[int, int]:
        """Send what is left; returns this session's beats that were taken, and those that were not."""
        if self._beats is None:
            return 0, 0
        if not await self._beats.flush():
            self.put_error("beats", f"{self._beats.queued} not delivered: {self._beats.last_error}")
        return self._beats.result_of(self._plan.session_id)
