import datetime as dt

import dagster as dg

from orchestration.defs.events.ingest import CLOCKS, HEARTBEATS, READABLE, events
from orchestration.resources.event_log import EventLogFolder
from orchestration.resources.warehouse import Warehouse
from playback_api.events import Beat, RecordKind, SegmentLogWriter, encode_beats

NOON = dt.datetime(2026, 9, 2, 12, tzinfo=dt.UTC)


def test_an_ingest_says_what_came_for_which_day_and_what_could_not_be_read(tmp_path):
    beat = Beat(
        session_id="s", boot=0, seq=0, sent_at=NOON, kind="start", viewer_id="v-1", title_id="t-1", region="eu-north"
    )
    with SegmentLogWriter(tmp_path / "events", "collector") as log:
        log.append(RecordKind.BEATS, encode_beats([beat, beat], NOON))
        log.append(RecordKind.BEATS, b"\xc1")

    result = dg.materialize(
        [events],
        resources={
            "warehouse": Warehouse(lake_folder=str(tmp_path / "lake")),
            "event_log": EventLogFolder(folder=str(tmp_path / "events")),
        },
        instance=dg.DagsterInstance.ephemeral(),
    )

    materializations = {event.asset_key: event for event in result.asset_materializations_for_node("events")}
    metadata = materializations[HEARTBEATS].metadata
    assert metadata["dagster/row_count"].value == 2
    assert metadata["event_days"].value == ["2026-09-02"]
    checks = {check.check_name: check for check in result.get_asset_check_evaluations()}
    assert not checks[READABLE.name].passed
    assert "collector" in str(checks[READABLE.name].metadata["first"].value)
    assert checks[CLOCKS.name].passed
