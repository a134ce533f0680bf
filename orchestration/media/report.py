"""What a probe says about one file: verdict, reasons, tracks. Encodes to JSON as it stands.

Written by `probe.py`; read by the ladder, the encoder, quarantine reports and people.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Literal

import msgspec

SoundRole = Literal["main", "commentary", "description"]
"""What a sound track is for; ``description`` tells those who cannot see the picture what it shows."""


class VideoTrack(msgspec.Struct, frozen=True, kw_only=True, tag="video", tag_field="kind"):
    """A picture track.

    Attributes:
        width, height: As shown: rotated upright, pixels square.
        coded_width, coded_height: As stored.
        frame_rate: From timestamps, snapped to the usual rates; a fraction such as ``30000/1001``.
        transfer: ``sdr``, ``pq`` or ``hlg``.
        colours: Whether the file says which YCbCr matrix its picture has; ``rgb`` when it has none yet.
        duration_s: From the first to the end of the last picture.
    """

    index: int
    codec: str
    width: int
    height: int
    coded_width: int
    coded_height: int
    pixel_format: str
    bit_depth: int
    frame_rate: str
    variable_frame_rate: bool
    rotation_degrees: int
    interlaced: bool
    transfer: Literal["sdr", "pq", "hlg"]
    colours: Literal["tagged", "untagged", "rgb"]
    start_s: float
    duration_s: float

    @property
    def rate(self) -> Fraction:
        """Pictures per second."""
        return Fraction(self.frame_rate)


class AudioTrack(msgspec.Struct, frozen=True, kw_only=True, tag="audio", tag_field="kind"):
    """A sound track.

    Attributes:
        layout: Channel layout, such as ``stereo`` or ``5.1(side)``.
        usable: False when it cannot be decoded.
        title: The name that the master gives it; often empty.
        role: ``commentary`` and ``description`` (for who cannot see the picture) as the master flags or names them.
        default: The master flags it as the one to play.
    """

    index: int
    codec: str
    channels: int
    sample_rate_hz: int
    language: str
    usable: bool
    start_s: float
    duration_s: float
    layout: str = ""
    title: str = ""
    role: SoundRole = "main"
    default: bool = False


class TextTrack(msgspec.Struct, frozen=True, kw_only=True, tag="text", tag_field="kind"):
    """A subtitle track.

    Attributes:
        convertible: Whether it is text that becomes WebVTT; bitmap subtitles are not.
        title: The name that the master gives it; often empty.
        forced: Only what a viewer of the film's own language needs: signs and foreign dialogue.
        hearing_impaired: Tells sounds too (SDH).
        default: The master flags it as the one to show.
    """

    index: int
    codec: str
    language: str
    convertible: bool
    title: str = ""
    forced: bool = False
    hearing_impaired: bool = False
    default: bool = False


class OtherTrack(msgspec.Struct, frozen=True, kw_only=True, tag="other", tag_field="kind"):
    """A data or attachment track, which is listed and not carried."""

    index: int
    content: str
    codec: str
    language: str


Track = VideoTrack | AudioTrack | TextTrack | OtherTrack


class ProbeReport(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict on one file.

    Attributes:
        file: Name of the file.
        verdict: ``rejected`` when a title cannot be made of it.
        reasons: Why it was rejected, one sentence each; empty when playable.
        warnings: What a person should know although the file is playable.
        hints: What to do about the reasons.
        declared_duration_s: What the container says; None when it says nothing.
        decoded_duration_s: What is really there, from the timestamps of all packets.
        corrupt_frames: Damaged pictures among ``sampled_frames``, the pictures that were decoded to look.
    """

    file: str
    size_bytes: int
    verdict: Literal["playable", "rejected"]
    reasons: list[str]
    warnings: list[str]
    hints: list[str]
    container: str | None = None
    declared_duration_s: float | None = None
    decoded_duration_s: float = 0.0
    sampled_frames: int = 0
    corrupt_frames: int = 0
    tracks: list[Track] = []

    @property
    def playable(self) -> bool:
        """Whether a title can be made of it."""
        return self.verdict == "playable"

    @property
    def video(self) -> VideoTrack:
        """The picture track that is shown; playable files have one."""
        return next(track for track in self.tracks if isinstance(track, VideoTrack))

    @property
    def audio(self) -> list[AudioTrack]:
        """The sound tracks that can be decoded."""
        return [track for track in self.tracks if isinstance(track, AudioTrack) and track.usable]

    @property
    def text(self) -> list[TextTrack]:
        """The subtitle tracks that can become WebVTT."""
        return [track for track in self.tracks if isinstance(track, TextTrack) and track.convertible]
