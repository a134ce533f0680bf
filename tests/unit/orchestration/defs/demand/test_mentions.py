import datetime as dt

import dagster as dg
import polars as pl
import pytest

from orchestration.defs.demand.forecast_store import read_current_mentions
from orchestration.defs.demand.mentions import FEED_ALIVE, ROWS_ACCEPTED, build_mentions
from orchestration.defs.demand.mentions_drop import find_faults, read_mentions
from orchestration.resources.storage import MediaStorage
from orchestration.resources.warehouse import Warehouse
from orchestration.settings import read_settings

TODAY = dt.date(2026, 11, 22)
YESTERDAY = dt.date(2026, 11, 21)
TITLES = ["t-01", "t-02"]
REGIONS = ["eu-north", "sa-east"]
HEADER = "day,region_id,title_id,mentions\n"


def read(folder, today=TODAY):
    return read_mentions(folder, titles=TITLES, regions=REGIONS, today=today)


def deliver(folder, name, *lines):
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(HEADER + "\n".join(lines) + "\n")


def test_bad_rows_are_refused_with_their_reason_and_the_others_go_on(tmp_path):
    deliver(
        tmp_path,
        "day.csv",
        "2026-11-21,eu-north,t-01,12",
        "2026-11-22,eu-north,t-01,12",
        "yesterday,eu-north,t-01,12",
        "2026-11-21,atlantis,t-01,12",
        "2026-11-21,eu-north,t-99,12",
        "2026-11-21,eu-north,t-02,-1",
        "2026-11-21,sa-east,t-02,many",
        "2026-11-21,sa-east,,4",
        "2026-11-21,eu-north,t-01,13",
        "2026-11-21,sa-east,t-01,0",
    )
    delivery = read(tmp_path)
    assert delivery.accepted.rows() == [(YESTERDAY, "eu-north", "t-01", 12.0), (YESTERDAY, "sa-east", "t-01", 0.0)]
    assert dict(delivery.rejected.select("row", "reason").iter_rows()) == {
        1: "day is not over on 2026-11-22",
        2: "day is no date",
        3: "region_id is no region of the seeds",
        4: "title_id is no title of the catalogue",
        5: "mentions is no number from 0 on",
        6: "mentions is no number from 0 on",
        7: "title_id is no title of the catalogue",
        8: "day, region and title were given before in this file",
    }


def test_files_of_both_forms_count_a_later_one_again_and_a_broken_one_alone_is_left_out(tmp_path):
    deliver(tmp_path, "2026-11-20.csv", "2026-11-20,eu-north,t-01,1", "2026-11-21,eu-north,t-01,2")
    later = pl.DataFrame({"day": [YESTERDAY], "region_id": ["eu-north"], "title_id": ["t-01"], "mentions": [7]})
    later.write_parquet(tmp_path / "2026-11-21.parquet")
    later.drop("mentions").write_parquet(tmp_path / "no-numbers.parquet")
    (tmp_path / "torn.parquet").write_bytes(b"PAR1")
    (tmp_path / "notes.txt").write_text("not ours")
    (tmp_path / ".half.csv.staged").write_text("still being written")
    delivery = read(tmp_path)
    assert delivery.accepted["mentions"].to_list() == [1.0, 7.0]
    assert (delivery.files, delivery.replaced) == (4, 1)
    assert delivery.rejected["file"].to_list() == ["no-numbers.parquet", "torn.parquet"]
    assert "lacks mentions" in delivery.rejected["reason"][0]


@pytest.mark.parametrize(
    ("lines", "fault"),
    [
        (["2026-11-21,eu-north,t-01,3"], None),
        (["2026-11-19,eu-north,t-01,3"], "newest day is 2026-11-19, 3 days before"),
        (["2026-11-18,eu-north,t-01,3", "2026-11-20,eu-north,t-01,0", "2026-11-21,eu-north,t-01,0"], "are zero"),
        (["2026-11-21,eu-north,t-01,3", "2026-11-21,eu-north,x,3", "2026-11-21,eu-north,y,3"], "only 1 of 3"),
        (["2026-11-21,mars,t-01,3"], "no row of 1 files"),
    ],
    ids=["alive", "stale", "all zero", "another catalogue", "nothing known"],
)
def test_a_feed_that_is_not_alive_says_why(tmp_path, lines, fault):
    deliver(tmp_path, "feed.csv", *lines)
    faults = find_faults(read(tmp_path), TODAY)
    assert faults == [] if fault is None else fault in "; ".join(faults)


def test_without_a_feed_nothing_is_wrong(tmp_path):
    delivery = read(tmp_path / "nowhere")
    assert delivery.accepted.is_empty()
    assert find_faults(delivery, TODAY) == []


def test_the_asset_keeps_what_it_accepts_and_its_checks_warn(tmp_path, put_table):
    settings = read_settings({"MATINEE_HOME": str(tmp_path)})
    warehouse = Warehouse(lake_folder=str(settings.lake_folder))
    frame = pl.DataFrame(
        {
            "title_id": TITLES,
            "name": TITLES,
            "release_date": [dt.date(2020, 1, 1)] * 2,
            "licence_start": pl.Series([None] * 2, dtype=pl.Date),
            "licence_end": pl.Series([None] * 2, dtype=pl.Date),
            "genres": [["drama"]] * 2,
            "language": ["en"] * 2,
            "kind": ["film"] * 2,
        }
    )
    put_table(warehouse, "serving.srv_titles", frame)
    storage = MediaStorage(root=str(settings.store_folder))

    def run():
        result = dg.materialize(
            [build_mentions(settings)],
            resources={"warehouse": warehouse, "storage": storage},
            instance=dg.DagsterInstance.ephemeral(),
            run_config={"ops": {"demand__mentions": {"config": {"today": TODAY.isoformat()}}}},
        )
        checks = {check.check_name: check for check in result.get_asset_check_evaluations()}
        assert all(check.severity is dg.AssetCheckSeverity.WARN for check in checks.values())
        return checks

    checks = run()
    assert checks[FEED_ALIVE].passed
    assert "no feed is delivered" in checks[FEED_ALIVE].description
    deliver(settings.signals_folder, "feed.csv", "2026-11-19,eu-north,t-01,3", "2026-11-19,mars,t-01,3")
    checks = run()
    assert not checks[FEED_ALIVE].passed
    assert not checks[ROWS_ACCEPTED].passed
    assert "no region" in checks[ROWS_ACCEPTED].metadata["reasons"].value
    assert read_current_mentions(storage.store()).rows() == [(dt.date(2026, 11, 19), "eu-north", "t-01", 3.0)]
