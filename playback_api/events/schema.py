"""The events a client and the API send into the loop: heartbeats (version 1) and impressions.

Here belong the wire types, their limits and their JSON Schema, and nothing that reads or writes them. A change of a
field is a change of contract: the golden in ``tests/contract`` must change with it, and the SDK's encoder too. Fields
that hold their default are left out when a beat is encoded: a stored session takes a third less.
"""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal

import msgspec

HEARTBEAT_VERSION = 1
MAX_BEATS_PER_BATCH = 500

Identifier = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9-]{1,64}$")]
SessionId = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Label = Annotated[str, msgspec.Meta(max_length=64)]
Seconds = Annotated[float, msgspec.Meta(ge=0.0, le=1e7)]
Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]

BeatKind = Literal["start", "playing", "stall", "pause", "seek", "error", "end", "summary"]
EndReason = Literal["completed", "stopped", "abandoned", "failed"]


class Run(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A stretch of consecutive seconds played at one rung from one pathway.

    Attributes:
        position_s: Media position at which the stretch starts.
        played_s: Seconds of media that were played.
        rung: Name of the video rung, such as ``720p``.
        bitrate_bps: Average bit rate of that rung.
        pathway: The edge or origin that the bytes came from.
    """

    position_s: Seconds
    played_s: Seconds
    rung: Label
    bitrate_bps: Count
    pathway: Label


class Stall(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Playback that stopped for want of data after the first frame; start-up is no stall."""

    position_s: Seconds
    duration_s: Seconds


class PlaybackError(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something that went wrong in the player; ``fatal`` means that playback ended by it."""

    code: Label
    message: Annotated[str, msgspec.Meta(max_length=500)] = ""
    fatal: bool = False


class Delivery(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one pathway delivered since the last beat, as its ``Cache-Status`` headers said.

    ``placed`` counts what a fill had put on the edge, ``cached`` what an earlier pull-through left there; the rest
    came from upstream.
    """

    pathway: Label
    requests: Count
    requests_placed: Count = 0
    requests_cached: Count = 0
    size_bytes: Count = 0
    size_bytes_placed: Count = 0
    size_bytes_cached: Count = 0


class Beat(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One heartbeat. (session_id, boot, seq) is its key: sent twice, it counts once.

    Attributes:
        session_id: One playback.
        boot: How often the client has restarted within this session.
        seq: Counts up from 0 within a boot.
        sent_at: Client clock, UTC.
        kind: Why it was sent; ``summary`` is a whole session in one compact beat.
        viewer_id, title_id, package_id, region, device, network_class: What was played, by whom, where.
        duration_s: Length of the title as the player knows it, 0 while unknown.
        position_s: Media position when the beat was sent.
        buffer_s: Seconds of media ahead of it.
        startup_s: From intent to first frame; in exactly one beat of a session that started.
        runs, stalls, errors, deliveries: What happened since the last beat.
        switches: Changes of rung since the last beat.
        dropped_frames: Pictures that the device did not show in time since the last beat.
        impression_id: The home page on which the title was picked, if any.
        end_reason: Set in the last beat. Without a ``startup_s`` in the session, ``abandoned`` is an exit before
            video start and ``failed`` a video start failure.
    """

    session_id: SessionId
    boot: Count
    seq: Count
    sent_at: dt.datetime
    kind: BeatKind
    viewer_id: Identifier
    title_id: Identifier
    region: Identifier
    device: Label = "unknown"
    network_class: Label = "unknown"
    package_id: Label = ""
    duration_s: Seconds = 0.0
    position_s: Seconds = 0.0
    buffer_s: Seconds = 0.0
    startup_s: Seconds | None = None
    runs: Annotated[list[Run], msgspec.Meta(max_length=3600)] = []
    stalls: Annotated[list[Stall], msgspec.Meta(max_length=1000)] = []
    errors: Annotated[list[PlaybackError], msgspec.Meta(max_length=100)] = []
    deliveries: Annotated[list[Delivery], msgspec.Meta(max_length=100)] = []
    switches: Count = 0
    dropped_frames: Count = 0
    impression_id: Label | None = None
    end_reason: EndReason | None = None


class BeatBatch(msgspec.Struct, frozen=True, kw_only=True):
    """What a client posts. Beats stay raw so that a malformed one is refused alone."""

    version: int
    beats: Annotated[list[msgspec.Raw], msgspec.Meta(max_length=MAX_BEATS_PER_BATCH)]


class ImpressionItem(msgspec.Struct, frozen=True, kw_only=True):
    """One title shown on a page. ``propensity`` is the probability with which it was put in this place."""

    title_id: Identifier
    row: Label
    position: Count
    propensity: Annotated[float, msgspec.Meta(gt=0.0, le=1.0)]
    reason: Annotated[str, msgspec.Meta(max_length=200)] = ""


class Exposure(msgspec.Struct, frozen=True, kw_only=True):
    """The arm of an experiment by which a page was made."""

    experiment_id: Identifier
    arm: Identifier


class Impression(msgspec.Struct, frozen=True, kw_only=True):
    """A home page as it was shown, written by the API when it answers. ``exposures``: of every experiment that ran."""

    impression_id: Label
    viewer_id: Identifier
    region: Identifier
    shown_at: dt.datetime
    snapshot_id: Label
    model_version: Label
    items: Annotated[list[ImpressionItem], msgspec.Meta(max_length=500)]
    exposures: Annotated[list[Exposure], msgspec.Meta(max_length=50)] = []


def heartbeat_json_schema() -> dict[str, Any]:
    """The JSON Schema of one beat: the contract that the golden pins."""
    return msgspec.json.schema(Beat)


def impression_json_schema() -> dict[str, Any]:
    """The JSON Schema of one impression."""
    return msgspec.json.schema(Impression)
