"""Decide which renditions a title gets: sizes, rates and caps that fit its master.

Without measured points the ladder is a fixed one, fitted; with them (`search.py`) it is made for the title
(`per_title.py`), from more sizes. Every size is a 16:9 box (9:16 for upright films), named by the box's short side;
the picture is fitted into it with its aspect kept, never enlarged, with even sides. The largest size is the master's
own, under the name of the nearest box: a scope film of 800x332 is its own ``480p``.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from typing import Literal, TypeVar

import msgspec

from orchestration.media.hull import Probes, RatePoint, fit_curves
from orchestration.media.per_title import Choice, Limit, choose_rungs
from orchestration.media.recipe import rendition_id
from orchestration.media.report import ProbeReport, VideoTrack
from orchestration.media.settings import MediaSettings
from orchestration.media.sound import AudioRung, plan_sound

BOX_HEIGHTS = (240, 360, 480, 720, 1080, 1440, 2160)
FINE_BOX_HEIGHTS = (240, 288, 360, 432, 480, 576, 720, 864, 1080, 1296, 1440, 1728, 2160)
"""What a ladder per title chooses from: a quarter apart at most, and many of them whole macroblocks at 16:9."""
MAX_FRAME_RATE = 60

REFERENCE_CAP_BPS = 4_500_000
REFERENCE_PIXELS = 1920 * 1080
REFERENCE_FRAME_RATE = 30
PIXEL_EXPONENT = 0.75
"""Bits grow slower than pixels; the power of three quarters is a long-known rule of thumb for H.264."""
RATE_EXPONENT = 0.5
MIN_CAP_BPS = 150_000
UNEVEN_TRACKS_S = 0.5
PER_TITLE_CAP = 2.0
"""A title that needs it may cost so many times what a fixed ladder allows: 9 Mbit/s at 1080p, about 25 at 2160p."""
DEVICE_BOXES = {"mobile": 720, "desktop": 1440, "television": 2160}
"""The largest box that each class of device shows: it gets at least one rung that is no larger."""

Item = TypeVar("Item")
VideoCodec = Literal["h264", "hevc", "vp9", "av1"]


class VideoRung(msgspec.Struct, frozen=True, kw_only=True, tag="video", tag_field="kind"):
    """One picture of the ladder.

    Attributes:
        rung: Named by the box that the picture fits, such as ``720p``; another codec than H.264 is told: ``720p-vp9``.
        cap_bps: Bounds what the constant rate factor may cost.
        crf: In the codec's own scale.
        target_vmaf: What a ladder per title aims at; None in a fixed ladder.
        limit: Foretold (`per_title.Choice`): why it aims lower than it would.
        shortfall: Found when it was measured (`correction.py`): what keeps it below what it aims at, ``source`` where
            the lowest rate factor gives no more of this master at this size, ``rate`` where the cap allows no more.
    """

    rendition_id: str
    rung: str
    width: int
    height: int
    cap_bps: int
    crf: float
    codec: VideoCodec = "h264"
    target_vmaf: float | None = None
    limit: Limit | None = None
    shortfall: Limit | None = None


class Ladder(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be encoded from one master.

    Attributes:
        frame_rate: Constant, such as ``30000/1001``.
        duration_s: What every rendition must last.
        video: Rungs, largest first.
        audio: One or more for each sound track (`sound.py`); empty for a silent film.
        points: What was measured to plan it; empty for a fixed ladder.
        probe_cpu_s: What that cost, in CPU seconds.
    """

    source_sha256: str
    frame_rate: str
    duration_s: float
    video: list[VideoRung]
    audio: list[AudioRung]
    points: list[RatePoint] = []
    probe_cpu_s: float = 0.0

    @property
    def rate(self) -> Fraction:
        """Pictures per second."""
        return Fraction(self.frame_rate)

    @property
    def rungs(self) -> list[VideoRung | AudioRung]:
        """Video, largest first, then audio."""
        return [*self.video, *self.audio]


NO_PROBES = Probes(points=[], cpu_s=0.0)


def plan_ladder(report: ProbeReport, source_sha256: str, settings: MediaSettings, probes: Probes = NO_PROBES) -> Ladder:
    """The ladder for a playable master: made for its picture when it was probed, else the fixed one."""
    video = report.video
    rate = output_rate(video)
    if probes.points:
        sizes = fit_sizes(video.width, video.height, FINE_BOX_HEIGHTS)
        rungs = _rungs_per_title(sizes, rate, probes.points, source_sha256, settings)
    else:
        kept = spread(fit_sizes(video.width, video.height), settings.max_rungs, alone=-1)
        rungs = [
            _video_rung(name, width, height, cap_bps(width, height, rate), settings.crf, rate, source_sha256, settings)
            for name, width, height in reversed(kept)
        ]
    return Ladder(
        source_sha256=source_sha256,
        frame_rate=str(rate),
        duration_s=_presented_duration_s(report),
        points=probes.points,
        probe_cpu_s=probes.cpu_s,
        video=rungs,
        audio=plan_sound(
            report.audio, source_sha256, settings, with_opus=not {"vp9", "av1"}.isdisjoint(settings.codecs)
        ),
    )


def fit_sizes(width: int, height: int, boxes: Sequence[int] = BOX_HEIGHTS) -> list[tuple[str, int, int]]:
    """Every rung that a picture of this size fills without being enlarged: (name, width, height), smallest first.

    The last one is the picture's own size, unless the largest of ``boxes`` is smaller.
    """
    fitting = {box: _fit(width, height, box) for box in boxes if _scale(width, height, box) <= 1}
    if len(fitting) < len(boxes):
        nearest = min(boxes, key=lambda box: abs(math.log(_scale(width, height, box))))
        fitting[nearest] = _even(width), _even(height)
    return [(f"{box}p", *size) for box, size in fitting.items()]


def spread(items: Sequence[Item], count: int, *, alone: int) -> Sequence[Item]:
    """Both ends and an even choice between them, ``count`` at most; a single one is that at the index ``alone``."""
    if len(items) <= count:
        return items
    if count == 1:
        return [items[alone]]
    return [items[round(position * (len(items) - 1) / (count - 1))] for position in range(count)]


def cap_bps(width: int, height: int, rate: Fraction) -> int:
    """The highest bit rate that a rung may cost, from its pixels and its frame rate."""
    pixels = (width * height / REFERENCE_PIXELS) ** PIXEL_EXPONENT
    frames = (float(rate) / REFERENCE_FRAME_RATE) ** RATE_EXPONENT
    return max(int(round(REFERENCE_CAP_BPS * pixels * frames, -3)), MIN_CAP_BPS)


def output_rate(video: VideoTrack) -> Fraction:
    """The constant frame rate of all renditions: a picture per field, and 60 per second at most."""
    rate = video.rate * 2 if video.interlaced else video.rate
    while rate > MAX_FRAME_RATE:
        rate /= 2
    return rate


def _presented_duration_s(report: ProbeReport) -> float:
    """The picture's length; the whole file's when sound goes on well after the picture, which is then padded."""
    picture_end_s = report.video.start_s + report.video.duration_s
    if report.decoded_duration_s - picture_end_s > UNEVEN_TRACKS_S:
        return report.decoded_duration_s
    return round(picture_end_s, 6)


def _scale(width: int, height: int, box: int) -> float:
    long_side, short_side = max(width, height), min(width, height)
    return min(box * 16 / 9 / long_side, box / short_side)


def _fit(width: int, height: int, box: int) -> tuple[int, int]:
    scale = _scale(width, height, box)
    return _even(width * scale), _even(height * scale)


def _even(length: float) -> int:
    """The nearest even length that does not enlarge an odd one."""
    return max(int(length / 2 + 0.49) * 2, 2)


def with_crf(rung: VideoRung, crf: float, ladder: Ladder, settings: MediaSettings) -> VideoRung:
    """A rung at another rate factor: another rendition."""
    return identified(msgspec.structs.replace(rung, crf=crf), ladder.source_sha256, ladder.rate, settings)


def identified(rung: VideoRung, source_sha256: str, rate: Fraction, settings: MediaSettings) -> VideoRung:
    """A rung of any codec under the id of its making."""
    making = {
        "h264": ("x264", settings.preset),
        "hevc": ("hevc", settings.hevc_preset),
        "vp9": ("vp9", settings.vp9_speed),
        "av1": ("av1", settings.av1_preset),
    }
    recipe = [
        *making[rung.codec], rung.crf, settings.threads, settings.keyframe_interval_s, settings.segment_duration_s,
        rung.rung.removesuffix(f"-{rung.codec}"), rung.width, rung.height, rung.cap_bps, str(rate),
    ]  # fmt: skip
    return msgspec.structs.replace(rung, rendition_id=rendition_id(source_sha256, recipe))


def _rungs_per_title(
    sizes: Sequence[tuple[str, int, int]],
    rate: Fraction,
    points: Sequence[RatePoint],
    source_sha256: str,
    settings: MediaSettings,
) -> list[VideoRung]:
    names = {(width, height): name for name, width, height in sizes}
    curves = fit_curves(points, list(names))

    def cap(width: int, height: int) -> int:
        return int(PER_TITLE_CAP * cap_bps(width, height, rate))

    device_pixels = [round(box * box * 16 / 9) for box in DEVICE_BOXES.values()]
    choices = choose_rungs(curves, cap, settings.max_rungs, device_pixels)
    taken: Counter[str] = Counter()
    rungs = []
    for choice in choices:
        size = (choice.point.width, choice.point.height)
        taken[names[size]] += 1
        name = names[size] if taken[names[size]] == 1 else f"{names[size]}-{taken[names[size]]}"
        rungs.append(_aimed_rung(name, choice, cap(*size), rate, source_sha256, settings))
    return rungs


def _aimed_rung(
    name: str, choice: Choice, cap: int, rate: Fraction, source_sha256: str, settings: MediaSettings
) -> VideoRung:
    point = choice.point
    rung = _video_rung(name, point.width, point.height, cap, point.crf, rate, source_sha256, settings)
    return msgspec.structs.replace(rung, target_vmaf=round(point.vmaf, 2), limit=choice.limit)


def _video_rung(
    name: str,
    width: int,
    height: int,
    cap: int,
    crf: float,
    rate: Fraction,
    source_sha256: str,
    settings: MediaSettings,
) -> VideoRung:
    rung = VideoRung(rendition_id="", rung=name, width=width, height=height, cap_bps=cap, crf=crf)
    return identified(rung, source_sha256, rate, settings)
