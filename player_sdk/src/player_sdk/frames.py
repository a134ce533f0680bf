"""Pictures and sound out of segments, by PyAV; needs the extra ``frames``.

A decoder lives as long as segments go on from each other: frames that hang over from one segment to the next, and the
overlap of audio, come out whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

from player_sdk.demuxer import Demuxer, telling_of
from player_sdk.events import SegmentContent

if TYPE_CHECKING:
    import av


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
        with telling_of(segment):
            yield from self._streams.setdefault(segment.kind, _Stream()).take(segment)

    def rest(self) -> Iterator[DecodedFrame]:
        """The frames that waited for more."""
        for stream in self._streams.values():
            yield from stream.rest()


class _Stream:
    """The decoders of what comes in segments of one kind: one, or picture and sound together."""

    def __init__(self) -> None:
        self._demuxer = Demuxer()
        self._decoders: dict[Literal["video", "audio"], tuple[av.CodecContext, Fraction]] = {}
        self._rung = ""
        self._shift_s = 0.0

    def take(self, segment: SegmentContent) -> Iterator[DecodedFrame]:
        import av

        demuxed = self._demuxer.take(segment)
        if demuxed.cut:
            yield from self.rest()
        self._rung, self._shift_s = segment.rung, demuxed.shift_s
        for packet in demuxed.packets:
            kind = packet.stream.type
            if kind not in self._decoders:
                decoder = av.CodecContext.create(packet.stream.codec_context.name, "r")
                decoder.extradata = packet.stream.codec_context.extradata
                self._decoders[kind] = decoder, packet.time_base
            yield from self._out(kind, packet)

    def rest(self) -> Iterator[DecodedFrame]:
        for kind in self._decoders:
            yield from self._out(kind, None)
        self._decoders.clear()

    def _out(self, kind: Literal["video", "audio"], packet: av.Packet | None) -> Iterator[DecodedFrame]:
        decoder, time_base = self._decoders[kind]
        for frame in decoder.decode(packet):
            position_s = float(frame.pts * time_base) + self._shift_s
            yield DecodedFrame(kind=kind, position_s=position_s, rung=self._rung, frame=frame)
