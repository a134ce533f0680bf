import datetime as dt
import io

import dagster as dg
import msgspec
import numpy as np
import polars as pl
import pytest

from ml.placement import LRU, GateVerdict
from orchestration import partitions
from orchestration.defs.demand.forecast_store import forecast_key, publish_forecast, store_forecast
from orchestration.defs.edge.placement_plan import placement_plan
from orchestration.defs.edge.plan_store import read_plans
from orchestration.defs.ops import hindsight as page
from orchestration.edge import plan_key, read_plan
from orchestration.edge.topology import read_network
from orchestration.resources.edges import EdgeFleet
from orchestration.resources.storage import MediaStorage

TODAY = dt.date(2026, 11, 22)
DAY = dt.date(2026, 11, 21)
REGION = "eu-north"
TITLES = [f"t-{index:02d}" for index in range(20)]


def forecast_for(day, titles=TITLES):
    sessions = 60.0 / np.arange(1, len(titles) + 1)
    return pl.DataFrame({"region_id": REGION, "title_id": titles, "day": day, "sessions": sessions}).with_columns(
        q10=pl.col("sessions") / 2, q50=pl.col("sessions"), q90=pl.col("sessions") * 2, model=pl.lit("test")
    )


@pytest.fixture
def look(warehouse, tmp_path):
    """Plans by a forecast, if there is one, and then looks back on the day; answers the metadata and the checks."""
    storage = MediaStorage(root=str(tmp_path / "store"))
    rooms = {"warehouse": warehouse, "storage": storage, "edges": EdgeFleet(secret="s", urls={})}

    def config(asset, today):
        return {"ops": {asset: {"config": {"today": today.isoformat()}}}}

    def run(forecast=None):
        with dg.DagsterInstance.ephemeral() as instance:
            instance.add_dynamic_partitions(partitions.region.name, [REGION])
            if forecast is not None:
                publish_forecast(storage.store(), store_forecast(storage.store(), forecast, DAY))
                dg.materialize(
                    [placement_plan],
                    resources=rooms,
                    instance=instance,
                    partition_key=REGION,
                    run_config=config("edge__placement_plan", DAY),
                )
            result = dg.materialize(
                [page.hindsight], resources=rooms, instance=instance, run_config=config("ops__hindsight", TODAY)
            )
        checks = {check.check_name: check for check in result.get_asset_check_evaluations()}
        assert all(check.severity is dg.AssetCheckSeverity.WARN for check in checks.values())
        metadata = result.asset_materializations_for_node("ops__hindsight")[0].metadata
        return {name: value.value for name, value in metadata.items()}, checks

    run.store = storage.store()
    return run


def test_a_day_without_a_plan_is_told_and_nothing_is_stored(look):
    told, checks = look()
    assert told == {"day": DAY.isoformat(), "regions": 0}
    assert all(check.passed for check in checks.values())
    assert page.read_hindsight(look.store, DAY) is None


def test_the_plan_of_the_day_stands_beside_its_promise_and_the_oracle(look):
    told, checks = look(forecast_for(DAY))
    assert [check.description for check in checks.values()] == [None, None]
    edges = page.read_hindsight(look.store, DAY)
    assert edges is not None
    assert edges["edge_id"].to_list() == [edge.edge_id for edge in read_network().edges_of(REGION)]
    assert edges["sessions"].sum() == 200
    assert (edges["promised_bytes"] > 0).all()
    # t-00 has no licence any more: nobody is expected to come for it
    assert edges["expected_sessions"].sum() == pytest.approx(forecast_for(DAY)["sessions"][1:].sum())
    assert (edges["earned_bytes"] > 0).all()
    assert edges["too_low_bytes"].sum() > 0
    assert 0 < edges["regret_bytes"].sum() <= edges["too_low_bytes"].sum() + edges["crowded_out_bytes"].sum()
    assert told["plans"] == {REGION: edges["plan_id"][0]}
    assert told["plot"].startswith("![plans after their day](data:image/png;base64,iVBOR")
    assert "| placement |" not in told["edges"]
    assert "oracle" in told["replays"]
    assert page.read_hindsight(look.store, TODAY) is None, "the newest are of another day"


def test_a_region_that_nobody_watched_in_is_left_out(look, warehouse, monkeypatch):
    look(forecast_for(DAY))
    assert page.look_back(look.store, warehouse, REGION, DAY) is not None
    nobody = warehouse.read("serving.srv_requests").with_columns(region_id=pl.lit("elsewhere"))
    read = type(warehouse).read
    monkeypatch.setattr(
        type(warehouse),
        "read",
        lambda self, table, columns=None, **days: (
            nobody.filter(pl.col("event_day").is_between(*days["days"])).select(columns)
            if table == "serving.srv_requests"
            else read(self, table, columns, **days)
        ),
    )
    told, _ = look()
    assert told == {"day": DAY.isoformat(), "regions": 0}


def test_a_plan_that_cannot_be_used_costs_no_other_region_its_row(look):
    told, _ = look(forecast_for(DAY))
    key = plan_key(REGION, told["plans"][REGION])
    damaged = io.BytesIO()
    pl.read_parquet(io.BytesIO(look.store.read_bytes(key))).drop("rung").write_parquet(damaged)
    look.store.put_bytes(key, damaged.getvalue(), replace=True)
    told, _ = look()
    assert told == {"day": DAY.isoformat(), "regions": 0}


def test_a_plan_whose_forecast_is_gone_costs_no_other_region_its_row(look):
    look(forecast_for(DAY))
    look.store.delete(forecast_key(next(read_plans(look.store, REGION)).forecast_id))
    publish_forecast(look.store, store_forecast(look.store, forecast_for(TODAY), TODAY))
    told, _ = look()
    assert told == {"day": DAY.isoformat(), "regions": 0}


def test_a_plan_that_did_harm_is_a_warning(look, monkeypatch):
    # it expects what nobody came for, so that its placements only take room from pull-through
    verdict = GateVerdict(accepted=True, reason="the day before was another one", beside=LRU)
    monkeypatch.setattr("orchestration.defs.edge.placement_plan.judge", lambda _: verdict)
    _, checks = look(forecast_for(DAY, TITLES[::-1]))
    assert "with pull-through alone" in checks[page.PLANS_EARNED].description
    assert checks[page.GATE_WAS_RIGHT].passed


def test_a_gate_that_refused_the_better_plan_is_told(look):
    look(forecast_for(DAY))
    record = next(read_plans(look.store, REGION))
    good = read_plan(look.store, REGION, record.plan_id).rows

    def keep(plan_id, rows, *, accepted):
        buffer = io.BytesIO()
        rows.with_columns(plan_id=pl.lit(plan_id)).write_parquet(buffer)
        key = plan_key(REGION, plan_id)
        look.store.put_bytes(key, buffer.getvalue())
        made = msgspec.structs.replace(record, plan_id=plan_id, accepted=accepted)
        look.store.put_bytes(key.replace(".parquet", ".json"), msgspec.json.encode(made))

    # later than the good one: the tail of it in force, and then the whole refused
    keep("99990101t000000-poor", good.filter(pl.col("rank") > pl.col("rank").max() - 3), accepted=True)
    keep("99990101t010000-good", good, accepted=False)
    told, checks = look()
    assert told["plans"] == {REGION: "99990101t000000-poor"}
    assert "| refused |" in told["replays"]
    assert "with the plan that was refused" in checks[page.GATE_WAS_RIGHT].description
