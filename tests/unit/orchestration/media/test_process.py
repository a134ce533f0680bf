from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from orchestration.media.errors import ProgramFailed, ProgramMissing, ProgramTimedOut
from orchestration.media.process import Progress, run_program
from orchestration.media.programs import find_ffmpeg

SLEEPER = "import os, sys, time; open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(600)"
# A shell has written within milliseconds of its start, where an interpreter on a busy machine takes its seconds.
SLEEPING_SHELL = ["/bin/sh", "-c", 'echo $$ > "$1"; exec sleep 600', "sh"]
SLEEPING_SHELL_WITH_CHILD = ["/bin/sh", "-c", 'sleep 600 & echo $! > "$1"; wait', "sh"]
FAMILY = (
    "import subprocess, sys, time; "
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']); "
    "open(sys.argv[1], 'w').write(str(child.pid)); "
)


def is_running(pid: int) -> bool:
    """Whether a process runs; one that ended and waits for its parent does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until_gone(pid: int) -> bool:
    deadline = time.monotonic() + 10
    while is_running(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not is_running(pid)


def wait_for_pid(path: Path) -> int:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if path.exists() and path.read_text():
            return int(path.read_text())
        time.sleep(0.01)
    raise AssertionError(f"{path} was never written")


def test_reports_progress_of_ffmpeg(tmp_path: Path) -> None:
    blocks: list[Progress] = []
    command = [
        find_ffmpeg(), "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=320x180:d=4", "-progress", "pipe:1",
        "-c:v", "libx264", "-preset", "ultrafast", str(tmp_path / "out.mp4"),
    ]  # fmt: skip
    result = run_program(command, timeout_s=60, expected_duration_s=4.0, on_progress=blocks.append)
    assert blocks[-1].fraction == pytest.approx(1.0, abs=0.05)
    assert blocks[-1].position_s == pytest.approx(4.0, abs=0.1)
    assert result.cpu_s > 0


def test_failure_carries_the_last_lines_and_the_code(tmp_path: Path) -> None:
    with pytest.raises(ProgramFailed, match=r"No such file[^$]*nothing\.mp4") as caught:
        run_program([find_ffmpeg(), "-v", "error", "-i", str(tmp_path / "nothing.mp4")], timeout_s=30)
    assert caught.value.exit_code != 0


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ProgramMissing, match="no-such-encoder"):
        run_program([str(tmp_path / "no-such-encoder")], timeout_s=1)


def test_reads_everything_that_was_written_before_the_end() -> None:
    lines: list[str] = []
    code = "import sys; [print(n, file=sys.stderr) for n in range(20000)]"
    run_program([sys.executable, "-c", code], timeout_s=60, on_error_line=lines.append)
    assert len(lines) == 20000
    assert lines[-1] == "19999"


def test_time_out_kills_the_program(tmp_path: Path) -> None:
    with pytest.raises(ProgramTimedOut, match="killed after 2 s"):
        run_program([*SLEEPING_SHELL, str(tmp_path / "pid")], timeout_s=2.0)
    assert wait_until_gone(wait_for_pid(tmp_path / "pid"))


def test_children_of_a_killed_program_die_too(tmp_path: Path) -> None:
    with pytest.raises(ProgramTimedOut):
        run_program([*SLEEPING_SHELL_WITH_CHILD, str(tmp_path / "pid")], timeout_s=2.0)
    assert wait_until_gone(wait_for_pid(tmp_path / "pid"))


def test_children_that_a_program_leaves_behind_die_with_it(tmp_path: Path) -> None:
    run_program([sys.executable, "-c", FAMILY, str(tmp_path / "pid")], timeout_s=30)
    assert wait_until_gone(wait_for_pid(tmp_path / "pid"))


def test_an_exception_in_a_callback_kills_the_program(tmp_path: Path) -> None:
    def cancel(_line: str) -> None:
        raise KeyboardInterrupt

    # The id is on disk before the line that ends the program is written.
    code = (
        "import os, sys, time; from pathlib import Path; Path(sys.argv[1]).write_text(str(os.getpid())); "
        "print('working', file=sys.stderr, flush=True); time.sleep(600)"
    )
    with pytest.raises(KeyboardInterrupt):
        run_program([sys.executable, "-c", code, str(tmp_path / "pid")], timeout_s=30, on_error_line=cancel)
    assert wait_until_gone(wait_for_pid(tmp_path / "pid"))


def test_a_cancelled_program_gets_no_time_to_finish(tmp_path: Path) -> None:
    """ffmpeg that is asked to end encodes what it holds first."""

    def cancel(_line: str) -> None:
        raise KeyboardInterrupt

    code = (
        "import signal, sys, time; from pathlib import Path; "
        "signal.signal(signal.SIGTERM, lambda *_: Path(sys.argv[1]).write_text('finished')); "
        "print('working', file=sys.stderr, flush=True); time.sleep(600)"
    )
    with pytest.raises(KeyboardInterrupt):
        run_program([sys.executable, "-c", code, str(tmp_path / "end")], timeout_s=30, on_error_line=cancel)
    assert not (tmp_path / "end").exists()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_orphan_when_the_runner_is_ended(tmp_path: Path, how: signal.Signals) -> None:
    """Ctrl-C, a cancelled run (Dagster makes an exception of TERM) and a kill -9 all take the program along."""
    runner = (
        "import signal, sys\n"
        "from orchestration.media.process import run_program\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))\n"
        f"run_program([sys.executable, '-c', {SLEEPER!r}, sys.argv[1]], timeout_s=600)\n"
    )
    root = Path(__file__).parents[4]
    process = subprocess.Popen(
        [sys.executable, "-c", runner, str(tmp_path / "pid")], cwd=root, stderr=subprocess.DEVNULL
    )
    try:
        child = wait_for_pid(tmp_path / "pid")
        assert is_running(child)
        os.kill(process.pid, how)
        process.wait(timeout=20)
        assert wait_until_gone(child)
    finally:
        process.kill()
        process.wait()
