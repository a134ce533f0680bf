"""The core: clear H.264 in every player. The full matrix is in test_matrix.py."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from orchestration.media import pipeline
from orchestration.media.objects import PackageRecord
from orchestration.media.process import run_program
from orchestration.media.programs import find_ffmpeg
from orchestration.media.settings import MediaSettings
from orchestration.store import LocalStore

SEGMENTS_S = 2.0
FILM_S = 8


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, PackageRecord]:
    root = tmp_path_factory.mktemp("played")
    master = root / "film.mp4"
    command = [
        find_ffmpeg(), "-v", "error", "-f", "lavfi", "-i", f"testsrc2=s=640x360:r=25:d={FILM_S}",
        "-f", "lavfi", "-i", f"sine=d={FILM_S}:r=48000", "-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac",
        "-metadata:s:a:0", "language=deu", str(master),
    ]  # fmt: skip
    run_program(command, timeout_s=60)
    packaged = pipeline.ingest_master(
        LocalStore(root / "store"),
        "film",
        master,
        MediaSettings(ladder="fixed", preset="ultrafast", max_rungs=2, threads=1, segment_duration_s=SEGMENTS_S),
        work_folder=root / "work",
        quarantine_folder=root / "quarantine",
        now=lambda: dt.datetime(2026, 9, 1, tzinfo=dt.UTC),
    )
    assert packaged.findings == []
    return root / "store", packaged.record


def require_played(report: dict[str, Any], heights: list[int], until_s: float) -> None:
    """Played over several segments, changed the rung and met no error."""
    assert report["fault"] is None, report
    assert report["errors"] == []
    assert report["played_s"] >= until_s
    assert report["frames"] > 0
    assert report["heights"] == heights


@pytest.mark.parametrize(
    ("player", "manifest"), [("hlsjs", "hls"), ("shaka", "hls"), ("shaka", "dash"), ("dashjs", "dash")]
)
def test_a_clear_package_plays_and_changes_its_rung(
    browser: Any, room: tuple[Path, PackageRecord], player: str, manifest: str
) -> None:
    store, record = room
    key = record.hls_key if manifest == "hls" else record.dash_key
    until_s = FILM_S - SEGMENTS_S / 2
    report = browser.play(store, f"film/{key}", player, until_s=until_s)
    require_played(report, [240, 360], until_s)
    assert sorted(report["tracks"]["video"]) == [240, 360]
    assert report["tracks"]["audio"] == ["de"]
    segments = {path for path in browser.site.asked if path.endswith(".m4s")}
    assert len({path.rpartition("/")[2] for path in segments}) == FILM_S // SEGMENTS_S
