"""The one runner of external programs (ffmpeg, the packager).

A program runs in its own process group and never outlives the call: whether it ends, fails, takes too long, or the call
is cancelled by any exception (Ctrl-C, a cancelled Dagster run), its whole group is gone when the call returns. If this
process is killed outright, the kernel kills the program (`tether.py`). Which program to run with which arguments is
none of this module's business.
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

from orchestration.media.errors import ProgramCancelled, ProgramFailed, ProgramMissing, ProgramTimedOut

LAST_LINES = 20
POLL_S = 0.05
TETHER = Path(__file__).with_name("tether.py")


_stop: ContextVar[threading.Event | None] = ContextVar("stop", default=None)


@contextmanager
def cancelled_by(stop: threading.Event) -> Iterator[None]:
    """Programs that run inside are ended when ``stop`` is set, from whichever thread."""
    token = _stop.set(stop)
    try:
        yield
    finally:
        _stop.reset(token)


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far ffmpeg is.

    Attributes:
        position_s: Output written so far, in seconds of film.
        fraction: Of the expected duration, 0 to 1; None when that is not known.
        fps: Frames per second of wall time.
        speed: Seconds of film per second of wall time.
        eta_s: Seconds of wall time left; None when not known.
    """

    position_s: float
    fraction: float | None
    fps: float
    speed: float
    eta_s: float | None


@dataclass(frozen=True, kw_only=True)
class ProgramResult:
    """What a program that succeeded used and said."""

    wall_s: float
    cpu_s: float
    last_lines: list[str]


def run_program(
    command: Sequence[str],
    *,
    timeout_s: float,
    folder: Path | None = None,
    expected_duration_s: float | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    on_error_line: Callable[[str], None] | None = None,
) -> ProgramResult:
    """Run a program to its end.

    Args:
        command: Program (an absolute path) and arguments.
        timeout_s: When to kill it, in seconds of wall time.
        folder: Its working folder.
        expected_duration_s: Length of the film that it writes, for fractions and the time left.
        on_progress: Called for each block of ``ffmpeg -progress pipe:1``.
        on_error_line: Called for each line of standard error.

    Raises:
        ProgramMissing: There is no such program.
        ProgramFailed: It ended with an error; the message holds its last lines.
        ProgramTimedOut: It was killed because it took too long.
        ProgramCancelled: It was killed because `cancelled_by` said so.
    """
    name = Path(command[0]).name
    if not os.access(command[0], os.X_OK):
        raise ProgramMissing(f"{command[0]} is no program; see orchestration/media/programs.py for how it is found")
    last_lines: deque[str] = deque(maxlen=LAST_LINES)
    progress = _ProgressParser(expected_duration_s, on_progress)

    def take_error_line(line: str) -> None:
        last_lines.append(line)
        if on_error_line is not None:
            on_error_line(line)

    started = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", str(TETHER), str(os.getpid()), *command],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        in_time = _follow(process, progress.take_line, take_error_line, deadline=started + timeout_s, stop=_stop.get())
    finally:
        exit_code, cpu_s = _end_group(process)
    if not in_time:
        raise ProgramTimedOut(name, timeout_s, last_lines)
    if exit_code != 0:
        raise ProgramFailed(name, exit_code, last_lines)
    return ProgramResult(wall_s=time.monotonic() - started, cpu_s=cpu_s, last_lines=list(last_lines))


def _follow(
    process: subprocess.Popen[bytes],
    take_output_line: Callable[[str], None],
    take_error_line: Callable[[str], None],
    *,
    deadline: float,
    stop: threading.Event | None,
) -> bool:
    """Read both pipes until the program ends; False when the deadline came first."""
    assert process.stdout is not None
    assert process.stderr is not None
    lines = {process.stdout.fileno(): _Lines(take_output_line), process.stderr.fileno(): _Lines(take_error_line)}
    with selectors.DefaultSelector() as selector:
        for descriptor in lines:
            os.set_blocking(descriptor, False)
            selector.register(descriptor, selectors.EVENT_READ)
        ended = False
        while not ended:
            if time.monotonic() > deadline:
                return False
            if stop is not None and stop.is_set():
                raise ProgramCancelled(f"process {process.pid} was ended: what it worked for failed or was cancelled")
            # Asked before reading: what the program wrote before it ended is still read below. Its own end counts, not
            # the end of the pipes, which a child that it left behind could hold open.
            ended = _has_ended(process)
            for key, _ in selector.select(timeout=0 if ended else POLL_S):
                for content in _available(key.fd):
                    lines[key.fd].take(content)
                    if not content:
                        selector.unregister(key.fd)
            if not selector.get_map() and not ended:
                time.sleep(POLL_S)
    for rest in lines.values():
        rest.finish()
    return True


def _available(descriptor: int) -> Iterator[bytes]:
    """What can be read now; an empty piece at the end of the stream."""
    while True:
        try:
            content = os.read(descriptor, 65536)
        except BlockingIOError:
            return
        yield content
        if not content:
            return


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Whether the program ended, leaving it unreaped so that its group id cannot be taken by another process."""
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None


def _end_group(process: subprocess.Popen[bytes]) -> tuple[int, float]:
    """Kill what is left of the group and reap the program; returns its exit code and CPU seconds.

    It is not asked to end: ffmpeg would first encode all that it holds, for seconds, and nobody wants what it wrote.
    """
    os.killpg(process.pid, signal.SIGKILL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
    return process.returncode, usage.ru_utime + usage.ru_stime


class _Lines:
    """Cuts a stream of bytes into lines."""

    def __init__(self, take_line: Callable[[str], None]) -> None:
        self._take_line = take_line
        self._rest = b""

    def take(self, content: bytes) -> None:
        *lines, self._rest = (self._rest + content).replace(b"\r", b"\n").split(b"\n")
        for line in lines:
            if line.strip():
                self._take_line(line.decode("utf-8", "replace").rstrip())

    def finish(self) -> None:
        self.take(b"\n")


class _ProgressParser:
    """Reads the ``key=value`` lines of ``ffmpeg -progress``; a block ends with the key ``progress``."""

    def __init__(self, expected_duration_s: float | None, on_progress: Callable[[Progress], None] | None) -> None:
        self._expected_duration_s = expected_duration_s
        self._on_progress = on_progress
        self._block: dict[str, str] = {}

    def take_line(self, line: str) -> None:
        key, _, value = line.partition("=")
        self._block[key.strip()] = value.strip()
        if key == "progress":
            if self._on_progress is not None:
                self._on_progress(self._read_block())
            self._block = {}

    def _read_block(self) -> Progress:
        position_s = max(_number(self._block.get("out_time_us")) / 1e6, 0.0)
        speed = _number(self._block.get("speed", "").removesuffix("x"))
        fraction = eta_s = None
        if self._expected_duration_s:
            fraction = min(position_s / self._expected_duration_s, 1.0)
            eta_s = max(self._expected_duration_s - position_s, 0.0) / speed if speed > 0 else None
        return Progress(
            position_s=position_s, fraction=fraction, fps=_number(self._block.get("fps")), speed=speed, eta_s=eta_s
        )


def _number(text: str | None) -> float:
    """A number of a progress block; ffmpeg writes N/A before the first frame."""
    try:
        return float(text or "")
    except ValueError:
        return 0.0
