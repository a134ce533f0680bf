"""What a session plays as one MPEG transport stream, for players that read from a pipe; by PyAV (extra ``frames``).

Picture and sound come apart (CMAF) and change their encoding with each rung. A transport stream carries both in the
order of their time stamps, names its encoding over and over, and may be put together from parts: where a rung changes,
a new part begins, with the time stamps going on. Nothing is encoded anew.
"""

from __future__ import annotations

import io
import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from player_sdk.demuxer import Demuxer, telling_of
from player_sdk.errors import PlaylistError
from player_sdk.events import SegmentContent

if TYPE_CHECKING:
    import av

STREAM_CODECS = ("avc1", "avc3", "mp4a", "ac-3", "ec-3")
"""Beginnings of the codec names to choose rungs by, so that a stream stays one of H.264."""

_CARRIED = {"h264", "hevc", "aac", "ac3", "eac3", "mp3"}
"""What all readers of transport streams know, by ffmpeg's names."""

_LEAD_S = 1.0
"""Added to all time stamps: decoding begins a little before the first picture is shown, and not below zero."""

_MOST_BEHIND_S = 10.0
"""As long as one of the two waits for the other: sound may have a gap, or end before the picture."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StreamPiece:
    """Bytes of a stream, to be put one after the other.

    Attributes:
        position_s: As far into the title as the stream goes with this piece.
    """

    position_s: float
    content: bytes


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A packet that is not in the stream yet; ``at_s`` is when it is decoded, in media time."""

    at_s: float
    shift_s: float
    init: bytes
    stream: av.stream.Stream
    packet: av.Packet


class StreamMuxer:
    """Puts the segments of one session together, in the order in which they come.

    Args:
        audio_beside: Whether sound comes in segments of its own.
        until_s: Media position to end at.
    """

    def __init__(self, *, audio_beside: bool, until_s: float = math.inf) -> None:
        self._audio_beside = audio_beside
        self._until_s = until_s
        self._demuxers: dict[str, Demuxer] = {}
        self._waiting: dict[str, deque[_Waiting]] = {"video": deque()}
        if audio_beside:
            self._waiting["audio"] = deque()
        self._written_s: dict[str, float] = {}
        self._next_index: int | None = None
        self._in_stream: dict[str, _Waiting] = {}
        self._container: av.container.OutputContainer | None = None
        self._streams: dict[str, av.stream.Stream] = {}
        self._bytes = io.BytesIO()
        self._position_s = 0.0

    def take(self, segment: SegmentContent) -> Sequence[StreamPiece]:
        """What can be told with this segment; captions are left out.

        Raises:
            PlaylistError: The extra is not installed, the segment cannot be read, or its codec does not fit.
        """
        if segment.kind == "text":
            return ()
        with telling_of(segment):
            demuxed = self._demuxers.setdefault(segment.kind, Demuxer()).take(segment)
            if segment.kind == "video":
                if segment.index != self._next_index:  # the viewer has gone elsewhere
                    self._end_part()
                self._next_index = segment.index + 1
            for packet in demuxed.packets:
                kind = packet.stream.type
                at_s = float((packet.pts if packet.dts is None else packet.dts) * packet.time_base) + demuxed.shift_s
                if at_s < self._until_s and packet.stream is _first_of(packet.stream) and self._comes(kind, segment):
                    waiting = _Waiting(at_s, demuxed.shift_s, segment.init, packet.stream, packet)
                    self._waiting.setdefault(kind, deque()).append(waiting)
            self._write(wait=True)
        return self._taken()

    def rest(self) -> Sequence[StreamPiece]:
        """What waited for more, and the end of the stream."""
        self._end_part()
        return self._taken()

    def _end_part(self) -> None:
        """What comes next does not go on from what is there."""
        self._write(wait=False)
        self._close()
        self._written_s.clear()

    def _comes(self, kind: str, segment: SegmentContent) -> bool:
        """Whether it is from these segments that the stream takes a kind."""
        return kind == segment.kind or not self._audio_beside

    def _write(self, *, wait: bool) -> None:
        """Write packets by time, as long as there are some of each kind, or of one kind far more than of another."""
        queues = self._waiting
        while any(queues.values()):
            first = min((kind for kind in queues if queues[kind]), key=lambda kind: queues[kind][0].at_s)
            behind_s = queues[first][-1].at_s - queues[first][0].at_s
            if wait and not all(queues.values()) and behind_s < _MOST_BEHIND_S:
                return
            self._put(first, queues[first].popleft())

    def _put(self, kind: str, waiting: _Waiting) -> None:
        if waiting.at_s <= self._written_s.get(kind, -math.inf):
            return  # sound that was changed for other sound: what is in the stream is there to stay
        self._written_s[kind] = self._position_s = waiting.at_s
        known = self._in_stream.get(kind)
        if known is None or known.init != waiting.init:
            self._use(kind, waiting, known)
        container = self._container or self._open()
        packet = waiting.packet
        shift = round((waiting.shift_s + _LEAD_S) / packet.time_base)
        packet.pts += shift
        if packet.dts is not None:
            packet.dts += shift
        packet.stream = self._streams[kind]
        container.mux(packet)

    def _use(self, kind: str, waiting: _Waiting, known: _Waiting | None) -> None:
        """From here on, packets of a kind are encoded as this one is."""
        name = waiting.stream.codec_context.name
        before = name if known is None else known.stream.codec_context.name
        if name not in _CARRIED or before != name:
            raise PlaylistError(
                f"a stream of {' and '.join(sorted({before, name}))} cannot be made; give the player those of "
                f"{', '.join(STREAM_CODECS)} as codecs, or one kind of picture alone"
            )
        self._close()
        self._in_stream[kind] = waiting

    def _open(self) -> av.container.OutputContainer:
        """Begin a part of the stream."""
        import av

        for kind, queue in self._waiting.items():
            if kind not in self._in_stream and queue:
                self._use(kind, queue[0], None)
        container = av.open(self._bytes, "w", format="mpegts", options={"mpegts_flags": "initial_discontinuity"})
        self._streams = {
            kind: container.add_stream_from_template(one.stream)
            for kind, one in sorted(self._in_stream.items(), reverse=True)
        }
        self._container = container
        return container

    def _close(self) -> None:
        container, self._container = self._container, None
        if container is not None:
            container.close()

    def _taken(self) -> Sequence[StreamPiece]:
        content = self._bytes.getvalue()
        self._bytes.seek(0)
        self._bytes.truncate()
        return (StreamPiece(position_s=self._position_s, content=content),) if content else ()


def _first_of(stream: av.stream.Stream) -> av.stream.Stream:
    """The first stream of that kind where that one came from."""
    return next(one for one in stream.container.streams if one.type == stream.type)
