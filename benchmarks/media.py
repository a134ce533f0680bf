"""What an encode costs beyond its encoders: ``python -m benchmarks.media [--master FILE]``.

One run measures, for one master and the fixed ladder:

- CPU of the whole ladder (decode once, cascaded scaling, all encoders) against the encoders alone. Alone means: the
  same encoder with the same options, one rung at a time, fed with raw pictures through a pipe by another process that
  decodes and scales; from its CPU that of reading the same pipe without encoding is taken off.
- how busy the ladder keeps the cores, as CPU seconds per second and core;
- what everything around ffmpeg costs: planning, storing, joining and cutting, by the pipeline's own encode step;
- the peak memory of ffmpeg for the master and for one twice as long.

The bars: 1.10 times the encoders, 90 % of two cores, the same memory. Other work on the machine makes every figure
worse, the cores' most of all, so the load is printed too.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from orchestration.media import pipeline
from orchestration.media.encode import encode_command
from orchestration.media.encoders import video_options
from orchestration.media.handover import read_ladder
from orchestration.media.ladder import Ladder, VideoRung
from orchestration.media.picture import SCALER
from orchestration.media.probe import probe_file
from orchestration.media.process import run_program
from orchestration.media.programs import find_ffmpeg
from orchestration.media.report import ProbeReport
from orchestration.media.settings import MediaSettings
from orchestration.store import LocalStore

CPU_BAR = 1.10
BUSY_BAR = 0.90
MEMORY_BAR = 1.05
CORES = 2
TIMEOUT_S = 3600


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What one or more processes used."""

    cpu_s: float
    wall_s: float
    peak_mib: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; returns 0 when all bars are met."""
    options = _parse(arguments)
    settings = MediaSettings(ladder="fixed", preset=options.preset, max_rungs=4, quality_frames=0)
    with tempfile.TemporaryDirectory(prefix="matinee-benchmark-", dir=options.folder) as name:
        folder = Path(name)
        master = options.master or make_master(folder / "master.mp4", options.seconds)
        return measure(master, settings, folder)


def measure(master: Path, settings: MediaSettings, folder: Path) -> int:
    """All measurements of one master, printed as they are known."""
    store = LocalStore(folder / "store")
    pipeline.probe_title(store, "film", master, folder / "quarantine", lambda: dt.datetime.now(dt.UTC))
    pipeline.plan_title(store, "film", settings)
    ladder, report = read_ladder(store, "film"), probe_file(master)
    rungs = ", ".join(f"{rung.width}x{rung.height}" for rung in ladder.video)
    print(f"{master.name}: {ladder.duration_s:.1f} s at {ladder.frame_rate} to {rungs}, x264 {settings.preset}")
    print(f"load before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n")

    whole = encode_whole(master, report, ladder, settings, folder)
    alone = {rung.rung: encode_alone(master, rung, ladder, settings, folder) for rung in ladder.video}
    encoders_cpu_s = sum(alone.values())
    around_cpu_s, around_wall_s, sound_cpu_s = measure_around(store, master, settings, folder)
    quick = msgspec.structs.replace(settings, preset="ultrafast")
    longer = make_longer(master, folder / "longer.mkv")
    short_peak_mib = encode_whole(master, report, ladder, quick, folder).peak_mib
    long_report = probe_file(longer)
    long_ladder = msgspec.structs.replace(ladder, duration_s=long_report.video.duration_s)
    long_peak_mib = encode_whole(longer, long_report, long_ladder, quick, folder).peak_mib

    ratio, busy, growth = (
        whole.cpu_s / encoders_cpu_s, whole.cpu_s / (whole.wall_s * CORES), long_peak_mib / short_peak_mib,
    )  # fmt: skip
    rows = [
        ("whole ladder, CPU s", f"{whole.cpu_s:.1f}", ""),
        *((f"  encoder alone, {name}, CPU s", f"{cpu_s:.1f}", "") for name, cpu_s in alone.items()),
        ("encoders alone, CPU s", f"{encoders_cpu_s:.1f}", ""),
        ("whole ladder / encoders alone", f"{ratio:.3f}", _verdict(f"<= {CPU_BAR:.2f}", ratio <= CPU_BAR)),
        (f"busy, of {CORES} cores", f"{busy:.0%}", _verdict(f">= {BUSY_BAR:.0%}", busy >= BUSY_BAR)),
        ("peak memory, MiB", f"{short_peak_mib:.0f}", ""),
        ("peak memory, master twice as long, MiB", f"{long_peak_mib:.0f}", ""),
        ("growth", f"{growth:.2f}", _verdict(f"<= {MEMORY_BAR:.2f}", growth <= MEMORY_BAR)),
        ("apart: sound, CPU s", f"{sound_cpu_s:.1f}", ""),
        ("apart: planning, storing, cutting, CPU s", f"{around_cpu_s:.1f}", ""),
        ("apart: planning, storing, cutting, wall s", f"{around_wall_s:.1f}", ""),
    ]
    width = max(len(row[0]) for row in rows)
    for label, value, verdict in rows:
        print(f"{label:<{width}}  {value:>8}  {verdict}")
    print(f"\nload after: {os.getloadavg()[0]:.1f}")
    return 0 if ratio <= CPU_BAR and busy >= BUSY_BAR and growth <= MEMORY_BAR else 1


def encode_whole(master: Path, report: ProbeReport, ladder: Ladder, settings: MediaSettings, folder: Path) -> Usage:
    """The ladder's video rungs as the encode step makes them, in one process."""
    files = {rung.rendition_id: folder / f"{rung.rendition_id}.mp4" for rung in ladder.video}
    return run_measured([encode_command(master, report, ladder, settings, files)])


def encode_alone(master: Path, rung: VideoRung, ladder: Ladder, settings: MediaSettings, folder: Path) -> float:
    """CPU seconds of one rung's encoder by itself."""
    feed = [
        find_ffmpeg(), "-v", "error", "-nostdin", "-i", str(master), "-an", "-sn", "-vf",
        f"fps={ladder.frame_rate}:start_time=0,scale={rung.width}:{rung.height}:flags={SCALER},format=yuv420p",
        "-f", "rawvideo", "-",
    ]  # fmt: skip
    take = [
        find_ffmpeg(), "-v", "error", "-f", "rawvideo", "-pixel_format", "yuv420p", "-video_size",
        f"{rung.width}x{rung.height}", "-framerate", ladder.frame_rate, "-i", "-",
    ]  # fmt: skip
    encoder: list[str] = []
    for name, value in video_options(rung, ladder.rate, settings).items():
        encoder += [f"-{name}", str(value)]
    target = folder / "alone.mp4"
    encoded = run_measured([feed, [*take, *encoder, "-y", str(target)]])
    read = run_measured([feed, [*take, "-f", "null", "-"]])
    return encoded.cpu_s - read.cpu_s


def measure_around(
    store: LocalStore, master: Path, settings: MediaSettings, folder: Path
) -> tuple[float, float, float]:
    """CPU and wall seconds of the encode step beside ffmpeg's, and the CPU seconds of sound.

    The encoders work at their fastest here: what is around them does not depend on it.
    """
    quick = msgspec.structs.replace(settings, preset="ultrafast")
    ladder = pipeline.plan_title(store, "film", quick)
    silent = msgspec.structs.replace(ladder, audio=[])
    started, before = time.monotonic(), _cpu_s()
    encoded = pipeline.encode_title(store, "film", lambda: master, quick, folder / "work", ladder=silent)
    cpu_s, wall_s = _cpu_s() - before, time.monotonic() - started
    assert encoded.result is not None
    sound = pipeline.encode_title(store, "film", lambda: master, quick, folder / "work").result
    return cpu_s - encoded.result.cpu_s, wall_s - encoded.result.wall_s, sound.cpu_s if sound else 0.0


def run_measured(commands: Sequence[Sequence[str]]) -> Usage:
    """Run a pipe of programs; what the last one used.

    Raises:
        RuntimeError: One failed.
    """
    started = time.monotonic()
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
    return Usage(
        cpu_s=usage.ru_utime + usage.ru_stime, wall_s=time.monotonic() - started, peak_mib=usage.ru_maxrss / 1024
    )


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


def make_longer(master: Path, path: Path) -> Path:
    """The picture of a master twice, one after the other."""
    command = [
        find_ffmpeg(), "-v", "error", "-y", "-stream_loop", "1", "-i", str(master), "-map", "0:v:0", "-c", "copy",
        str(path),
    ]  # fmt: skip
    run_program(command, timeout_s=TIMEOUT_S)
    return path


def _cpu_s() -> float:
    """Of this process and its ended children."""
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _verdict(bar: str, met: bool) -> str:
    return f"{bar}: {'met' if met else 'MISSED'}"


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="CPU, cores and memory of an encode against its encoders alone.")
    parser.add_argument("--master", type=Path, help="the film to encode; a generated one when not given")
    parser.add_argument("--seconds", type=float, default=24.0, help="length of the generated master")
    parser.add_argument("--preset", default="veryfast", help="x264 preset")
    parser.add_argument("--folder", type=Path, help="where scratch space is made")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
