"""What ffmpeg is told for each codec, what an encoder costs, and which renditions codecs beside H.264 get.

Every encoder works so that the same pictures give the same bytes: a fixed number of threads, and only such ways of
threading as do not change the result. Groups of pictures are closed and start at the same pictures for all codecs,
counted from the first one of the film.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import msgspec

from orchestration.media.hull import CRF_STEP, HIGHEST_CRF
from orchestration.media.ladder import Ladder, VideoCodec, VideoRung, identified, spread
from orchestration.media.settings import MediaSettings, Preset

BUFFER_S = 1.5
"""Length of the rate control's buffer: how long a rung may exceed its cap."""


@dataclass(frozen=True, kw_only=True)
class Likeness:
    """How a codec's rate factor and cap follow from those of an H.264 rung of the same size.

    The rate factors are a rule of thumb (equal VMAF within a few points on ordinary film); no probe is spent on them.
    What a rung misses of its target then, `correction.py` makes up for.

    Attributes:
        crf_slope, crf_offset: The codec's rate factor over that of H.264.
        crf_limit: The highest that is used.
        crf_step: Rate factors are whole multiples of it; what is finer the encoder does not know, or does not show.
        cap_share: Of the cap of the H.264 rung.
        most_corrections: How often a rung that misses its target is encoded again: once more where its first rate
            factor is a rule of thumb and not foretold from samples.
    """

    crf_slope: float
    crf_offset: float
    crf_limit: float
    crf_step: float
    cap_share: float
    most_corrections: int = 3

    def from_h264(self, crf: float) -> float:
        """The codec's rate factor that is like one of H.264."""
        return min(round((self.crf_slope * crf + self.crf_offset) / self.crf_step) * self.crf_step, self.crf_limit)

    def to_h264(self, crf: float) -> float:
        """The rate factor of H.264, between its steps too, that one of the codec is like."""
        return (crf - self.crf_offset) / self.crf_slope


LIKENESS: dict[VideoCodec, Likeness] = {
    "h264": Likeness(
        crf_slope=1.0, crf_offset=0, crf_limit=HIGHEST_CRF, crf_step=CRF_STEP, cap_share=1.0, most_corrections=2
    ),
    "hevc": Likeness(crf_slope=1.0, crf_offset=3, crf_limit=51.0, crf_step=CRF_STEP, cap_share=0.7),
    "vp9": Likeness(crf_slope=1.4, crf_offset=1, crf_limit=63.0, crf_step=1.0, cap_share=0.7),
    "av1": Likeness(crf_slope=1.4, crf_offset=4, crf_limit=63.0, crf_step=1.0, cap_share=0.6),
}

X264_CPU_NS_PER_PIXEL: dict[Preset, int] = {
    "ultrafast": 9, "superfast": 15, "veryfast": 24, "faster": 38, "fast": 48, "medium": 60, "slow": 100,
    "slower": 190, "veryslow": 330,
}  # fmt: skip
X265_CPU_NS_PER_PIXEL: dict[Preset, int] = {
    "ultrafast": 40, "superfast": 55, "veryfast": 85, "faster": 90, "fast": 110, "medium": 160, "slow": 420,
    "slower": 1100, "veryslow": 1700,
}  # fmt: skip
VP9_CPU_NS_PER_PIXEL = (1200, 600, 330, 220, 150, 110, 90)
AV1_CPU_NS_PER_PIXEL = (9000, 5000, 2600, 1500, 800, 450, 270, 180, 110, 80, 60, 50, 40, 35)


def keyframe_distance(rate: Fraction, interval_s: float) -> int:
    """Pictures from one key frame to the next: the fewest that last ``interval_s``."""
    return max(math.ceil(Fraction(interval_s).limit_denominator(1000) * rate), 1)


def video_options(rung: VideoRung, rate: Fraction, settings: MediaSettings) -> dict[str, Any]:
    """The output options of ffmpeg for one rung; the ladder's search encodes its samples with the same."""
    distance = keyframe_distance(rate, settings.keyframe_interval_s)
    return {
        "crf": rung.crf,
        "maxrate": rung.cap_bps,
        "bufsize": round(rung.cap_bps * BUFFER_S),
        "g": distance,
        **_OPTIONS[rung.codec](rung, distance, settings),
        "video_track_timescale": ticks_per_second(rate),
        # Nothing of the master's metadata, and nothing that differs between two runs.
        "f": "mp4",
        "map_metadata": -1,
        "map_chapters": -1,
        "fflags": "+bitexact",
    }


def ticks_per_second(rate: Fraction) -> int:
    """A timescale in which every picture lasts a whole number of ticks, with at least a thousand of them a second."""
    return rate.numerator * math.ceil(1000 / rate.numerator)


def encoder_cpu_s(rungs: Sequence[VideoRung], rate: Fraction, settings: MediaSettings) -> float:
    """A rough estimate of the encoders' CPU seconds for one second of film: for sizing chunks, not for promises."""
    return sum(rung.width * rung.height * float(rate) * _cpu_ns_per_pixel(rung.codec, settings) / 1e9 for rung in rungs)


def add_codecs(ladder: Ladder, settings: MediaSettings) -> Ladder:
    """The ladder with the settings' other codecs beside H.264: some of its sizes, with translated rate factors."""
    base = [rung for rung in ladder.video if rung.codec == "h264"]
    extra = [
        _sibling(rung, codec, ladder, settings)
        for codec in dict.fromkeys(settings.codecs)
        if codec != "h264"
        for rung in spread(base, settings.extra_codec_rungs, alone=0)
    ]
    return msgspec.structs.replace(ladder, video=[*base, *extra])


def _sibling(rung: VideoRung, codec: VideoCodec, ladder: Ladder, settings: MediaSettings) -> VideoRung:
    """A rung in another codec: same size, same target."""
    likeness = LIKENESS[codec]
    sibling = msgspec.structs.replace(
        rung,
        rung=f"{rung.rung}-{codec}",
        codec=codec,
        crf=likeness.from_h264(rung.crf),
        cap_bps=int(round(rung.cap_bps * likeness.cap_share, -3)),
    )
    return identified(sibling, ladder.source_sha256, ladder.rate, settings)


def _cpu_ns_per_pixel(codec: VideoCodec, settings: MediaSettings) -> float:
    match codec:
        case "h264":
            return X264_CPU_NS_PER_PIXEL[settings.preset]
        case "hevc":
            return X265_CPU_NS_PER_PIXEL[settings.hevc_preset]
        case "vp9":
            return VP9_CPU_NS_PER_PIXEL[settings.vp9_speed]
        case "av1":
            return AV1_CPU_NS_PER_PIXEL[settings.av1_preset]


def _h264(_rung: VideoRung, distance: int, settings: MediaSettings) -> dict[str, Any]:
    return {
        "c:v": "libx264",
        "preset": settings.preset,
        "profile:v": "high",
        "threads": settings.threads,
        "keyint_min": distance,
        "sc_threshold": 0,
        "forced-idr": 1,
        "x264-params": "open-gop=0",
    }


def _hevc(_rung: VideoRung, distance: int, settings: MediaSettings) -> dict[str, Any]:
    # With more than one frame at a time, x265's rate control depends on which thread comes first.
    parameters = {
        "log-level": "error", "info": 0, "keyint": distance, "min-keyint": distance, "scenecut": 0, "open-gop": 0,
        "frame-threads": 1, "pools": settings.threads,
    }  # fmt: skip
    return {
        "c:v": "libx265",
        "preset": settings.hevc_preset,
        "profile:v": "main",
        "tag:v": "hvc1",  # parameter sets in the header only, as HLS wants it
        "forced-idr": 1,
        "x265-params": ":".join(f"{name}={value}" for name, value in parameters.items()),
    }


def _vp9(rung: VideoRung, distance: int, settings: MediaSettings) -> dict[str, Any]:
    return {
        "c:v": "libvpx-vp9",
        "b:v": rung.cap_bps,  # constrained quality: the rate factor below, this above
        "deadline": "good",
        "cpu-used": settings.vp9_speed,
        "keyint_min": distance,
        "threads": settings.threads,
        "tile-columns": 1 if rung.width >= 512 else 0,  # columns are what threads share; 256 wide at least
        "row-mt": 0,
        "frame-parallel": 0,
    }


def _av1(_rung: VideoRung, _distance: int, settings: MediaSettings) -> dict[str, Any]:
    # A cap together with more than one level of parallelism gives other bytes on every run.
    return {"c:v": "libsvtav1", "preset": settings.av1_preset, "svtav1-params": "lp=1:irefresh-type=2:scd=0"}


_OPTIONS = {"h264": _h264, "hevc": _hevc, "vp9": _vp9, "av1": _av1}
