import datetime as dt

import dagster as dg
import msgspec
import polars as pl
import pytest

from orchestration.defs.demand.comparison import compare_forecast
from orchestration.defs.demand.forecast_store import read_forecast_for, store_forecast, store_mentions
from orchestration.defs.edge.plan_store import PlanRecord
from orchestration.defs.ops import network as page
from orchestration.defs.ops.kept_day import pointer_key
from orchestration.edge import EdgeAnswer, EdgeInventory, current_plan_key, plan_key
from orchestration.edge.topology import read_network
from orchestration.resources.edges import EdgeFleet
from orchestration.resources.storage import MediaStorage
from orchestration.resources.warehouse import Warehouse
from orchestration.store import LocalStore

DAY = dt.date(2026, 11, 21)
WORLD = read_network()
TITLES = pl.DataFrame({"title_id": ["a", "b"], "name": ["Alpha", "Beta"]})


def demand_of(*rows):
    schema = {"region_id": pl.String, "title_id": pl.String, "event_day": pl.Date, "sessions": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def forecast_of(*rows, day=DAY):
    frame = pl.DataFrame(rows, schema=["region_id", "title_id", "sessions", "q10", "q90"], orient="row")
    return frame.with_columns(pl.col("sessions", "q10", "q90").cast(pl.Float64), day=pl.lit(day))


def delivered_of(*rows):
    names = ["pathway_id", "requests", "delivered_bytes", "delivered_bytes_placed", "delivered_bytes_cached"]
    return pl.DataFrame(rows, schema=names, orient="row").with_columns(
        region_id=pl.lit("eu-north"), event_day=pl.lit(DAY)
    )


def record_of(plan_id, *, first_day=DAY, accepted=True, region_id="eu-north"):
    return PlanRecord(
        plan_id=plan_id,
        region_id=region_id,
        forecast_id="f",
        first_day=first_day,
        replay_day=first_day - dt.timedelta(days=1),
        accepted=accepted,
        reason="",
        expected_hit_ratio=0.5,
        expected_start_ratio=0.6,
        placed_bytes=1,
        titles_with_prefix=1,
        titles_in_catalogue=1,
        edges=[
            {"edge_id": "eu-north-1", "replayed_hit_ratio": 0.6},
            {"edge_id": "eu-north-2", "replayed_hit_ratio": 0.7},
        ],
        replay=[],
        notes=[],
    )


def put_record(store, record):
    key = plan_key(record.region_id, record.plan_id).replace(".parquet", ".json")
    store.put_bytes(key, msgspec.json.encode(record))


def test_the_forecast_of_a_day_is_the_newest_that_could_not_have_seen_it(tmp_path):
    store = LocalStore(tmp_path)
    assert read_forecast_for(store, DAY) is None
    for made_days_before, sessions in ((3, 3), (1, 1), (-1, 99)):
        made_on = DAY - dt.timedelta(days=made_days_before)
        store_forecast(store, forecast_of(("eu-north", "a", sessions, 0, 9)), made_on)
    store_forecast(store, forecast_of(("eu-north", "a", float("nan"), 0, 9)), DAY)
    store_forecast(store, forecast_of(("eu-north", "a", 7, 0, 9), day=DAY + dt.timedelta(days=4)), DAY)
    store_mentions(store, pl.DataFrame({"day": [DAY]}))
    found = read_forecast_for(store, DAY)
    assert found is not None
    assert found["sessions"].to_list() == [1.0]


def test_regions_show_sessions_beside_their_forecast():
    forecast = forecast_of(("eu-north", "a", 10, 5, 12), ("eu-north", "b", 10, 2, 12), ("sa-east", "a", 4, 1, 9))
    actual = demand_of(("eu-north", "a", DAY, 14), ("eu-north", "b", DAY, 6), ("ap-south", "a", DAY, 3))
    rows = {row["region_id"]: row for row in compare_forecast(forecast, actual, DAY).iter_rows(named=True)}
    assert rows["eu-north"] == {
        "region_id": "eu-north", "sessions": 20, "forecast": 20.0, "actual_over_forecast": 1.0, "wape": 8 / 20,
        "within_q10_q90": 0.5,
    }  # fmt: skip
    assert (rows["sa-east"]["sessions"], rows["sa-east"]["actual_over_forecast"]) == (0, 0.0)
    assert (rows["ap-south"]["forecast"], rows["ap-south"]["actual_over_forecast"]) == (0.0, None)
    assert page.find_surprises(compare_forecast(forecast, actual, DAY)) == ["sa-east: 0 sessions, 4 forecast"]
    without = compare_forecast(None, actual, DAY)
    assert without["sessions"].to_list() == [3, 20]
    assert page.find_surprises(without) == []


def test_the_plan_of_a_day_is_the_newest_accepted_one_of_then(tmp_path):
    store = LocalStore(tmp_path)
    for record in (
        record_of("20261120t1-a", first_day=DAY - dt.timedelta(days=1)),
        record_of("20261121t1-b"),
        record_of("20261121t2-c", accepted=False),
        record_of("20261122t1-d", first_day=DAY + dt.timedelta(days=1)),
    ):
        put_record(store, record)
    assert {region: record.plan_id for region, record in page.plans_of_day(store, WORLD, DAY).items()} == {
        "eu-north": "20261121t1-b"
    }


def test_an_edge_shows_its_fill_and_what_it_served_beside_its_replay():
    delivered = delivered_of(("eu-north-1", 9, 1000, 300, 100), ("origin", 1, 50, 0, 0))
    table = page.edge_table(WORLD, {"eu-north-1": 0.75}, {"eu-north": record_of("p")}, delivered)
    rows = {row["edge_id"]: row for row in table.iter_rows(named=True)}
    assert set(rows) == {edge.edge_id for edge in WORLD.edges}
    assert rows["eu-north-1"] == {
        "region_id": "eu-north", "edge_id": "eu-north-1", "filled": 0.75, "plan_id": "p", "replayed_hit_ratio": 0.6,
        "requests": 9, "hit_ratio": 0.4, "placed_ratio": 0.3,
    }  # fmt: skip
    assert rows["eu-north-2"]["hit_ratio"] is None
    assert rows["sa-east-1"]["plan_id"] is None
    assert page.find_shortfalls(table) == ["eu-north-1: 0.400 of the bytes, 0.600 in its plan's replay"]
    looked_back = pl.DataFrame({"edge_id": ["eu-north-1"], **{name: [0.25] for name in page.HINDSIGHT}})
    matrix = page.join_matrix(table, looked_back, compare_forecast(None, demand_of(), DAY))
    assert matrix["edge_id"].to_list() == table["edge_id"].to_list()
    assert matrix["oracle_hit_ratio"].to_list() == [0.25, None, None, None]
    picture = page.plot_matrix(matrix)
    assert picture.startswith(b"\x89PNG")


def test_titles_that_move_come_first_with_what_is_forecast_of_them():
    week_ago = DAY - dt.timedelta(days=8)
    demand = demand_of(
        ("eu-north", "a", DAY, 5), ("eu-north", "a", week_ago, 4), ("sa-east", "b", week_ago, 30),
        ("sa-east", "b", DAY - dt.timedelta(days=20), 500),
    )  # fmt: skip
    ahead = [
        forecast_of(("sa-east", "b", count, 0, 4), day=DAY + dt.timedelta(days=days))
        for days, count in ((0, 5), (1, 2), (8, 9))
    ]
    moved = page.movers(demand, pl.concat(ahead), DAY, TITLES)
    assert moved.rows() == [("sa-east", "b", "Beta", 30, 0, 2.0), ("eu-north", "a", "Alpha", 4, 5, None)]


def test_what_an_edge_holds_of_its_plan_is_its_fill(tmp_path):
    store = LocalStore(tmp_path)
    rows = pl.DataFrame({"title_id": ["a", "a"], "package_id": "p", "rung": "240p", "segment_group": [0, 1]})
    whole = rows.with_columns(
        plan_id=pl.lit("x"), region_id=pl.lit("eu-north"), edge_id=pl.lit("eu-north-1"), value=1.0, size_bytes=5, rank=0
    )
    whole.write_parquet(tmp_path / "plan.parquet")
    store.put_file(plan_key("eu-north", "x"), tmp_path / "plan.parquet")
    store.put_bytes(current_plan_key("eu-north"), b"x")
    inventory = msgspec.convert(
        {"edge_id": "eu-north-1", "generation": 1, "plan_id": "x", "capacity_bytes": 9, "placed_bytes": 5,
         "cached_bytes": 0, "complete": {"a": {"240p": [0]}, "stale": {"240p": [0]}}},
        type=EdgeInventory,
    )  # fmt: skip
    answers = [
        EdgeAnswer(edge_id="eu-north-1", inventory=inventory),
        EdgeAnswer(edge_id="eu-north-2", inventory=None, problem="it is down"),
        EdgeAnswer(edge_id="long-gone", inventory=inventory),
    ]
    assert page.filled_shares(store, WORLD, answers) == {"eu-north-1": 0.5}


@pytest.mark.parametrize("days", [0, 1])
def test_the_asset_draws_with_and_without_a_day(tmp_path, days, put_table):
    warehouse = Warehouse(lake_folder=str(tmp_path / "lake"))
    storage = MediaStorage(root=str(tmp_path / "store"))
    put_record(storage.store(), record_of("20261121t1-b"))
    ahead = [forecast_of(("eu-north", "a", 100, 50, 120), day=DAY + dt.timedelta(days=one)) for one in (0, 1)]
    store_forecast(storage.store(), pl.concat(ahead), DAY)
    tables = {
        "serving.srv_demand_daily": demand_of(("eu-north", "a", DAY, 12)).head(days),
        "marts.fct_pathway_day": delivered_of(("eu-north-1", 9, 1000, 300, 100)),
        "serving.srv_titles": TITLES.with_columns(
            release_date=pl.lit(DAY),
            licence_start=pl.lit(None, pl.Date),
            licence_end=pl.lit(None, pl.Date),
            genres=pl.lit(["drama"]),
            language=pl.lit("en"),
            kind=pl.lit("film"),
        ),
    }
    for table, frame in tables.items():
        put_table(warehouse, table, frame)
    result = dg.materialize(
        [page.network],
        resources={"warehouse": warehouse, "storage": storage, "edges": EdgeFleet(secret="s", urls={})},
        instance=dg.DagsterInstance.ephemeral(),
        run_config={"ops": {"ops__network": {"config": {"today": (DAY + dt.timedelta(days=1)).isoformat()}}}},
    )
    metadata = result.asset_materializations_for_node("ops__network")[0].metadata
    checks = {check.check_name: check for check in result.get_asset_check_evaluations()}
    assert all(check.severity is dg.AssetCheckSeverity.WARN for check in checks.values())
    if not days:
        assert metadata["day"].value == "no complete day yet"
        assert all(check.passed for check in checks.values())
        return
    assert metadata["day"].value == "2026-11-21"
    assert metadata["matrix"].value.startswith("![regions and edges](data:image/png;base64,iVBOR")
    assert storage.store().read_bytes(pointer_key(page.AREA)).decode() == metadata["store_key"].value
    assert "| eu-north | a | Alpha | 0 | 12 | 100 |" in metadata["titles_that_move"].value
    assert "eu-north: 12 sessions, 100 forecast" in checks[page.FORECAST_NEAR_ACTUAL].description
    assert not checks[page.PLANS_KEEP_THEIR_PROMISE].passed
