"""Pictures and sound out of segments, by PyAV; needs the extra ``frames``.

A decoder lives as long as segments go on from each other: frames that hang over from one segment to the next, and the
overlap of audio, come out whole. Each segment is taken apart by itself, with the init segment that it names.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

from player_sdk.errors import PlaylistError
from player_sdk.events import SegmentContent

if TYPE_CHECKING:
    import av

_JUMP_S = 0.5
"""Time stamps that are farther from where they should be than this have begun anew."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DecodedFrame:
    """A picture, or a piece of sound.

    Attributes:
        position_s: Where in the title it belongs.
        rung: Of the segment that brought it.
        frame: PyAV's; ``to_ndarray`` and ``to_image`` are its own.
    """

    kind: Literal["video", "audio"]
    position_s: float
    rung: str
    frame: av.VideoFrame | av.AudioFrame


class FrameDecoder:
    """Decodes the segments of a session in the order in which they come."""

    def __init__(self) -> None:
        self._streams: dict[str, _Stream] = {}

    def decode(self, segment: SegmentContent) -> Iterator[DecodedFrame]:
        """The frames that are complete with this segment.

        Raises:
            PlaylistError: The extra is not installed, or the segment cannot be decoded.
        """
        try:
            import av
        except ImportError as error:
            raise PlaylistError("decoded frames need the extra: pip install 'player-sdk[frames]'") from error
        try:
            yield from self._streams.setdefault(segment.kind, _Stream()).take(segment)
        except av.error.FFmpegError as error:
            raise PlaylistError(f"{segment.kind} segment {segment.index} of {segment.rung}: {error}") from error

    def rest(self) -> Iterator[DecodedFrame]:
        """The frames that waited for more."""
        for stream in self._streams.values():
            yield from stream.rest()


class _Stream:
    """The decoders of what comes in segments of one kind: one, or picture and sound together."""

    def __init__(self) -> None:
        self._decoders: dict[Literal["video", "audio"], tuple[av.CodecContext, Fraction]] = {}
        self._before: SegmentContent | None = None
        self._shift_s = 0.0

    def take(self, segment: SegmentContent) -> Iterator[DecodedFrame]:
        import av

        before, self._before = self._before, segment
        if before is not None and (before.init != segment.init or before.index + 1 != segment.index):
            yield from self._ended(before.rung)
        with av.open(io.BytesIO(segment.init + segment.content)) as container:
            streams = [stream for stream in container.streams if stream.type in ("video", "audio")]
            packets = [packet for packet in container.demux(streams) if packet.pts is not None]
            begins_s = min((float(packet.pts * packet.time_base) for packet in packets), default=0.0)
            if abs(begins_s + self._shift_s - segment.start_s) > _JUMP_S:
                yield from self._ended(segment.rung)
                self._shift_s = segment.start_s - begins_s
            for packet in packets:
                kind = packet.stream.type
                if kind not in self._decoders:
                    decoder = av.CodecContext.create(packet.stream.codec_context.name, "r")
                    decoder.extradata = packet.stream.codec_context.extradata
                    self._decoders[kind] = decoder, packet.time_base
                yield from self._out(kind, packet, segment.rung)

    def rest(self) -> Iterator[DecodedFrame]:
        if self._before is not None:
            yield from self._ended(self._before.rung)

    def _ended(self, rung: str) -> Iterator[DecodedFrame]:
        for kind in self._decoders:
            yield from self._out(kind, None, rung)
        self._decoders.clear()

    def _out(self, kind: Literal["video", "audio"], packet: av.Packet | None, rung: str) -> Iterator[DecodedFrame]:
        decoder, time_base = self._decoders[kind]
        for frame in decoder.decode(packet):
            position_s = float(frame.pts * time_base) + self._shift_s
            yield DecodedFrame(kind=kind, position_s=position_s, rung=rung, frame=frame)
