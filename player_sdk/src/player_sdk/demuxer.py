"""Packets out of segments by PyAV (extra ``frames``), each segment taken apart by itself with the init it names.

Decoding them is ``frames``' part, putting them together again ``stream_muxer``'s.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from player_sdk.errors import PlaylistError
from player_sdk.events import SegmentContent

if TYPE_CHECKING:
    import av

_JUMP_S = 0.5
"""Time stamps that are farther from where they should be than this have begun anew."""


@contextmanager
def telling_of(segment: SegmentContent) -> Iterator[None]:
    """Raise what goes wrong with a segment in the words of this package.

    Raises:
        PlaylistError: The extra is not installed, or the segment cannot be decoded.
    """
    try:
        import av
    except ImportError as error:
        raise PlaylistError("to take segments apart needs the extra: pip install 'player-sdk[frames]'") from error
    try:
        yield
    except av.error.FFmpegError as error:
        raise PlaylistError(f"{segment.kind} segment {segment.index} of {segment.rung}: {error}") from error


@dataclass(frozen=True, kw_only=True, slots=True)
class Demuxed:
    """The packets of one segment.

    Attributes:
        packets: Of picture and sound, in the order of the segment; they keep what they came from alive.
        shift_s: What is to be added to their time stamps to get media time.
        cut: Whether they do not go on from those before: another encoding, another place, other time stamps.
    """

    packets: list[av.Packet]
    shift_s: float
    cut: bool


class Demuxer:
    """Takes apart the segments of one kind, in the order in which they come."""

    def __init__(self) -> None:
        self._before: SegmentContent | None = None
        self._shift_s = 0.0

    def take(self, segment: SegmentContent) -> Demuxed:
        """The packets of the next segment."""
        import av

        before, self._before = self._before, segment
        cut = before is not None and (before.init != segment.init or before.index + 1 != segment.index)
        # Not closed: packets and streams are used after this, and the last of them takes it along.
        container = av.open(io.BytesIO(segment.init + segment.content))
        streams = [stream for stream in container.streams if stream.type in ("video", "audio")]
        packets = [packet for packet in container.demux(streams) if packet.pts is not None]
        begins_s = min((float(packet.pts * packet.time_base) for packet in packets), default=0.0)
        if abs(begins_s + self._shift_s - segment.start_s) > _JUMP_S:
            cut, self._shift_s = True, segment.start_s - begins_s
        return Demuxed(packets=packets, shift_s=self._shift_s, cut=cut)
