"""How much the ladder per title saves, and what finding it costs: against Apple's fixed ladder and the full hull.

    python -m benchmarks.media_ladder --masters FOLDER [--clip NAME ...] [--preset medium] [--keep FOLDER]
        [--without-hull]

Everything is really encoded and measured, with the installation's encoder and preset, on the same pictures. For each
master: the ladder per title as the pipeline makes it (probes, encode, verification, corrections), Apple's H.264 rungs
at their bit rates with a key frame every two seconds, as its specification asks, and a dense grid of all sizes and
rate factors whose hull is the best that any choice could have been. Rates are those of the video packets alone. Bars:
mean saving of at least 20 %, at most 3 % more rate than the hull, and probing for at most a tenth of the encode's CPU
on masters of a minute or more. ``--keep`` remembers what does not depend on the ladder, which is most of the work;
``--without-hull`` leaves the grid out, most of the rest.
"""

from __future__ import annotations

import argparse
import datetime as dt
import hashlib
import math
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any, get_args

import av
import ffmpeg
import msgspec
import numpy as np
from scipy.interpolate import PchipInterpolator

from orchestration.media import pipeline
from orchestration.media.clear import clear_file
from orchestration.media.correction import on_target
from orchestration.media.encoders import BUFFER_S, video_options
from orchestration.media.hull import RatePoint, bd_rate, convex_hull
from orchestration.media.ladder import FINE_BOX_HEIGHTS, Ladder, VideoRung, fit_sizes
from orchestration.media.picture import in_eight_bits, prepared_picture, scaled
from orchestration.media.process import run_program
from orchestration.media.programs import compile_ffmpeg
from orchestration.media.quality import Reference, measure_quality, reference_of, sample_windows
from orchestration.media.reference_ladder import fitting_rungs
from orchestration.media.report import ProbeReport
from orchestration.media.settings import RECIPE_VERSION, MediaSettings, Preset
from orchestration.media.title_work import TitleWork
from orchestration.media.verification import encode_title_to_target
from orchestration.store import LocalStore

APPLE_KEYFRAME_INTERVAL_S = 2.0
HULL_CRFS = (18.0, 24.0, 30.0, 36.0)
HULL_STEP = 0.5
MEASURED_WINDOWS = 20
WINDOW_PICTURES = 12
MEASURE_EVERY = 4
LONG_S = 60.0
MEAN_SAVING, HULL_LOSS, PROBING_SHARE = 0.20, 0.03, 0.10
TIMEOUT_S = 4 * 3600
SUFFIXES = (".mp4", ".webm", ".mkv", ".mov")


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """One film encoded as a whole; ``bitrate_bps`` where it has a bit rate in place of a rate factor."""

    width: int
    height: int
    crf: float = 0.0
    bitrate_bps: int = 0


@dataclass(frozen=True, kw_only=True)
class Film:
    """A master and how its renditions are measured: the same pictures of all of them."""

    master: Path
    report: ProbeReport
    ladder: Ladder
    settings: MediaSettings
    folder: Path

    @property
    def reference(self) -> Reference:
        """Windows of the master, in the size of the largest rung."""
        windows = sample_windows(self.ladder.duration_s - 0.1, self.ladder.rate, MEASURED_WINDOWS, WINDOW_PICTURES)
        return reference_of(self.master, self.report, self.ladder.rate, windows)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What one master gave.

    Attributes:
        rungs: What was delivered, largest first, beside the point that was measured here.
        reference: What Apple's rungs gave.
        bd_rate: Against Apple's ladder; negative saves.
        hull_loss: Rate above that of the hull for the same quality; None where no grid was made.
        probing, verification: CPU of each as a share of the first encode's.
        misses: Rungs off their target after correction.
    """

    clip: str
    film_s: float
    rungs: list[tuple[VideoRung, RatePoint]]
    reference: list[RatePoint]
    bd_rate: float
    hull_loss: float | None
    probing: float
    verification: float
    corrections: int
    misses: int


def main() -> None:
    """Measure every master of a folder and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--masters", type=Path, required=True, help="folder with master files")
    parser.add_argument("--clip", action="append", default=[], help="only masters whose name contains this")
    parser.add_argument("--preset", choices=get_args(Preset), default=MediaSettings().preset, help="x264 preset")
    parser.add_argument("--keep", type=Path, help="where to remember Apple's rungs and the grid")
    parser.add_argument("--without-hull", action="store_true", help="make no grid of all sizes")
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
            outcomes.append(
                measure_master(
                    master, settings, Path(folder), arguments.keep, crfs=() if arguments.without_hull else HULL_CRFS
                )
            )
        print(_row(outcomes[-1]), flush=True)
    if outcomes:
        _print_bars(outcomes)
        _print_rungs(outcomes)


def measure_master(
    master: Path, settings: MediaSettings, folder: Path, keep: Path | None = None, crfs: Sequence[float] = HULL_CRFS
) -> Outcome:
    """Make a master's ladder, Apple's and the hull's grid of these rate factors, and compare them."""
    store = LocalStore(folder / "store")
    work = TitleWork(
        store=store, title_id="film", master=lambda: master, settings=settings, work_folder=folder / "work"
    )
    pipeline.probe_title(work, folder / "quarantine", lambda: dt.datetime.now(dt.UTC))
    pipeline.plan_title(work)
    verified = encode_title_to_target(work)
    first, ladder = verified.encodes[0].result, verified.ladder
    assert first is not None, "the store was empty"
    film = Film(master=master, report=work.read_probed().report, ladder=ladder, settings=settings, folder=folder)
    records = {record.rendition.rung: record for record in verified.encodes[-1].records}
    mine = _measure(
        film,
        [Comparison(width=rung.width, height=rung.height, crf=rung.crf) for rung in ladder.video],
        [clear_file(store, "film", records[rung.rung], folder, None) for rung in ladder.video],
    )
    apple = _measured(film, _apple_rungs(film), keep)
    # All sizes of one rate factor at once: one decode serves many encoders, and memory holds that many.
    grid = [point for crf in crfs for point in _measured(film, _grid(film, crf), keep)]
    return Outcome(
        clip=master.name,
        film_s=ladder.duration_s,
        rungs=list(zip(ladder.video, mine, strict=True)),
        reference=apple,
        bd_rate=bd_rate(_rates(apple), _rates(mine)),
        hull_loss=bd_rate(_rates(convex_hull(_dense(grid))), _rates(mine)) if grid else None,
        probing=ladder.probe_cpu_s / first.cpu_s,
        verification=verified.cpu_s / first.cpu_s,
        corrections=len(verified.encodes) - 1,
        misses=sum(not on_target(rung, item.vmaf) for rung, item in zip(ladder.video, verified.delivered, strict=True)),
    )


def _apple_rungs(film: Film) -> list[Comparison]:
    video = film.report.video
    return [
        Comparison(width=width, height=height, bitrate_bps=bitrate_bps)
        for width, height, bitrate_bps in fitting_rungs(video.width, video.height)
    ]


def _grid(film: Film, crf: float) -> list[Comparison]:
    """Every size that a ladder may have, at one rate factor."""
    video = film.report.video
    sizes = fit_sizes(video.width, video.height, FINE_BOX_HEIGHTS)
    return [Comparison(width=width, height=height, crf=crf) for _, width, height in sizes]


def _measured(film: Film, comparisons: Sequence[Comparison], keep: Path | None) -> list[RatePoint]:
    """What films encoded as a whole give: measured now, or read from where it was kept."""
    if keep is None:
        return _encode_and_measure(film, comparisons)
    what = [film.ladder.source_sha256, film.settings, RECIPE_VERSION, comparisons, film.reference.windows]
    file = keep / f"{film.master.stem}-{hashlib.sha256(msgspec.json.encode(what)).hexdigest()[:16]}.json"
    if not file.exists():
        points = _encode_and_measure(film, comparisons)
        keep.mkdir(parents=True, exist_ok=True)
        file.write_bytes(msgspec.json.encode(points))
    return msgspec.json.decode(file.read_bytes(), type=list[RatePoint])


def _dense(grid: Sequence[RatePoint]) -> list[RatePoint]:
    """The grid with rate factors between the measured ones, so that its hull has no corners where none are."""
    steps = np.arange(HULL_CRFS[0], HULL_CRFS[-1] + HULL_STEP / 2, HULL_STEP)
    dense = []
    for width, height in dict.fromkeys((point.width, point.height) for point in grid):
        mine = sorted(
            (point for point in grid if (point.width, point.height) == (width, height)), key=lambda point: point.crf
        )
        curve = PchipInterpolator(
            [point.crf for point in mine], [(math.log(point.bitrate_bps), point.vmaf) for point in mine]
        )
        dense += [
            RatePoint(width=width, height=height, crf=float(crf), bitrate_bps=math.exp(log_rate), vmaf=float(vmaf))
            for crf, (log_rate, vmaf) in zip(steps, curve(steps), strict=True)
        ]
    return dense


def _encode_and_measure(film: Film, comparisons: Sequence[Comparison]) -> list[RatePoint]:
    """The rate and quality of each comparison, by the encoder and with the preset of the ladder."""
    ladder, report = film.ladder, film.report
    picture = in_eight_bits(
        prepared_picture(ffmpeg.input(str(film.master)), report, ladder.rate, ladder.duration_s), report.video
    )
    copies = picture.filter_multi_output("split", len(comparisons))
    files = [film.folder / f"comparison-{number}.mp4" for number in range(len(comparisons))]
    outputs = [
        ffmpeg.output(
            scaled(copies[number], item.width, item.height), str(file), **_options(item, ladder, film.settings)
        )
        for number, (item, file) in enumerate(zip(comparisons, files, strict=True))
    ]
    run_program(compile_ffmpeg(outputs), timeout_s=TIMEOUT_S)
    return _measure(film, comparisons, files)


def _measure(film: Film, comparisons: Sequence[Comparison], files: Sequence[Path]) -> list[RatePoint]:
    reference = film.reference
    qualities = measure_quality(reference, files, film.folder, every=MEASURE_EVERY, held=reference.windows)
    return [
        RatePoint(
            width=item.width,
            height=item.height,
            crf=item.crf,
            bitrate_bps=_bitrate_bps(file, film.ladder.duration_s),
            vmaf=quality.mean,
        )
        for item, file, quality in zip(comparisons, files, qualities, strict=True)
    ]


def _options(item: Comparison, ladder: Ladder, settings: MediaSettings) -> dict[str, Any]:
    rung = VideoRung(rendition_id="", rung="", width=item.width, height=item.height, cap_bps=0, crf=item.crf)
    if item.bitrate_bps:
        settings = msgspec.structs.replace(settings, keyframe_interval_s=APPLE_KEYFRAME_INTERVAL_S)
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


def _rates(points: Sequence[RatePoint]) -> list[tuple[float, float]]:
    return [(point.bitrate_bps, point.vmaf) for point in points]


def _row(outcome: Outcome) -> str:
    return (
        f"{outcome.clip} | {outcome.film_s:.0f} | {len(outcome.rungs)} | {outcome.bd_rate:+.1%} | "
        f"{_percent(outcome.hull_loss)} | {outcome.probing:.1%} | {outcome.verification:.0%} | "
        f"{outcome.corrections} | {outcome.misses}"
    )


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:+.1%}"


def _print_rungs(outcomes: Sequence[Outcome]) -> None:
    """Each ladder and Apple's, rung by rung."""
    print("clip | rung | size | CRF | kbit/s | VMAF | target")
    for outcome in outcomes:
        for rung, point in outcome.rungs:
            target = " ".join(filter(None, (f"{rung.target_vmaf:.1f}", rung.limit, rung.shortfall and "short")))
            print(
                f"{outcome.clip} | {rung.rung} | {rung.width}x{rung.height} | {rung.crf:g} | "
                f"{point.bitrate_bps / 1000:.0f} | {point.vmaf:.1f} | {target}"
            )
        for point in outcome.reference:
            print(
                f"{outcome.clip} | Apple | {point.width}x{point.height} | | {point.bitrate_bps / 1000:.0f} | "
                f"{point.vmaf:.1f} | "
            )


def _print_bars(outcomes: Sequence[Outcome]) -> None:
    """The mean row and whether each bar is met."""
    saving = -fmean(outcome.bd_rate for outcome in outcomes)
    losses = [outcome.hull_loss for outcome in outcomes if outcome.hull_loss is not None]
    loss = fmean(losses) if losses else None
    probing = max((outcome.probing for outcome in outcomes if outcome.film_s >= LONG_S), default=None)
    print(f"mean | | | {-saving:+.1%} | {_percent(loss)} | {fmean(outcome.probing for outcome in outcomes):.1%} | | | "
          f"{sum(outcome.misses for outcome in outcomes)}")  # fmt: skip
    print(f"mean saving {saving:.1%}, bar {MEAN_SAVING:.0%}: {'met' if saving >= MEAN_SAVING else 'MISSED'}")
    if loss is None:
        print(f"mean rate above the hull, bar {HULL_LOSS:.0%}: no grid was made")
    else:
        print(f"mean rate above the hull {loss:.1%}, bar {HULL_LOSS:.0%}: {'met' if loss <= HULL_LOSS else 'MISSED'}")
    if probing is None:
        print(f"probing on masters of a minute or more, bar {PROBING_SHARE:.0%}: no such master was measured")
    else:
        verdict = "met" if probing <= PROBING_SHARE else "MISSED"
        print(f"probing on masters of a minute or more {probing:.1%}, bar {PROBING_SHARE:.0%}: {verdict}")


if __name__ == "__main__":
    main()
