"""How titles are encoded: the few numbers that an installation may set.

What depends on the master (sizes, rates, durations) is decided by `ladder.py`.
"""

from __future__ import annotations

from typing import Literal

import msgspec

RECIPE_VERSION = 1
"""Raise it when a change of the code changes encoded bytes: it is part of every rendition's id."""


class MediaSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Encoder settings of an installation.

    Attributes:
        ladder: ``per_title`` finds sizes and rate factors by what the picture needs (`search.py`); ``fixed`` gives every
            title of a size the same ladder and costs nothing to plan.
        quality_frames: Pictures per rung at most whose VMAF is measured after the encode; 0 leaves it unmeasured.
        preset: x264 preset. ``veryfast`` costs less than half of ``medium`` for about 10 % more bits.
        crf: Constant rate factor of a fixed ladder; the ladder's cap bounds what it may cost.
        max_rungs: Video rungs at most; the largest and the smallest that fit are always kept.
        threads: Threads per encoder. It is fixed, for x264's output depends on it and renditions are reproducible.
        keyframe_interval_s: Every rung starts a closed group of pictures there.
        segment_duration_s: A multiple of the keyframe interval.
        audio_bitrate_bps: AAC, stereo.
        loudness_lufs: Programme loudness that audio is brought to, in one pass (EBU R128); null leaves it as it is.
    """

    ladder: Literal["per_title", "fixed"] = "fixed"
    quality_frames: int = 240
    preset: str = "veryfast"
    crf: int = 23
    max_rungs: int = 4
    threads: int = 2
    keyframe_interval_s: float = 2.0
    segment_duration_s: float = 4.0
    audio_bitrate_bps: int = 128_000
    loudness_lufs: float | None = -18.0
