from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from orchestration.media.scratch import scratch_folder

KILLED_STEP = """
import os, signal, sys
from pathlib import Path
from orchestration.media.scratch import scratch_folder
with scratch_folder(Path(sys.argv[1]), "killed") as folder:
    (folder / "rung.mp4").write_bytes(b"half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_step_left_goes_with_the_next_and_what_is_at_work_stays(tmp_path: Path) -> None:
    (tmp_path / "dbt").mkdir()
    with scratch_folder(tmp_path, "film") as at_work:
        subprocess.run([sys.executable, "-c", KILLED_STEP, str(tmp_path)], check=False)
        [left] = tmp_path.glob("media-killed-*")
        assert (left / "rung.mp4").exists()
        with scratch_folder(tmp_path, "film") as other:
            assert set(tmp_path.iterdir()) == {at_work, other, tmp_path / "dbt"}
    assert [path.name for path in tmp_path.iterdir()] == ["dbt"]


def test_a_step_that_fails_leaves_nothing(tmp_path: Path) -> None:
    try:
        with scratch_folder(tmp_path / "work", "film") as folder:
            (folder / "rung.mp4").touch()
            raise ValueError("no film")
    except ValueError:
        pass
    assert list((tmp_path / "work").iterdir()) == []
