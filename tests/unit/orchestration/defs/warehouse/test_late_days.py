import datetime as dt

import dagster as dg
import pytest

from orchestration.defs.warehouse.late_days import HEARTBEATS, build_sensor, late_range
from orchestration.settings import read_settings

TODAY = dt.date(2026, 9, 20)
FIRST = dt.date(2026, 9, 1)


@pytest.mark.parametrize(
    ("event_days", "expected"),
    [
        ([], None),
        (["2026-09-19", "2026-09-20"], None),
        (["2026-09-03", "2026-09-10", "2026-09-20"], (dt.date(2026, 9, 3), dt.date(2026, 9, 10))),
        (["2026-08-31", "2026-09-18"], (dt.date(2026, 9, 18), dt.date(2026, 9, 18))),
    ],
    ids=["nothing came", "the schedule builds them", "late days", "before the first day"],
)
def test_late_range(event_days, expected):
    assert late_range(event_days, TODAY, FIRST) == expected


def test_every_ingest_since_the_last_look_counts(tmp_path):
    settings = read_settings({"MATINEE_HOME": str(tmp_path), "MATINEE_FIRST_EVENT_DAY": "2020-01-01"})
    sensor = build_sensor(settings)

    @dg.job(name="build_warehouse")
    def job():
        pass

    with dg.DagsterInstance.ephemeral() as instance:

        def ingest(*event_days):
            metadata = {"event_days": list(event_days)}
            instance.report_runless_asset_event(dg.AssetMaterialization(HEARTBEATS, metadata=metadata))

        def look(cursor):
            definitions = dg.Definitions(jobs=[job], sensors=[sensor])
            context = dg.build_sensor_context(instance, cursor=cursor, definitions=definitions)
            return sensor.evaluate_tick(context)

        ingest("2020-01-01")
        first = look(None)
        ingest("2020-01-03")
        ingest("2020-01-05")
        ingest()
        second = look(first.cursor)
        third = look(second.cursor)

    (request,) = second.run_requests
    assert request.tags["dagster/asset_partition_range_start"] == "2020-01-03"
    assert request.tags["dagster/asset_partition_range_end"] == "2020-01-05"
    assert not third.run_requests
