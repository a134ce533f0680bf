"""What a collector makes of a posted batch: the beats it can take, and for each of the others a reason.

Pure: bytes in, beats and reasons out. A malformed beat is refused alone; a batch is refused as a whole only when it
cannot be read as one.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import msgspec

from playback_api.events.schema import HEARTBEAT_VERSION, MAX_BEATS_PER_BATCH, Beat, BeatBatch

MAX_CLOCK_LEAD = dt.timedelta(days=1)
"""A client clock that is further ahead would put its beats into days that have not come yet."""
MAX_BEAT_AGE = dt.timedelta(days=400)
"""No spool keeps beats for longer; what is older comes from a clock that was never set."""

Encoding = Literal["json", "msgpack"]


class BatchUnreadable(Exception):
    """The body is no batch of a version that is understood here."""


class BatchTooLarge(Exception):
    """The batch holds more beats than are taken at once."""


class RejectedBeat(msgspec.Struct, frozen=True, kw_only=True):
    """A beat that was not taken: its place in the batch and what is wrong with it."""

    index: int
    reason: str


@dataclass(frozen=True, kw_only=True)
class Intake:
    """A batch, sorted into what is to be stored and what is refused."""

    beats: list[Beat]
    rejected: list[RejectedBeat]


class _Envelope(BeatBatch, frozen=True, kw_only=True):
    """A batch of any length, so that too long a one is told apart from an unreadable one."""

    beats: list[msgspec.Raw]


_DECODERS: dict[str, tuple[Callable[[bytes], _Envelope], Callable[[msgspec.Raw], Beat]]] = {
    "json": (msgspec.json.Decoder(_Envelope).decode, msgspec.json.Decoder(Beat).decode),
    "msgpack": (msgspec.msgpack.Decoder(_Envelope).decode, msgspec.msgpack.Decoder(Beat).decode),
}


def read_batch(body: bytes, encoding: Encoding, *, received_at: dt.datetime) -> Intake:
    """Decode a batch beat by beat.

    Args:
        body: As posted.
        encoding: What its Content-Type says.
        received_at: The collector's clock, UTC.

    Raises:
        BatchUnreadable: It is no batch, or of another version.
        BatchTooLarge: It holds more than ``MAX_BEATS_PER_BATCH``.
    """
    decode_envelope, decode_beat = _DECODERS[encoding]
    try:
        envelope = decode_envelope(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BatchUnreadable(f"not a batch of beats in {encoding}: {error}") from error
    if envelope.version != HEARTBEAT_VERSION:
        raise BatchUnreadable(f"heartbeat version {envelope.version} is not understood; send {HEARTBEAT_VERSION}")
    if len(envelope.beats) > MAX_BEATS_PER_BATCH:
        raise BatchTooLarge(f"{len(envelope.beats)} beats in one batch; send at most {MAX_BEATS_PER_BATCH}")
    earliest, latest = received_at - MAX_BEAT_AGE, received_at + MAX_CLOCK_LEAD
    beats: list[Beat] = []
    rejected: list[RejectedBeat] = []
    for index, raw in enumerate(envelope.beats):
        try:
            beat = decode_beat(raw)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            rejected.append(RejectedBeat(index=index, reason=str(error)))
            continue
        reason = _objection(beat, earliest, latest)
        if reason is None:
            beats.append(beat)
        else:
            rejected.append(RejectedBeat(index=index, reason=reason))
    return Intake(beats=beats, rejected=rejected)


def _objection(beat: Beat, earliest: dt.datetime, latest: dt.datetime) -> str | None:
    """What the schema cannot say: a time needs an offset, and a day that has come and is not long gone."""
    if beat.sent_at.tzinfo is None:
        return "sent_at has no UTC offset - at `$.sent_at`"
    if beat.sent_at < earliest:
        return f"sent_at is more than {MAX_BEAT_AGE.days} days behind the collector's clock - at `$.sent_at`"
    if beat.sent_at > latest:
        return f"sent_at is more than {MAX_CLOCK_LEAD.days} day ahead of the collector's clock - at `$.sent_at`"
    return None
