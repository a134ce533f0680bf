from __future__ import annotations

import datetime as dt
from pathlib import Path

from orchestration.media.probe import probe_file
from orchestration.media.quarantine import list_quarantine, quarantine_master, read_refusal, release_master

NOW = dt.datetime(2026, 9, 1, 12, tzinfo=dt.UTC)


def test_a_refused_master_is_listed_until_it_is_released(tmp_path: Path) -> None:
    (tmp_path / "bad.mp4").write_text("text")
    report = probe_file(tmp_path / "bad.mp4")
    folder = tmp_path / "quarantine"
    assert list_quarantine(folder) == []
    quarantine_master(folder, "bad", "a" * 64, 17, report, NOW)
    [listed] = list_quarantine(folder)
    assert (listed.title_id, listed.file, listed.refused_at, listed.modified_ns) == ("bad", "bad.mp4", NOW, 17)
    assert listed.reasons == report.reasons
    assert listed.hints
    release_master(folder, "bad")
    assert read_refusal(folder, "bad") is None


def test_a_report_that_cannot_be_read_does_not_hide_the_others(tmp_path: Path) -> None:
    (tmp_path / "bad.mp4").write_text("text")
    report = probe_file(tmp_path / "bad.mp4")
    quarantine_master(tmp_path / "q", "bad", "a" * 64, 17, report, NOW)
    (tmp_path / "q" / "another.json").write_text("{ broken")
    assert [item.title_id for item in list_quarantine(tmp_path / "q")] == ["bad"]
