import datetime as dt
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from orchestration.sample.viewers import PlannedSession
from orchestration.sample.wave import PlayedSession
from player_sdk import SessionReport

PLANNED = PlannedSession(
    viewer_id="v-1",
    region_id="eu-north",
    device="mobile",
    network_class="fast",
    title_id="t",
    watch_s=10.0,
    trace_id="fast-0",
    starts_at=dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
)
REPORT = SessionReport(
    session_id="s",
    title_id="t",
    startup_s=1.0,
    played_s=10.0,
    rebuffer_s=0.0,
    rebuffer_ratio=0.0,
    mean_bitrate_bps=1e6,
    switches=0,
    stalls=0,
    size_bytes=100,
    size_bytes_placed=0,
    size_bytes_cached=0,
    first_segment_local=False,
    pathways=["eu-north-1"],
    end_reason="completed",
    errors=[],
)


@pytest.fixture
def played() -> Callable[..., PlayedSession]:
    """Makes a played session: fields change the report of a plain one; with an ``error`` there is no report."""

    def make(*, error: str = "", **fields: Any) -> PlayedSession:
        report = None if error else msgspec.structs.replace(REPORT, **fields)
        return PlayedSession(planned=PLANNED, report=report, error=error)

    return make
