"""Heartbeats, version 1: what a player tells the platform about a session, and how that is written.

The structs mirror the collector's schema field by field; a contract test outside this package holds the two together.
Sending is in ``beat_sender``, collecting in ``beat_recorder``.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Literal

import msgspec

HEARTBEAT_VERSION = 1
MAX_BEATS_PER_BATCH = 500

BeatKind = Literal["start", "playing", "stall", "pause", "seek", "error", "end", "summary"]
EndReason = Literal["completed", "stopped", "abandoned", "failed"]
BeatEncoding = Literal["json", "msgpack"]


class Run(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A stretch of media played at one rung from one pathway."""

    position_s: float
    played_s: float
    rung: str
    bitrate_bps: int
    pathway: str


class Stall(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Playback that stood still after the first frame."""

    position_s: float
    duration_s: float


class PlaybackError(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something that went wrong; ``fatal`` means that playback ended by it."""

    code: str
    message: str = ""
    fatal: bool = False


class Delivery(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one pathway delivered: bytes a fill had placed, bytes an earlier pull had left, and the rest."""

    pathway: str
    requests: int
    requests_placed: int = 0
    requests_cached: int = 0
    size_bytes: int = 0
    size_bytes_placed: int = 0
    size_bytes_cached: int = 0


class Beat(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One heartbeat; (session_id, boot, seq) is its key, so sending it twice counts once.

    Lists, ``switches`` and ``dropped_frames`` hold what happened since the beat before. ``startup_s`` is in exactly one
    beat of a session that started; ``end_reason`` only in the last one.
    """

    session_id: str
    boot: int
    seq: int
    sent_at: dt.datetime
    kind: BeatKind
    viewer_id: str
    title_id: str
    region: str
    device: str = "unknown"
    network_class: str = "unknown"
    package_id: str = ""
    duration_s: float = 0.0
    position_s: float = 0.0
    buffer_s: float = 0.0
    startup_s: float | None = None
    runs: list[Run] = []
    stalls: list[Stall] = []
    errors: list[PlaybackError] = []
    deliveries: list[Delivery] = []
    switches: int = 0
    dropped_frames: int = 0
    impression_id: str | None = None
    end_reason: EndReason | None = None


class BeatBatch(msgspec.Struct, frozen=True, kw_only=True):
    """What is posted to the collector."""

    beats: Sequence[Beat]
    version: int = HEARTBEAT_VERSION


_JSON, _MSGPACK = msgspec.json.Encoder(), msgspec.msgpack.Encoder()


def encode_batch(beats: Sequence[Beat], encoding: BeatEncoding = "msgpack") -> tuple[bytes, str]:
    """Write a batch; returns the body and its content type.

    Raises:
        ValueError: More than ``MAX_BEATS_PER_BATCH`` beats.
    """
    if len(beats) > MAX_BEATS_PER_BATCH:
        raise ValueError(f"{len(beats)} beats in a batch; at most {MAX_BEATS_PER_BATCH} are taken")
    batch = BeatBatch(beats=list(beats))
    if encoding == "json":
        return _JSON.encode(batch), "application/json"
    return _MSGPACK.encode(batch), "application/msgpack"
