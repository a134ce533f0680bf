"""The segment index of ISO base media files (``sidx``, ISO/IEC 14496-12, 8.16.3): where a file may be cut."""

from __future__ import annotations

import struct
from dataclasses import replace

from player_sdk.errors import PlaylistError
from player_sdk.playlist.model import MAX_SEGMENTS, ByteRange, MediaPlaylist, Segment


def with_index(playlist: MediaPlaylist, segment: Segment, content: bytes) -> MediaPlaylist:
    """A playlist in which one resource is cut as its index says; what follows is numbered anew.

    Args:
        playlist: Holds ``segment``.
        segment: Has an ``index_range``.
        content: The bytes of that range.

    Raises:
        PlaylistError: The bytes are no index, or one of indexes.
    """
    pieces: list[Segment] = []
    for one in playlist.segments:
        pieces.extend(_cut(segment, content) if one is segment else (one,))
    if len(pieces) > MAX_SEGMENTS:
        raise PlaylistError(f"more than {MAX_SEGMENTS} segments")
    numbered = tuple(replace(piece, number=number) for number, piece in enumerate(pieces))
    return replace(
        playlist,
        segments=numbered,
        target_duration_s=max(piece.duration_s for piece in numbered),
        unindexed=any(piece.index_range is not None for piece in numbered),
    )


def _cut(segment: Segment, content: bytes) -> tuple[Segment, ...]:
    if segment.index_range is None:
        raise ValueError(f"{segment.uri} has no index")
    try:
        start, end = _find_box(content)
        return _references(segment, content[start:end], segment.index_range.offset + end)
    except struct.error as error:
        raise PlaylistError(f"{segment.uri}: the segment index is cut off") from error


def _find_box(content: bytes) -> tuple[int, int]:
    """Where the payload of the ``sidx`` box begins and ends."""
    position = 0
    while position + 8 <= len(content):
        size, kind = struct.unpack_from(">I4s", content, position)
        header = 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", content, position + 8)
            header = 16
        if size < header:
            break
        if kind == b"sidx":
            return position + header, position + size
        position += size
    raise PlaylistError("the range that should hold a segment index (sidx) holds none")


def _references(segment: Segment, box: bytes, anchor: int) -> tuple[Segment, ...]:
    version = box[0] if box else 0
    _, timescale = struct.unpack_from(">II", box, 4)
    _earliest, first_offset = struct.unpack_from(">II" if version == 0 else ">QQ", box, 12)
    position = 12 + (8 if version == 0 else 16)
    _, count = struct.unpack_from(">HH", box, position)
    if timescale == 0 or count == 0:
        raise PlaylistError(f"{segment.uri}: a segment index without timescale or references")
    offset, time = anchor + first_offset, 0
    pieces = []
    for index in range(count):
        reference, duration, _ = struct.unpack_from(">III", box, position + 4 + 12 * index)
        if reference >> 31:
            raise PlaylistError(f"{segment.uri}: an index of indexes, which this player does not read")
        size = reference & 0x7FFFFFFF
        if size == 0 or duration == 0:
            raise PlaylistError(f"{segment.uri}: reference {index} of the segment index is empty")
        pieces.append(
            replace(
                segment,
                start_s=segment.start_s + time / timescale,
                duration_s=duration / timescale,
                byte_range=ByteRange(offset=offset, length=size),
                size_bytes=size,
                index_range=None,
            )
        )
        offset += size
        time += duration
    return tuple(pieces)
