"""The payloads of log records: how beats and impressions are put into them and taken out again."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import msgspec

from playback_api.events.framing import LogRecord, RecordKind
from playback_api.events.schema import Beat, Impression


class BeatsRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One accepted batch: the beats as decoded, and when the collector took them (UTC)."""

    received_at: dt.datetime
    beats: list[Beat]


_encoder = msgspec.msgpack.Encoder()
_beats_decoder = msgspec.msgpack.Decoder(BeatsRecord)
_impression_decoder = msgspec.msgpack.Decoder(Impression)


def encode_beats(beats: Sequence[Beat], received_at: dt.datetime) -> bytes:
    """The payload of a ``BEATS`` record."""
    return _encoder.encode(BeatsRecord(received_at=received_at, beats=list(beats)))


def encode_impression(impression: Impression) -> bytes:
    """The payload of an ``IMPRESSION`` record."""
    return _encoder.encode(impression)


def decode_record(record: LogRecord) -> BeatsRecord | Impression:
    """What a record holds.

    Raises:
        msgspec.DecodeError: The payload was written by something that does not keep the schema; the frame was intact.
    """
    if record.kind is RecordKind.BEATS:
        return _beats_decoder.decode(record.payload)
    return _impression_decoder.decode(record.payload)
