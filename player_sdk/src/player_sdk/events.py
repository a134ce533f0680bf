"""What a session tells while it plays, in the order in which it happens. Times are media or clock seconds as named."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from player_sdk.headers import CacheOutcome
from player_sdk.heartbeat import EndReason
from player_sdk.playlist.model import TrackKind
from player_sdk.report import SessionReport


@dataclass(frozen=True, kw_only=True, slots=True)
class Started:
    """The first frame was shown, ``startup_s`` after the intent to play."""

    startup_s: float
    rung: str


@dataclass(frozen=True, kw_only=True, slots=True)
class SegmentDownloaded:
    """A segment arrived; ``duration_s`` is how long that took, not how long it plays."""

    kind: TrackKind
    index: int
    rung: str
    pathway_id: str
    size_bytes: int
    duration_s: float
    buffer_s: float
    cache: CacheOutcome | None


@dataclass(frozen=True, kw_only=True, slots=True)
class SegmentAbandoned:
    """A running download was dropped for a lower rung."""

    index: int
    rung: str
    size_bytes: int
    duration_s: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Switched:
    """The next segments are loaded at another rung."""

    old_rung: str
    new_rung: str


@dataclass(frozen=True, kw_only=True, slots=True)
class TrackChanged:
    """Other sound or captions are loaded from here on; None stands for no captions."""

    kind: Literal["audio", "text"]
    position_s: float
    old_name: str | None
    new_name: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Stalled:
    """Playback stood still for want of data; told when it ended."""

    position_s: float
    duration_s: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Paused:
    """The viewer holds the picture."""

    position_s: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Resumed:
    """The picture moves again after a pause."""

    position_s: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Sought:
    """The viewer went to another media position."""

    old_position_s: float
    new_position_s: float


@dataclass(frozen=True, kw_only=True, slots=True)
class PathwaySwitched:
    """The player fetches from another pathway, by ``steering`` or after a ``failure``."""

    old_id: str
    new_id: str
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class RequestFailed:
    """A request failed; unless the session ends with it, another one followed."""

    pathway_id: str
    code: str
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Ended:
    """The session is over; always the last event."""

    reason: EndReason
    report: SessionReport


Event = (
    Started
    | SegmentDownloaded
    | SegmentAbandoned
    | Switched
    | TrackChanged
    | Stalled
    | Paused
    | Resumed
    | Sought
    | PathwaySwitched
    | RequestFailed
    | Ended
)


@dataclass(frozen=True, kw_only=True, slots=True)
class SegmentContent:
    """The bytes of a segment, as ``Session.segments`` hands them out.

    Attributes:
        start_s: Where in the title it begins.
        init: The init segment that goes before it, empty where there is none; a decoder needs it when it changes.
    """

    kind: TrackKind
    index: int
    rung: str
    start_s: float
    init: bytes
    content: bytes
