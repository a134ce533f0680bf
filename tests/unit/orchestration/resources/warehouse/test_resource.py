import datetime as dt

import polars as pl
import pytest

from orchestration.resources.warehouse import (
    Warehouse,
    WarehouseColumnsWrong,
    WarehouseError,
    WarehouseTableMissing,
)

VIEWER = {
    "viewer_id": "v-1",
    "region_id": "eu-north",
    "age_band": "18-24",
    "device": "mobile",
    "network_class": "fast",
    "preferred_genres": ["drama"],
    "created_at": dt.datetime(2026, 1, 1),
}


@pytest.fixture
def warehouse(tmp_path):
    return Warehouse(lake_folder=str(tmp_path))


def test_what_was_put_in_is_read(warehouse):
    warehouse.replace_raw("viewers", pl.DataFrame([VIEWER]))

    assert warehouse.read("raw.viewers").to_dicts() == [VIEWER]
    assert warehouse.read("raw.viewers", ["region_id", "viewer_id"]).columns == ["region_id", "viewer_id"]


def test_a_lake_of_an_earlier_version_gets_the_columns_that_came_later(warehouse):
    with warehouse.connection() as connection:
        connection.execute("alter table lake.raw.impressions drop column exposures")

    assert "exposures" in warehouse.read("raw.impressions").columns


def test_replacing_leaves_nothing_of_before(warehouse):
    warehouse.replace_raw("viewers", pl.DataFrame([VIEWER, {**VIEWER, "viewer_id": "v-2"}]))
    warehouse.replace_raw("viewers", pl.DataFrame([{**VIEWER, "viewer_id": "v-3"}]).select(reversed(VIEWER)))

    assert warehouse.read("raw.viewers", ["viewer_id"]).to_series().to_list() == ["v-3"]

    warehouse.replace_raw("viewers", pl.DataFrame([VIEWER]).clear())

    assert warehouse.read("raw.viewers").is_empty()


def test_a_frame_with_other_columns_is_refused(warehouse):
    frame = pl.DataFrame([VIEWER]).rename({"device": "gadget"})

    with pytest.raises(WarehouseColumnsWrong, match=r"missing columns \['device'\], unknown columns \['gadget'\]"):
        warehouse.replace_raw("viewers", frame)


def test_a_table_that_was_not_built_says_what_builds_it(warehouse):
    with pytest.raises(WarehouseTableMissing, match="materialise warehouse/srv_titles"):
        warehouse.read("serving.srv_titles")
    assert not warehouse.has_table("serving.srv_titles")
    assert warehouse.has_table("raw.viewers")


def test_a_column_that_is_not_there_is_named(warehouse):
    with pytest.raises(WarehouseColumnsWrong, match="shoe_size"):
        warehouse.read("raw.viewers", ["shoe_size"])


def test_only_the_days_that_are_asked_for_are_read(warehouse):
    days = [dt.date(2026, 11, day) for day in (3, 4, 5, 9)]
    with warehouse.connection() as connection:
        connection.register("frame", pl.DataFrame({"event_day": days, "sessions": [3, 4, 5, 9]}).to_arrow())
        connection.execute("create schema if not exists lake.serving")
        connection.execute("create table lake.serving.daily as select * from frame")
    assert warehouse.read("serving.daily", ["sessions"], days=(days[1], days[2]))["sessions"].to_list() == [4, 5]
    newest = [warehouse.newest_day("serving.daily", dt.date(2026, 11, day)) for day in (2, 3, 8, 30)]
    assert newest == [None, days[0], days[2], days[3]]
    with pytest.raises(WarehouseTableMissing, match="nowhere"):
        warehouse.newest_day("serving.nowhere", days[0])


def test_only_names_are_taken_for_names(warehouse):
    with pytest.raises(WarehouseError, match="is no name"):
        warehouse.read("raw.viewers; drop table raw.viewers")


def test_maintenance_merges_the_files_of_many_small_writes(warehouse):
    with warehouse.connection() as connection:
        for number in range(5):
            connection.execute("insert into lake.raw.consumed_segments values ('w', ?, 1, 1, 1, now())", [number])
    before = warehouse.read("raw.consumed_segments").sort("segment")

    report = warehouse.maintain(
        now=dt.datetime.now(dt.UTC) + dt.timedelta(days=1),
        snapshot_age=dt.timedelta(0),
        file_age=dt.timedelta(0),
    )

    assert report.files_merged == 5
    assert report.files_made == 1
    assert report.files_removed == 5
    assert report.snapshots_expired > 0
    assert report.after.files == 1
    assert warehouse.read("raw.consumed_segments").sort("segment").equals(before)
