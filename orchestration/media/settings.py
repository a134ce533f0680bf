"""How titles are encoded: the few numbers that an installation may set.

What depends on the master (sizes, rates, durations) is decided by `ladder.py`.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

RECIPE_VERSION = 4
"""Raise it when a change of the code changes encoded bytes: it is part of every rendition's id."""

Preset = Literal["ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow"]
"""Of x264 and x265, fastest first."""
Count = Annotated[int, msgspec.Meta(ge=1)]
Seconds = Annotated[float, msgspec.Meta(gt=0)]
BitRate = Annotated[int, msgspec.Meta(ge=8_000)]


class MediaSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Encoder settings of an installation.

    Attributes:
        ladder: ``per_title`` finds sizes and rate factors by what the picture needs (`search.py`); ``fixed`` gives all
            titles of a size the same ladder and costs nothing to plan.
        quality_frames: Pictures per rung at most whose VMAF is measured after the encode; 0 leaves it unmeasured.
        preset: x264 preset. ``veryfast`` costs less than half of ``medium`` for about 10 % more bits.
        crf: Constant rate factor of a fixed ladder; the ladder's cap bounds what it may cost.
        max_rungs: Video rungs at most; the largest and the smallest that fit are always kept.
        codecs: Which codecs every title gets; H.264 always comes first, since every player has it.
        extra_codec_rungs: Rungs at most of each codec beside H.264: the largest, the smallest, and some between.
        hevc_preset, vp9_speed, av1_preset: How slow those encoders work; slower ones need fewer bits.
        chunk_cpu_s: Encoder seconds that a chunk carries at least, in two stretches that are encoded side by side.
        threads: Threads per encoder. One, since x264 with several and a capped rate gives other bytes on every run; the
            rungs of a title are encoded side by side all the same.
        keyframe_interval_s: Every rung starts a closed group of pictures there. One a segment costs the
            fewest bits; more of them make pictures for seeking denser.
        segment_duration_s: A multiple of the keyframe interval.
        audio_bitrate_bps: AAC, stereo.
        surround: 5.1 AAC beside the stereo, where the master has as many channels.
        surround_bitrate_bps: AAC, 5.1.
        opus: Opus beside the AAC, where VP9 or AV1 is made.
        opus_bitrate_bps: Opus, stereo.
        loudness_lufs: Programme loudness that audio is brought to (EBU R128); null leaves it as it is.
        first_rung_from_s: Films this long or longer are playable with their smallest rung before the others are made;
            null makes none wait for less than all.
        protection: Common Encryption of what HLS and DASH share; the keys are derived from the installation's secret.
        hls_aes_128: Also a variant of its own for HLS players without DRM, its whole segments encrypted.
        key_generation: Raise it to give every title new keys, and so new renditions, when the old ones leaked.
        key_server_url: Where players ask for keys; empty when one host answers for the media and the API.
    """

    ladder: Literal["per_title", "fixed"] = "per_title"
    quality_frames: Annotated[int, msgspec.Meta(ge=0)] = 120
    preset: Preset = "medium"
    crf: Annotated[int, msgspec.Meta(ge=0, le=51)] = 23
    max_rungs: Count = 6
    codecs: tuple[Literal["h264", "hevc", "vp9", "av1"], ...] = ("h264",)
    extra_codec_rungs: Count = 3
    hevc_preset: Preset = "fast"
    vp9_speed: Annotated[int, msgspec.Meta(ge=0, le=6)] = 4
    av1_preset: Annotated[int, msgspec.Meta(ge=0, le=13)] = 8
    chunk_cpu_s: Seconds = 120.0
    threads: Count = 1
    keyframe_interval_s: Seconds = 4.0
    segment_duration_s: Seconds = 4.0
    audio_bitrate_bps: BitRate = 128_000
    surround: bool = True
    surround_bitrate_bps: BitRate = 384_000
    opus: bool = True
    opus_bitrate_bps: BitRate = 96_000
    loudness_lufs: float | None = -23.0
    first_rung_from_s: float | None = 180.0
    protection: Literal["none", "cenc", "cbcs"] = "none"
    hls_aes_128: bool = False
    key_generation: Count = 1
    key_server_url: str = ""

    def __post_init__(self) -> None:
        segments = self.segment_duration_s / self.keyframe_interval_s
        if abs(segments - round(segments)) > 1e-6 or segments < 1 - 1e-6:
            raise ValueError(
                f"segment_duration_s is {self.segment_duration_s:g}, which is no multiple of keyframe_interval_s, "
                f"{self.keyframe_interval_s:g}: every segment starts with a key frame"
            )
