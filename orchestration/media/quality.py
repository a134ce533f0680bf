"""How much of a master's picture a rendition keeps, as VMAF and, where it is asked for, as XPSNR.

The master is prepared as `encode.py` prepares it (`picture.py`), the rendition is scaled up to the master's size, and
ffmpeg's libvmaf compares them picture by picture, in sampled windows only. Which rendition should have which quality is
`hull.py`'s and `ladder.py`'s business.

VMAF: Z. Li et al., "Toward a practical perceptual video quality metric", Netflix Technology Blog, 2016; model v0.6.1
is for 1080p seen from three screen heights, its 4K model for 2160p from one and a half. XPSNR: C. Helmrich et al.,
"XPSNR: a low-complexity extension of the perceptually weighted peak signal-to-noise ratio", ICASSP 2020. It is made of
other stuff than VMAF and was trained on nothing, so a rung that one of them overrates stands out.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import ffmpeg

from orchestration.media.errors import QualityUnmeasured
from orchestration.media.ladder import fit_sizes
from orchestration.media.picture import UPSCALER, in_eight_bits, prepared_picture, scaled
from orchestration.media.process import run_program
from orchestration.media.programs import compile_ffmpeg
from orchestration.media.report import ProbeReport

LEAD_S = 1.0
"""Each window is decoded from a little earlier on, so that a picture that is shown across its start is there."""
TAIL_PICTURES = 3
FOUR_K_HEIGHT = 1440
"""Masters taller than this are measured by the 4K model."""
PIXELS_AT_ONCE = 13_000_000
"""Renditions measured by one process together have no more pixels than this: each holds some pictures in memory."""
TIMEOUT_S = 3600
LOW_PERCENTILE = 0.05
MOST_XPSNR_DB = 100.0
"""Stands for infinite: the picture of the master itself."""
_XPSNR = re.compile(r"XPSNR average, (\d+) frames +y: *([\d.]+|inf)")


@dataclass(frozen=True, kw_only=True)
class Window:
    """Some pictures of a film in a row, counted in the renditions' constant frame rate."""

    first: int
    count: int


@dataclass(frozen=True, kw_only=True)
class Reference:
    """What renditions are compared with: windows of a master.

    Attributes:
        width, height: What both sides are scaled to.
        lead_s: How much earlier decoding starts; 0 where the first picture of a window need not be exact.
    """

    master: Path
    report: ProbeReport
    rate: Fraction
    windows: tuple[Window, ...]
    width: int
    height: int
    lead_s: float = LEAD_S

    @property
    def pictures(self) -> int:
        """Pictures in all windows."""
        return sum(window.count for window in self.windows)


@dataclass(frozen=True, kw_only=True)
class Quality:
    """VMAF of one rendition, 0 to 100.

    Attributes:
        percentile_5: One picture of twenty is worse than this.
        xpsnr_db: Of luma, over all pictures of the windows; None where it was not asked for.
        pictures: How many were measured.
        cpu_s: What measuring cost, in CPU seconds.
    """

    mean: float
    harmonic_mean: float
    percentile_5: float
    pictures: int
    cpu_s: float
    xpsnr_db: float | None = None


def reference_of(
    master: Path, report: ProbeReport, rate: Fraction, windows: Sequence[Window], *, lead_s: float = LEAD_S
) -> Reference:
    """Windows of a master, at the size of the largest rung that it may have: all its rungs are compared there."""
    _, width, height = fit_sizes(report.video.width, report.video.height)[-1]
    return Reference(
        master=master, report=report, rate=rate, windows=tuple(windows), width=width, height=height, lead_s=lead_s
    )


def sample_windows(film_s: float, rate: Fraction, count: int, length: int) -> tuple[Window, ...]:
    """``count`` windows of ``length`` pictures at even distances; the whole film when it has not so many."""
    pictures = max(int(film_s * rate), 1)
    if pictures <= count * length:
        return (Window(first=0, count=pictures),)
    starts = (int(pictures * (2 * number + 1) / (2 * count)) - length // 2 for number in range(count))
    return tuple(Window(first=max(first, 0), count=length) for first in starts)


def sampled_picture(reference: Reference) -> Any:
    """The windows of the master one after the other, in its own size, at the renditions' frame rate."""
    rate, pieces = reference.rate, []
    for window in reference.windows:
        lead = min(window.first, math.ceil(reference.lead_s * rate))
        # Decoders run side by side, one a window: one thread each is enough, and keeps memory small.
        source = ffmpeg.input(
            str(reference.master.resolve()),
            ss=f"{float((window.first - lead) / rate):.6f}",
            t=f"{float((lead + window.count + TAIL_PICTURES) / rate):.6f}",
            threads=1,
        )
        picture = prepared_picture(source, reference.report, rate, 0.0)
        picture = picture.filter("tpad", stop=-1, stop_mode="clone")  # a film may end a picture earlier than its sound
        picture = picture.filter("trim", start_frame=lead, end_frame=lead + window.count)
        pieces.append(_renumbered(picture, rate))
    joined = ffmpeg.concat(*pieces, v=1, a=0) if len(pieces) > 1 else pieces[0]
    return _renumbered(joined, rate)


def measure_quality(
    reference: Reference,
    files: Sequence[Path],
    folder: Path,
    *,
    every: int = 1,
    held: Sequence[Window] | None = None,
    uncounted: int = 0,
    with_xpsnr: bool = False,
) -> list[Quality]:
    """The quality of each file.

    Args:
        reference: What they were made of.
        files: Encoded video.
        folder: Scratch space for the logs.
        every: Measure one picture of so many.
        held: Where the files hold the pictures of the reference's windows; when not given, they hold nothing else.
        uncounted: How many of the measured pictures, from the first one on, are left out of what is returned.
        with_xpsnr: Measure XPSNR too.

    Raises:
        ProgramError: ffmpeg failed.
        QualityUnmeasured: It measured another number of pictures than there are.
    """
    at_once = max(PIXELS_AT_ONCE // (reference.width * reference.height), 1)
    results: list[Quality] = []
    for start in range(0, len(files), at_once):
        results += _measure(reference, files[start : start + at_once], folder, every, held, uncounted, with_xpsnr)
    return results


def pool_scores(scores: Sequence[float], cpu_s: float) -> Quality:
    """One quality from the scores of single pictures; the harmonic mean is libvmaf's, which bears zeros."""
    worst_first = sorted(scores)
    return Quality(
        mean=math.fsum(scores) / len(scores),
        harmonic_mean=len(scores) / math.fsum(1 / (score + 1) for score in scores) - 1,
        percentile_5=worst_first[int(LOW_PERCENTILE * (len(scores) - 1))],
        pictures=len(scores),
        cpu_s=cpu_s,
    )


def _measure(
    reference: Reference,
    files: Sequence[Path],
    folder: Path,
    every: int,
    held: Sequence[Window] | None,
    uncounted: int,
    with_xpsnr: bool,
) -> list[Quality]:
    command = _measure_command(reference, files, every, held, with_xpsnr)
    result = run_program(command, timeout_s=TIMEOUT_S, folder=folder)
    expected = math.ceil(reference.pictures / every)
    qualities = []
    for number, file in enumerate(files):
        log = json.loads((folder / _log_name(number)).read_bytes())
        scores = [float(frame["metrics"]["vmaf"]) for frame in log["frames"]]
        if len(scores) != expected:
            raise QualityUnmeasured(
                f"{file.name}: VMAF of {len(scores)} pictures where {expected} were asked for; "
                "the rendition and its master have not the same pictures"
            )
        quality = pool_scores(scores[uncounted:], result.cpu_s / len(files))
        if with_xpsnr:
            quality = replace(quality, xpsnr_db=_read_xpsnr(folder / _xpsnr_log_name(number), file, reference.pictures))
        qualities.append(quality)
    return qualities


def _read_xpsnr(log: Path, file: Path, expected: int) -> float:
    """The mean of ffmpeg's log."""
    found = _XPSNR.search(log.read_text(encoding="utf-8"))
    if found is None or int(found[1]) != expected:
        raise QualityUnmeasured(
            f"{file.name}: XPSNR of {found[1] if found else 'no'} pictures where {expected} were asked for; "
            "the rendition and its master have not the same pictures"
        )
    return min(float(found[2]), MOST_XPSNR_DB)


def _measure_command(
    reference: Reference, files: Sequence[Path], every: int, held: Sequence[Window] | None, with_xpsnr: bool
) -> list[str]:
    whole = scaled(sampled_picture(reference), reference.width, reference.height)
    originals = in_eight_bits(whole, reference.report.video).filter_multi_output("split", len(files))
    is_four_k = min(reference.width, reference.height) > FOUR_K_HEIGHT
    model = "version=vmaf_4k_v0.6.1" if is_four_k else "version=vmaf_v0.6.1"
    outputs = []
    for number, file in enumerate(files):
        shown = ffmpeg.input(str(file.resolve()), threads=1)["v:0"]
        if held is not None:
            wanted = "+".join(f"between(n,{window.first},{window.first + window.count - 1})" for window in held)
            shown = shown.filter("select", wanted)
        shown = _renumbered(shown, reference.rate)
        shown = scaled(shown, reference.width, reference.height, UPSCALER).filter("format", "yuv420p")
        original = originals[number]
        if with_xpsnr:  # it hands on its first input
            copies = shown.filter_multi_output("split", 2)
            shown = copies[0]
            original = ffmpeg.filter([original, copies[1]], "xpsnr", stats_file=_xpsnr_log_name(number), shortest=1)
        compared = ffmpeg.filter(
            [shown, original], "libvmaf",
            log_fmt="json", log_path=_log_name(number), n_subsample=every, model=model, shortest=1,
        )  # fmt: skip
        outputs.append(ffmpeg.output(compared, "-", f="null"))
    return compile_ffmpeg(outputs)


def _renumbered(picture: Any, rate: Fraction) -> Any:
    """Picture after picture at a constant rate, whatever the timestamps were: both sides are aligned by order."""
    return picture.filter("settb", "AVTB").filter("setpts", f"N/({rate})/TB")


def _log_name(number: int) -> str:
    return f"vmaf-{number}.json"


def _xpsnr_log_name(number: int) -> str:
    return f"xpsnr-{number}.log"
