"""What an encode costs beyond its encoders: ``python -m benchmarks.media [--master FILE] [--repeat TIMES]``.

One run measures, for one master, the fixed ladder and the preset that production uses:

- CPU of the whole ladder against the encoders alone. The ladder is made by the pipeline's own encode step, chunk by
  chunk: its ffmpeg processes decode, scale in a cascade, encode all rungs and write files, and all of that counts.
  Alone means: the same encoder with the same options and number of threads, one rung at a time over the whole film, fed
  through a pipe with the very pictures that the cascade makes (another process decodes and scales them, and does not
  count), less what reading the same pipe without encoding costs. The sizes of both results are held against each
  other; they differ a little by containers, and where chunks join.
- apart: what is around ffmpeg in that step (planning, storing, joining, cutting into segments), and sound.
- how busy the ladder keeps two cores: CPU seconds per second and core. On a machine with other work that says little,
  so the share of moments at which its threads wanted two cores, whether they got them or not, stands beside it.
- the peak memory of one encode of the master and of one twice as long, at the fastest preset.

The bars: 1.10 times the encoders, 90 % of two cores, the same memory. The load is printed too. ``--repeat`` takes the
picture of a short master several times over: a film of one stretch cannot keep two cores busy all the time.

``--first-rung`` measures something else: how long a master of ten minutes takes from its landing until something of it
can be played, once for a delivery that players can play as it is, and once for one that must be encoded.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

import ffmpeg
import msgspec

from orchestration.media import pipeline
from orchestration.media.encode import cascade, encode_command
from orchestration.media.encoders import video_options
from orchestration.media.ladder import Ladder, VideoRung
from orchestration.media.picture import prepared_picture
from orchestration.media.probe import probe_file
from orchestration.media.process import run_program
from orchestration.media.programs import find_ffmpeg
from orchestration.media.progressive import publish_first_rung
from orchestration.media.report import ProbeReport
from orchestration.media.settings import MediaSettings, Preset
from orchestration.media.title_encode import encode_title, find_chunks
from orchestration.media.title_work import TitleWork
from orchestration.store import LocalStore

CPU_BAR = 1.10
BUSY_BAR = 0.90
MEMORY_BAR = 1.05
FIRST_RUNG_GOAL_S = 10.0
CORES = 2
TIMEOUT_S = 7200
SAMPLE_S = 0.25
SAME_SIZE = 0.02


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What a program used."""

    cpu_s: float
    peak_mib: float


@dataclass(kw_only=True)
class Watched:
    """How many of two cores the programs that this process started wanted, moment by moment.

    Attributes:
        own_cpu_s: What watching cost.
    """

    wanted: list[int] = field(default_factory=list)
    own_cpu_s: float = 0.0

    @property
    def share(self) -> float:
        """Of two cores."""
        return sum(self.wanted) / (len(self.wanted) * CORES) if self.wanted else 0.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; returns 0 when all bars are met."""
    options = _parse(arguments)
    settings = MediaSettings(ladder="fixed", preset=options.preset, quality_frames=0)
    with tempfile.TemporaryDirectory(prefix="matinee-benchmark-", dir=options.folder) as name:
        folder = Path(name)
        if options.first_rung:
            return measure_first_rungs(settings, folder)
        master = options.master or make_master(folder / "master.mp4", options.seconds)
        if options.repeat > 1:
            master = repeat_picture(master, folder / f"{master.stem}-{options.repeat}-times.mkv", options.repeat)
        return measure(master, settings, folder)


def measure(master: Path, settings: MediaSettings, folder: Path) -> int:
    """All measurements of one master, printed as they are known."""
    work = _work("film", master, settings, folder)
    pipeline.probe_title(work, folder / "quarantine", lambda: dt.datetime.now(dt.UTC))
    ladder, report = pipeline.plan_title(work), work.read_probed().report
    silent = msgspec.structs.replace(ladder, audio=[])
    chunks = len(find_chunks(work))
    rungs = ", ".join(f"{rung.width}x{rung.height}" for rung in ladder.video)
    print(f"{master.name}: {ladder.duration_s:.1f} s at {ladder.frame_rate} to {rungs}, x264 {settings.preset}")
    print(f"{chunks} chunk(s); load before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n")

    started, before_s = time.monotonic(), _cpu_s()
    with watch() as watched:
        encoded = encode_title(work, ladder=silent)
    around_cpu_s, around_wall_s = _cpu_s() - before_s - watched.own_cpu_s, time.monotonic() - started
    whole = encoded.result
    assert whole is not None
    sizes_bytes = {record.rendition.rung: record.size_bytes for record in encoded.records}
    sound = encode_title(work).result
    alone = {
        rung.rung: encode_alone(master, report, rung, ladder, settings, folder, sizes_bytes[rung.rung])
        for rung in ladder.video
    }
    encoders_cpu_s = sum(alone.values())
    short_peak_mib, long_peak_mib = measure_memory(master, report, ladder, settings, folder)

    ratio, busy, growth = (
        whole.cpu_s / encoders_cpu_s, whole.cpu_s / (whole.wall_s * CORES), long_peak_mib / short_peak_mib,
    )  # fmt: skip
    rows = [
        ("whole ladder, CPU s", f"{whole.cpu_s:.1f}", ""),
        *((f"  encoder alone, {name}, CPU s", f"{cpu_s:.1f}", "") for name, cpu_s in alone.items()),
        ("encoders alone, CPU s", f"{encoders_cpu_s:.1f}", ""),
        ("whole ladder / encoders alone", f"{ratio:.3f}", _verdict(f"<= {CPU_BAR:.2f}", ratio <= CPU_BAR)),
        (f"busy, of {CORES} cores", f"{busy:.0%}", _verdict(f">= {BUSY_BAR:.0%}", busy >= BUSY_BAR)),
        (f"moments at which it wanted {CORES} cores", f"{watched.share:.0%}", ""),
        ("peak memory, fastest preset, MiB", f"{short_peak_mib:.0f}", ""),
        ("peak memory, master twice as long, MiB", f"{long_peak_mib:.0f}", ""),
        ("growth", f"{growth:.2f}", _verdict(f"<= {MEMORY_BAR:.2f}", growth <= MEMORY_BAR)),
        ("apart: sound, CPU s", f"{sound.cpu_s if sound else 0.0:.1f}", ""),
        ("apart: planning, storing, cutting, CPU s", f"{around_cpu_s - whole.cpu_s:.1f}", ""),
        ("apart: planning, storing, cutting, wall s", f"{around_wall_s - whole.wall_s:.1f}", ""),
    ]
    _print_table(rows)
    print(f"\nload after: {os.getloadavg()[0]:.1f}")
    return 0 if ratio <= CPU_BAR and busy >= BUSY_BAR and growth <= MEMORY_BAR else 1


def encode_alone(
    master: Path,
    report: ProbeReport,
    rung: VideoRung,
    ladder: Ladder,
    settings: MediaSettings,
    folder: Path,
    size_bytes: int,
) -> float:
    """CPU seconds of one rung's encoder by itself.

    Raises:
        RuntimeError: It made another film than the ladder's encode did, which took ``size_bytes``.
    """
    prepared = prepared_picture(ffmpeg.input(str(master)), report, ladder.rate, ladder.duration_s)
    [(_, picture)] = cascade(prepared, report.video, ladder.video, {rung.rendition_id})
    fed = ffmpeg.output(picture, "pipe:1", f="rawvideo", pix_fmt="yuv420p").global_args("-v", "error", "-nostdin")
    feed = ffmpeg.compile(fed, cmd=find_ffmpeg())
    take = [
        find_ffmpeg(), "-v", "error", "-f", "rawvideo", "-pixel_format", "yuv420p", "-video_size",
        f"{rung.width}x{rung.height}", "-framerate", ladder.frame_rate, "-i", "pipe:0",
    ]  # fmt: skip
    encoder: list[str] = []
    for name, value in video_options(rung, ladder.rate, settings).items():
        encoder += [f"-{name}", str(value)]
    target = folder / "alone.mp4"
    encoded = run_measured([feed, [*take, *encoder, "-y", str(target)]])
    read = run_measured([feed, [*take, "-f", "null", "-"]])
    if abs(target.stat().st_size / size_bytes - 1) > SAME_SIZE:
        raise RuntimeError(f"{rung.rung} alone takes {target.stat().st_size} bytes, in the ladder {size_bytes}")
    return encoded.cpu_s - read.cpu_s


def measure_memory(
    master: Path, report: ProbeReport, ladder: Ladder, settings: MediaSettings, folder: Path
) -> tuple[float, float]:
    """Peak MiB of one ffmpeg process for the whole master, and for one twice as long."""
    quick = msgspec.structs.replace(settings, preset="ultrafast")
    files = {rung.rendition_id: folder / f"{rung.rendition_id}.mp4" for rung in ladder.video}
    longer = repeat_picture(master, folder / "longer.mkv", 2)
    long_report = probe_file(longer)
    long_ladder = msgspec.structs.replace(ladder, duration_s=long_report.video.duration_s)
    short = run_measured([encode_command(master, report, ladder, quick, files)])
    long = run_measured([encode_command(longer, long_report, long_ladder, quick, files)])
    return short.peak_mib, long.peak_mib


def measure_first_rungs(settings: MediaSettings, folder: Path) -> int:
    """How long until two masters of ten minutes can be played; returns 0 when both reach the goal."""
    print(f"load before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n")
    playable = make_ten_minutes(folder / "playable.mp4", folder, "yuv420p")
    foreign = make_ten_minutes(folder / "foreign.mkv", folder, "yuv420p10le")
    rows, met = [], True
    for title_id, master in (("playable", playable), ("foreign", foreign)):
        work = _work(title_id, master, settings, folder)
        started, before_s = time.monotonic(), _cpu_s()
        pipeline.probe_title(work, folder / "quarantine", lambda: dt.datetime.now(dt.UTC))
        probed_wall_s, probed_s = time.monotonic() - started, _cpu_s() - before_s
        first = publish_first_rung(work, lambda: dt.datetime.now(dt.UTC))
        wall_s, cpu_s = time.monotonic() - started, _cpu_s() - before_s
        assert first is not None
        reached = first.packaged.published and wall_s <= FIRST_RUNG_GOAL_S
        met &= reached
        served = ", ".join(item.rung for item in first.packaged.record.renditions)
        rows += [
            (f"{master.name}, {master.stat().st_size / 1e6:.0f} MB", "", f"serves {served}"),
            ("  probe, CPU s | wall s", f"{probed_s:.1f} | {probed_wall_s:.1f}", ""),
            ("  landing to playable, CPU s", f"{cpu_s:.1f}", ""),
            ("  landing to playable, wall s", f"{wall_s:.1f}", _verdict(f"<= {FIRST_RUNG_GOAL_S:.0f}", reached)),
        ]
    _print_table(rows)
    print(f"\nload after: {os.getloadavg()[0]:.1f}")
    return 0 if met else 1


def run_measured(commands: Sequence[Sequence[str]]) -> Usage:
    """Run a pipe of programs; what the last one used.

    Raises:
        RuntimeError: One failed.
    """
    processes: list[subprocess.Popen[bytes]] = []
    for number, command in enumerate(commands):
        source = processes[-1].stdout if processes else subprocess.DEVNULL
        target = subprocess.PIPE if number < len(commands) - 1 else subprocess.DEVNULL
        processes.append(subprocess.Popen(command, stdin=source, stdout=target))
        if processes[:-1]:
            feeding = processes[-2].stdout
            assert feeding is not None
            feeding.close()  # the last process alone holds it, so that a feeder ends with who it feeds
    _, status, usage = os.wait4(processes[-1].pid, 0)
    processes[-1].returncode = os.waitstatus_to_exitcode(status)
    codes = [process.wait() for process in processes]
    if any(codes):
        raise RuntimeError(f"a measured program failed: {' '.join(commands[-1][:3])} ..., exit codes {codes}")
    return Usage(cpu_s=usage.ru_utime + usage.ru_stime, peak_mib=usage.ru_maxrss / 1024)


@contextlib.contextmanager
def watch() -> Iterator[Watched]:
    """Look at the programs that this process starts, four times a second; moments without any do not count."""
    watched, stop = Watched(), threading.Event()

    def look() -> None:
        while not stop.wait(SAMPLE_S):
            programs = _descendants(os.getpid())
            if programs:
                watched.wanted.append(min(sum(_runnable_threads(pid) for pid in programs), CORES))
        watched.own_cpu_s = time.thread_time()

    thread = threading.Thread(target=look, name="watch")
    thread.start()
    try:
        yield watched
    finally:
        stop.set()
        thread.join()


def make_master(path: Path, seconds: float) -> Path:
    """A 1080p master with motion, edges and some grain."""
    command = [
        find_ffmpeg(), "-v", "error", "-y",
        "-f", "lavfi", "-i", f"testsrc2=s=1920x1080:r=25:d={seconds},noise=alls=8:allf=t:all_seed=3",
        "-f", "lavfi", "-i", f"sine=f=330:b=2:r=48000:d={seconds}",
        "-c:v", "libx264", "-preset", "veryfast", "-crf", "20", "-pix_fmt", "yuv420p", "-c:a", "aac", str(path),
    ]  # fmt: skip
    run_program(command, timeout_s=TIMEOUT_S)
    return path


def repeat_picture(master: Path, path: Path, times: int) -> Path:
    """The picture of a master several times, one after the other."""
    command = [
        find_ffmpeg(), "-v", "error", "-y", "-stream_loop", str(times - 1), "-i", str(master), "-map", "0:v:0",
        "-c", "copy", str(path),
    ]  # fmt: skip
    run_program(command, timeout_s=TIMEOUT_S)
    return path


def make_ten_minutes(path: Path, folder: Path, pixel_format: str) -> Path:
    """A 1080p master of ten minutes at 6 Mbit/s: twenty seconds over and over, with sound."""
    part = folder / f"part{path.suffix}"
    command = [
        find_ffmpeg(), "-v", "error", "-y", "-f", "lavfi", "-i",
        "testsrc2=s=1920x1080:r=25:d=20,noise=alls=4:allf=t:all_seed=3", "-c:v", "libx264", "-preset", "ultrafast",
        "-b:v", "6M", "-maxrate", "8M", "-bufsize", "12M", "-g", "50", "-pix_fmt", pixel_format, str(part),
    ]  # fmt: skip
    run_program(command, timeout_s=TIMEOUT_S)
    command = [
        find_ffmpeg(), "-v", "error", "-y", "-stream_loop", "29", "-i", str(part), "-f", "lavfi", "-i",
        "sine=f=330:b=2:r=48000:d=600", "-map", "0:v", "-map", "1:a", "-c:v", "copy", "-c:a", "aac", str(path),
    ]  # fmt: skip
    run_program(command, timeout_s=TIMEOUT_S)
    return path


def _work(title_id: str, master: Path, settings: MediaSettings, folder: Path) -> TitleWork:
    return TitleWork(
        store=LocalStore(folder / f"store-{title_id}"),
        title_id=title_id,
        master=lambda: master,
        settings=settings,
        work_folder=folder / "work",
    )


def _descendants(pid: int) -> list[int]:
    """Processes that a process started, and those that they started."""
    children: dict[int, list[int]] = defaultdict(list)
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            children[int(stat.read_text().rpartition(")")[2].split()[1])].append(int(stat.parent.name))
    found = list(children[pid])
    for child in found:
        found += children[child]
    return found


def _runnable_threads(pid: int) -> int:
    count = 0
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            count += (task / "stat").read_text().rpartition(")")[2].split()[0] == "R"
    return count


def _cpu_s() -> float:
    """Of this process and its ended children."""
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _verdict(bar: str, met: bool) -> str:
    return f"{bar}: {'met' if met else 'MISSED'}"


def _print_table(rows: Sequence[tuple[str, str, str]]) -> None:
    width = max(len(row[0]) for row in rows)
    for label, value, remark in rows:
        print(f"{label:<{width}}  {value:>12}  {remark}")


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="CPU, cores and memory of an encode against its encoders alone.")
    parser.add_argument("--master", type=Path, help="the film to encode; a generated one when not given")
    parser.add_argument("--seconds", type=float, default=24.0, help="length of the generated master")
    parser.add_argument("--repeat", type=int, default=1, help="take the master's picture so many times over")
    parser.add_argument(
        "--preset",
        choices=get_args(Preset),
        default=MediaSettings().preset,
        help="x264 preset; production's when not given",
    )
    parser.add_argument("--first-rung", action="store_true", help="measure the time to the first playable rung instead")
    parser.add_argument("--folder", type=Path, help="where scratch space is made")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
