"""Find out what a title's picture needs: a few encodes of a few windows, each measured.

Some sizes are encoded at three rate factors, in windows spread over the film, by the encoder of the renditions and
with its settings. That costs a fixed number of pictures, about a fiftieth of a film of a minute. `hull.py` fits
curves to the points, and finds those of the sizes between; what samples miss, `correction.py` finds after the encode.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from statistics import fmean
from typing import Any

import av
import av.error
import ffmpeg
import msgspec

from orchestration.media.encoders import video_options
from orchestration.media.errors import QualityUnmeasured
from orchestration.media.hull import Probes, RatePoint
from orchestration.media.ladder import FINE_BOX_HEIGHTS, VideoRung, fit_sizes, output_rate, spread
from orchestration.media.picture import in_eight_bits, scaled
from orchestration.media.process import run_program
from orchestration.media.programs import compile_ffmpeg
from orchestration.media.quality import (
    Reference,
    Window,
    measure_quality,
    reference_of,
    sample_windows,
    sampled_picture,
)
from orchestration.media.report import ProbeReport
from orchestration.media.settings import RECIPE_VERSION, MediaSettings

PROBE_CRFS = (18.0, 26.0, 34.0)
PROBED_SIZES = 4
"""The curves of the sizes between are foretold to within half a VMAF and three per cent of the rate."""
WINDOW_PICTURES = 12
SECONDS_PER_WINDOW = 24.0
FEWEST_WINDOWS = 3
MOST_WINDOWS = 32
SAME_GROUP_STEP_S = 4.0
"""How far apart windows between two key pictures are: all before a window, back to the key picture, is decoded too."""
UNMEASURED_PICTURES = 9
"""A window starts with a key picture. That and the first after it are better than what a film mostly consists of, and
most so in small sizes, which would look cheaper than they are."""
MEASURE_EVERY = 3
"""One picture of every window counts: VMAF costs more than the encode, and neighbours tell the same. One more, before
that of the first window, does not: it follows nothing, so VMAF takes it for a still and finds more faults in it."""
TIMEOUT_S = 3600


@dataclass(frozen=True, kw_only=True)
class _Trial:
    rung: VideoRung
    path: Path


def probe_qualities(master: Path, report: ProbeReport, settings: MediaSettings, folder: Path) -> Probes:
    """Encode and measure a master's windows at some of the sizes that its ladder may have.

    Args:
        master: The file.
        report: Its probe.
        settings: How renditions will be encoded.
        folder: Scratch space.

    Raises:
        ProgramError: ffmpeg failed.
        QualityUnmeasured: The windows could not be compared.
    """
    rate = output_rate(report.video)
    windows = after_key_pictures(master, report, rate, search_windows(report.video.duration_s, rate))
    sizes = probed_sizes(report.video.width, report.video.height)
    reference = reference_of(master, report, rate, windows, lead_s=0)
    shown, held = measured_pictures(windows)
    trials = [
        _Trial(rung=_trial_rung(*size, crf), path=folder / f"probe-{size[0]}x{size[1]}-{crf:g}.mp4")
        for size in sizes
        for crf in PROBE_CRFS
    ]
    encoded = run_program(_encode_command(reference, sizes, trials, settings), timeout_s=TIMEOUT_S)
    qualities = measure_quality(
        reference_of(master, report, rate, shown, lead_s=0),
        [trial.path for trial in trials],
        folder,
        every=MEASURE_EVERY,
        held=held,
        uncounted=1 if shown[0].count > MEASURE_EVERY else 0,
    )
    points = [
        RatePoint(
            width=trial.rung.width,
            height=trial.rung.height,
            crf=trial.rung.crf,
            bitrate_bps=_long_run_bitrate_bps(trial.path, rate, settings.keyframe_interval_s),
            vmaf=quality.mean,
        )
        for trial, quality in zip(trials, qualities, strict=True)
    ]
    return Probes(points=points, cpu_s=encoded.cpu_s + sum(quality.cpu_s for quality in qualities))


def probed_sizes(width: int, height: int) -> list[tuple[int, int]]:
    """The sizes in which a picture of this size is probed, largest first: its own, the smallest, and some between."""
    sizes = spread(fit_sizes(width, height, FINE_BOX_HEIGHTS), PROBED_SIZES, alone=-1)
    return [(width, height) for _, width, height in reversed(sizes)]


def search_id(settings: MediaSettings) -> str:
    """Names a way to search: another one finds other points."""
    way = [
        PROBE_CRFS, PROBED_SIZES, FINE_BOX_HEIGHTS, WINDOW_PICTURES, SECONDS_PER_WINDOW, FEWEST_WINDOWS, MOST_WINDOWS,
        SAME_GROUP_STEP_S, UNMEASURED_PICTURES, MEASURE_EVERY, RECIPE_VERSION, settings.preset, settings.threads,
        settings.keyframe_interval_s,
    ]  # fmt: skip
    return hashlib.sha256(msgspec.json.encode(way)).hexdigest()[:16]


def search_windows(film_s: float, rate: Fraction) -> tuple[Window, ...]:
    """Which pictures are probed: few of a short film, never many."""
    count = min(max(int(film_s / SECONDS_PER_WINDOW), FEWEST_WINDOWS), MOST_WINDOWS)
    return sample_windows(film_s, rate, count, WINDOW_PICTURES)


def measured_pictures(windows: Sequence[Window]) -> tuple[tuple[Window, ...], tuple[Window, ...]]:
    """The part of each window that is measured, as pictures of the master, and as pictures of a trial.

    That of the first window is longer by as many pictures as one is measured of.
    """
    shown: list[Window] = []
    held: list[Window] = []
    start = 0
    for window in windows:
        skipped = min(UNMEASURED_PICTURES, window.count - 1)
        if not shown and skipped >= MEASURE_EVERY:
            skipped -= MEASURE_EVERY
        shown.append(Window(first=window.first + skipped, count=window.count - skipped))
        held.append(Window(first=start + skipped, count=window.count - skipped))
        start += window.count
    return tuple(shown), tuple(held)


def after_key_pictures(
    master: Path, report: ProbeReport, rate: Fraction, windows: Sequence[Window]
) -> tuple[Window, ...]:
    """Each window moved to just after a key picture of the master, so that little is decoded for nothing."""
    moved: list[Window] = []
    with av.open(str(master), metadata_errors="replace") as container:
        for window in windows:
            first = min(_after_key_picture(container, report.video.index, window.first, rate), window.first)
            if moved and first <= moved[-1].first:  # the same key picture: all windows would show one moment
                first = min(moved[-1].first + math.ceil(SAME_GROUP_STEP_S * rate), window.first)
            moved.append(Window(first=first, count=window.count))
    return tuple(moved)


def _after_key_picture(container: av.container.InputContainer, index: int, first: int, rate: Fraction) -> int:
    """The picture after the last key picture before ``first``; ``first`` in a container that cannot be searched."""
    track = container.streams[index]
    if first <= 0 or track.time_base is None:
        return max(first, 0)
    start_s = (container.start_time or 0) / av.time_base
    try:
        container.seek(int((float(first / rate) + start_s) / track.time_base), stream=track)
        packet = next(container.demux(track))
    except (av.error.FFmpegError, StopIteration):
        return first
    if packet.pts is None or not packet.is_keyframe:
        return first
    return max(int((float(packet.pts * track.time_base) - start_s) * rate) + 1, 0)


def _trial_rung(width: int, height: int, crf: float) -> VideoRung:
    return VideoRung(rendition_id="", rung="", width=width, height=height, cap_bps=0, crf=crf)


def _encode_command(
    reference: Reference, sizes: Sequence[tuple[int, int]], trials: Sequence[_Trial], settings: MediaSettings
) -> list[str]:
    """One process for all trials, scaled in a cascade as the encode does."""
    picture: Any = sampled_picture(reference)
    outputs = []
    for number, (width, height) in enumerate(sizes):
        picture = scaled(picture, width, height)
        if number == 0:
            picture = in_eight_bits(picture, reference.report.video)
        mine = [trial for trial in trials if (trial.rung.width, trial.rung.height) == (width, height)]
        copies = picture.filter_multi_output("split", len(mine) + (number < len(sizes) - 1))
        for copy, trial in enumerate(mine):
            options = video_options(trial.rung, reference.rate, settings) | _sample_options(reference)
            free = {name: value for name, value in options.items() if name not in ("maxrate", "bufsize")}
            outputs.append(ffmpeg.output(copies[copy], str(trial.path), **free))
        picture = copies[len(mine)]
    return compile_ffmpeg(outputs)


def _sample_options(reference: Reference) -> dict[str, Any]:
    """Each window is a group of pictures of its own."""
    starts = [sum(window.count for window in reference.windows[:number]) for number in range(len(reference.windows))]
    # half a picture early: a moment that was rounded up would come one picture late
    moments_s = ",".join(f"{float((start - 0.5) / reference.rate):.6f}" for start in starts)
    return {"g": reference.pictures + 1, "keyint_min": 1, "force_key_frames": moments_s}


def _long_run_bitrate_bps(path: Path, rate: Fraction, keyframe_interval_s: float) -> float:
    """The rate of a film encoded so: a window has more key frames for its length than a rendition has."""
    key_bytes: list[int] = []
    other_bytes: list[int] = []
    try:
        with av.open(str(path)) as container:
            for packet in container.demux(video=0):
                if packet.size:
                    (key_bytes if packet.is_keyframe else other_bytes).append(packet.size)
    except av.error.FFmpegError as error:
        raise QualityUnmeasured(f"{path.name} came out unreadable ({error.strerror})") from error
    if not key_bytes:
        raise QualityUnmeasured(f"{path.name} holds no picture")
    pictures = max(keyframe_interval_s * float(rate), 1.0)
    mean_bytes = (fmean(key_bytes) + fmean(other_bytes or key_bytes) * (pictures - 1)) / pictures
    return 8 * mean_bytes * float(rate)
