import datetime as dt

from orchestration.demo.waves import paired
from orchestration.sample.viewers import PlannedSession
from orchestration.sample.wave import PlayedSession
from player_sdk import SessionReport


def _played(startup_s: float | None, *, error: str = "") -> PlayedSession:
    planned = PlannedSession(
        viewer_id="v",
        region_id="eu-north",
        device="mobile",
        network_class="fast",
        title_id="t",
        watch_s=1.0,
        trace_id="fast-0",
        starts_at=dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
    )
    report = SessionReport(
        session_id="s",
        title_id="t",
        startup_s=startup_s,
        played_s=1.0,
        rebuffer_s=0.0,
        rebuffer_ratio=0.0,
        mean_bitrate_bps=0.0,
        switches=0,
        stalls=0,
        size_bytes=0,
        size_bytes_placed=0,
        size_bytes_cached=0,
        first_segment_local=None,
        pathways=[],
        end_reason="completed",
        errors=[],
    )
    return PlayedSession(planned=planned, report=None if error else report, error=error)


def test_a_session_that_failed_in_one_wave_is_left_out_of_both() -> None:
    one = [_played(1.0), _played(None, error="no API"), _played(3.0)]
    other = [_played(0.5), _played(0.5), _played(None)]
    left, right = paired(one, other)
    assert [session.report.startup_s for session in left if session.report] == [1.0]
    assert [session.report.startup_s for session in right if session.report] == [0.5]
