"""How much the ladder per title saves, and what finding it costs: against Apple's fixed ladder and the full hull.

    python -m benchmarks.media_ladder --masters FOLDER [--clip NAME ...] [--preset veryfast]

Everything is really encoded and measured, with the installation's encoder and preset. For each master: the ladder per
title as the pipeline makes it (probes, encode, verification, corrections), Apple's H.264 rungs at their bit rates, and
a dense grid of sizes and rate factors whose hull is the best that any choice could have been. Bars: mean saving of at
least 20 %, at most 3 % more rate than the hull, and probing for at most a tenth of the encode's CPU on masters of a
minute or more.
"""

from __future__ import annotations

import argparse
import datetime as dt
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import av
import ffmpeg

from orchestration.media import pipeline
from orchestration.media.correction import on_target
from orchestration.media.encoders import BUFFER_S, video_options
from orchestration.media.handover import read_probed
from orchestration.media.hull import RatePoint, bd_rate, convex_hull
from orchestration.media.ladder import Ladder, VideoRung, fit_sizes
from orchestration.media.picture import in_eight_bits, prepared_picture, scaled
from orchestration.media.process import run_program
from orchestration.media.programs import find_ffmpeg
from orchestration.media.quality import Reference, measure_quality, sample_windows
from orchestration.media.reference_ladder import fitting_rungs
from orchestration.media.report import ProbeReport
from orchestration.media.settings import MediaSettings
from orchestration.store import LocalStore

HULL_CRFS = (18.0, 22.0, 26.0, 30.0, 34.0, 38.0)
MEASURED_WINDOWS = 20
WINDOW_PICTURES = 24
MEASURE_EVERY = 4
LONG_S = 60.0
MEAN_SAVING, HULL_LOSS, PROBING_SHARE = 0.20, 0.03, 0.10
TIMEOUT_S = 3600
SUFFIXES = (".mp4", ".webm", ".mkv", ".mov")


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One film encoded as a whole; ``bitrate_bps`` where it has a bit rate in place of a rate factor."""

    width: int
    height: int
    crf: float = 0.0
    bitrate_bps: int = 0


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What one master gave.

    Attributes:
        bd_rate: Against Apple's ladder; negative saves.
        hull_loss: Rate above that of the hull for the same quality.
        probing, verification: CPU of each as a share of the first encode's.
        misses: Rungs off their target after correction.
    """

    clip: str
    film_s: float
    rungs: int
    bd_rate: float
    hull_loss: float
    probing: float
    verification: float
    corrections: int
    misses: int


def main() -> None:
    """Measure every master of a folder and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--masters", type=Path, required=True, help="folder with master files")
    parser.add_argument("--clip", action="append", default=[], help="only masters whose name contains this")
    parser.add_argument("--preset", default=MediaSettings().preset, help="x264 preset")
    arguments = parser.parse_args()
    masters = [
        path
        for path in sorted(arguments.masters.iterdir())
        if path.suffix in SUFFIXES and (not arguments.clip or any(name in path.name for name in arguments.clip))
    ]
    settings = MediaSettings(preset=arguments.preset, first_rung_from_s=None)
    print(
        "clip | s | rungs | BD-rate to Apple | rate above hull | probing CPU | verification CPU | corrections | misses"
    )
    outcomes = []
    for master in masters:
        with tempfile.TemporaryDirectory(prefix="media-ladder-") as folder:
            outcomes.append(measure_master(master, settings, Path(folder)))
        print(_row(outcomes[-1]), flush=True)
    if outcomes:
        _print_bars(outcomes)


def measure_master(master: Path, settings: MediaSettings, folder: Path) -> Outcome:
    """Make a master's ladder, Apple's and the hull's grid, and compare them."""
    store, work = LocalStore(folder / "store"), folder / "work"
    pipeline.probe_title(store, "film", master, folder / "quarantine", lambda: dt.datetime.now(dt.UTC))
    pipeline.plan_title(store, "film", settings, lambda: master, work)
    verified = pipeline.encode_title_to_target(store, "film", lambda: master, settings, work)
    first, ladder = verified.encodes[0].result, verified.ladder
    assert first is not None, "the store was empty"
    rates = {record.rendition.rung: record.rendition.bitrate_bps for record in verified.encodes[-1].records}
    mine = [(float(rates[item.rung]), item.vmaf) for item in verified.delivered]

    report = read_probed(store, "film").report
    sizes = [(width, height) for _, width, height in reversed(fit_sizes(report.video.width, report.video.height))]
    grid = [Comparison(width=width, height=height, crf=crf) for width, height in sizes for crf in HULL_CRFS]
    apple = [_apple_rung(sizes[0], box, bitrate_bps) for box, bitrate_bps in fitting_rungs(*sizes[0])]
    points = _encode_and_measure(master, report, ladder, settings, [*grid, *apple], folder)
    hull = [(point.bitrate_bps, point.vmaf) for point in convex_hull(points[: len(grid)])]
    fixed = [(point.bitrate_bps, point.vmaf) for point in points[len(grid) :]]
    return Outcome(
        clip=master.name,
        film_s=ladder.duration_s,
        rungs=len(ladder.video),
        bd_rate=bd_rate(fixed, mine),
        hull_loss=bd_rate(hull, mine),
        probing=ladder.probe_cpu_s / first.cpu_s,
        verification=verified.cpu_s / first.cpu_s,
        corrections=len(verified.encodes) - 1,
        misses=sum(not on_target(rung, item.vmaf) for rung, item in zip(ladder.video, verified.delivered, strict=True)),
    )


def _apple_rung(source: tuple[int, int], box: int, bitrate_bps: int) -> Comparison:
    """One of Apple's rungs with the master's aspect: fitted into the 16:9 box, or 9:16 for an upright film."""
    width, height = source
    scale = min(box * 16 / 9 / max(source), box / min(source), 1.0)
    return Comparison(width=round(width * scale / 2) * 2, height=round(height * scale / 2) * 2, bitrate_bps=bitrate_bps)


def _encode_and_measure(
    master: Path,
    report: ProbeReport,
    ladder: Ladder,
    settings: MediaSettings,
    comparisons: Sequence[Comparison],
    folder: Path,
) -> list[RatePoint]:
    """The rate and quality of each comparison, by the encoder and with the preset of the ladder."""
    picture = in_eight_bits(
        prepared_picture(ffmpeg.input(str(master)), report, ladder.rate, ladder.duration_s), report.video
    )
    copies = picture.filter_multi_output("split", len(comparisons))
    files = [folder / f"comparison-{number}.mp4" for number in range(len(comparisons))]
    outputs = [
        ffmpeg.output(scaled(copies[number], item.width, item.height), str(file), **_options(item, ladder, settings))
        for number, (item, file) in enumerate(zip(comparisons, files, strict=True))
    ]
    merged = ffmpeg.merge_outputs(*outputs).global_args("-v", "error", "-nostats", "-nostdin")
    run_program(ffmpeg.compile(merged, cmd=find_ffmpeg(), overwrite_output=True), timeout_s=TIMEOUT_S)
    _, width, height = fit_sizes(report.video.width, report.video.height)[-1]
    windows = sample_windows(ladder.duration_s - 0.1, ladder.rate, MEASURED_WINDOWS, WINDOW_PICTURES)
    reference = Reference(master=master, report=report, rate=ladder.rate, windows=windows, width=width, height=height)
    qualities = measure_quality(reference, files, folder, every=MEASURE_EVERY, held=windows)
    return [
        RatePoint(
            width=item.width,
            height=item.height,
            crf=item.crf,
            bitrate_bps=_bitrate_bps(file, ladder.duration_s),
            vmaf=quality.mean,
        )
        for item, file, quality in zip(comparisons, files, qualities, strict=True)
    ]


def _options(item: Comparison, ladder: Ladder, settings: MediaSettings) -> dict[str, Any]:
    rung = VideoRung(rendition_id="", rung="", width=item.width, height=item.height, cap_bps=0, crf=item.crf)
    options = video_options(rung, ladder.rate, settings)
    for name in ("crf", "maxrate", "bufsize"):
        del options[name]
    if item.bitrate_bps:
        return {
            **options,
            "b:v": item.bitrate_bps,
            "maxrate": item.bitrate_bps * 2,
            "bufsize": round(item.bitrate_bps * 2 * BUFFER_S),
        }
    return {**options, "crf": item.crf}


def _bitrate_bps(file: Path, film_s: float) -> float:
    with av.open(str(file)) as container:
        return sum(packet.size for packet in container.demux(video=0)) * 8 / film_s


def _row(outcome: Outcome) -> str:
    return (
        f"{outcome.clip} | {outcome.film_s:.0f} | {outcome.rungs} | {outcome.bd_rate:+.1%} | "
        f"{outcome.hull_loss:+.1%} | {outcome.probing:.1%} | {outcome.verification:.0%} | "
        f"{outcome.corrections} | {outcome.misses}"
    )


def _print_bars(outcomes: Sequence[Outcome]) -> None:
    """The mean row and whether each bar is met."""
    saving = -fmean(outcome.bd_rate for outcome in outcomes)
    loss = fmean(outcome.hull_loss for outcome in outcomes)
    probing = max((outcome.probing for outcome in outcomes if outcome.film_s >= LONG_S), default=None)
    print(f"mean | | | {-saving:+.1%} | {loss:+.1%} | {fmean(outcome.probing for outcome in outcomes):.1%} | | | "
          f"{sum(outcome.misses for outcome in outcomes)}")  # fmt: skip
    print(f"mean saving {saving:.1%}, bar {MEAN_SAVING:.0%}: {'met' if saving >= MEAN_SAVING else 'MISSED'}")
    print(f"mean rate above the hull {loss:.1%}, bar {HULL_LOSS:.0%}: {'met' if loss <= HULL_LOSS else 'MISSED'}")
    if probing is None:
        print(f"probing on masters of a minute or more, bar {PROBING_SHARE:.0%}: no such master was measured")
    else:
        verdict = "met" if probing <= PROBING_SHARE else "MISSED"
        print(f"probing on masters of a minute or more {probing:.1%}, bar {PROBING_SHARE:.0%}: {verdict}")


if __name__ == "__main__":
    main()
