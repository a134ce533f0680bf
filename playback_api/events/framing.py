"""The bytes of a segment file: a magic header, then framed records.

    file    = magic (8 bytes), record*
    record  = length u32, crc32 u32, kind u8, payload        (little endian; length counts the payload alone)

The CRC-32 covers length, kind and payload, so no damaged field can pass. Here belongs pure work on bytes; files are the
business of the writer and the reader.
"""

from __future__ import annotations

import enum
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

MAGIC = b"MTNLOG1\n"
HEADER = struct.Struct("<IIB")
_CHECKED = struct.Struct("<IB")
MAX_PAYLOAD_BYTES = 16 * 1024 * 1024
"""A length beyond this is taken for damage, not for a large record."""


class RecordKind(enum.IntEnum):
    """What the payload of a record is. 0 is never used, so that a hole of zeros is no record."""

    BEATS = 1
    IMPRESSION = 2


@dataclass(frozen=True, slots=True)
class LogRecord:
    """One stored record.

    Attributes:
        kind: What the payload is.
        payload: msgpack; see ``records`` for its decoders.
        offset: Where the record begins in its file: with writer and segment its address for ever.
    """

    kind: RecordKind
    payload: bytes
    offset: int


def frame(kind: RecordKind, payload: bytes) -> bytes:
    """The bytes of one record."""
    checksum = zlib.crc32(payload, zlib.crc32(_CHECKED.pack(len(payload), kind)))
    return HEADER.pack(len(payload), checksum, kind) + payload


def record_at(content: bytes, offset: int) -> LogRecord | None:
    """The record that begins at an offset, or None when no whole and undamaged record does."""
    if offset + HEADER.size > len(content):
        return None
    length, checksum, kind = HEADER.unpack_from(content, offset)
    start = offset + HEADER.size
    if length > MAX_PAYLOAD_BYTES or start + length > len(content) or kind not in _KNOWN_KINDS:
        return None
    payload = content[start : start + length]
    if zlib.crc32(payload, zlib.crc32(_CHECKED.pack(length, kind))) != checksum:
        return None
    return LogRecord(RecordKind(kind), payload, offset)


def records_from(content: bytes, offset: int) -> Iterator[tuple[LogRecord, int]]:
    """Records one after the other, each with the offset after it, up to the first that is torn or damaged."""
    while (record := record_at(content, offset)) is not None:
        offset += HEADER.size + len(record.payload)
        yield record, offset


def valid_length(content: bytes) -> int:
    """How many bytes of a file are its header and whole, undamaged records from the first on."""
    if not content.startswith(MAGIC):
        return 0
    length = len(MAGIC)
    for _, after in records_from(content, length):
        length = after
    return length


def find_record(content: bytes, offset: int) -> int | None:
    """Where the next whole record begins at or after an offset; tells damage in the middle from a torn tail."""
    for candidate in range(offset, len(content) - HEADER.size + 1):
        if record_at(content, candidate) is not None:
            return candidate
    return None


_KNOWN_KINDS = frozenset(int(kind) for kind in RecordKind)
