import datetime as dt

import dagster as dg
import msgspec
import numpy as np
import polars as pl
import pytest

from ml.placement import BLOCK
from orchestration import partitions
from orchestration.cli import app
from orchestration.defs.demand.forecast_store import publish_forecast, store_forecast
from orchestration.defs.edge.placement_plan import (
    EDGES_ANSWERED,
    FORECAST_COVERS_PLAN,
    REPLAY_GATE,
    placement_plan,
)
from orchestration.defs.edge.plan_store import PlanRecord
from orchestration.defs.edge.planning import describe_edges, forecast_of_days
from orchestration.edge import EdgeAnswer, EdgeInventory, current_plan_key, plan_key, read_current_plan
from orchestration.edge.topology import read_network
from orchestration.resources.edges import EdgeFleet
from orchestration.resources.storage import MediaStorage

TODAY = dt.date(2026, 11, 22)
REGION = "eu-north"
EDGES = read_network().edges_of(REGION)
TITLES = [f"t-{index:02d}" for index in range(20)]


def make_forecast(best_first: bool = True) -> pl.DataFrame:
    sessions = 100.0 / np.arange(1, len(TITLES) + 1)
    return pl.DataFrame(
        {
            "region_id": [REGION] * len(TITLES),
            "title_id": TITLES,
            "day": [TODAY] * len(TITLES),
            "sessions": sessions if best_first else sessions[::-1],
        }
    ).with_columns(q10=pl.col("sessions"), q50=pl.col("sessions"), q90=pl.col("sessions"), model=pl.lit("test"))


def publish(store, frame: pl.DataFrame) -> None:
    publish_forecast(store, store_forecast(store, frame, TODAY))


@pytest.fixture
def rooms(warehouse, tmp_path):
    return {
        "warehouse": warehouse,
        "storage": MediaStorage(root=str(tmp_path / "store")),
        "edges": EdgeFleet(secret="s", urls={}),
    }


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as ephemeral:
        ephemeral.add_dynamic_partitions(partitions.region.name, [REGION])
        yield ephemeral


def materialize(rooms, instance, **config):
    return dg.materialize(
        [placement_plan],
        resources=rooms,
        instance=instance,
        partition_key=REGION,
        run_config={"ops": {"edge__placement_plan": {"config": {"today": TODAY.isoformat()} | config}}},
        raise_on_error=False,
    )


def metadata_of(result):
    event = result.asset_materializations_for_node("edge__placement_plan")[0]
    return {name: value.value for name, value in event.metadata.items()}


def checks_of(result):
    return {check.check_name: check.passed for check in result.get_asset_check_evaluations()}


def test_a_plan_is_made_replayed_and_put_in_force(rooms, instance):
    store = rooms["storage"].store()
    publish(store, make_forecast())
    result = materialize(rooms, instance)
    assert result.success
    told = metadata_of(result)
    assert checks_of(result) == {REPLAY_GATE: True, EDGES_ANSWERED: False, FORECAST_COVERS_PLAN: True}
    assert "no address" in told["notes"]
    assert told["replay_day"] == "2026-11-21"
    assert "oracle" in told["replay"]
    assert told["hit_ratio_by_edge_size"].startswith("![hit ratio by edge size](data:image/png;base64,iVBOR")

    running = read_current_plan(store, REGION)
    assert running is not None
    assert running.plan_id == told["plan_id"]
    assert "t-00" not in running.rows["title_id"].to_list(), "its licence is over"
    assert set(running.rows["edge_id"]) == {edge.edge_id for edge in EDGES}
    record = msgspec.json.decode(
        store.read_bytes(plan_key(REGION, running.plan_id).replace(".parquet", ".json")), type=PlanRecord
    )
    assert record.accepted
    assert record.placed_bytes == running.rows["size_bytes"].sum()
    assert record.expected_hit_ratio == told["promised_hit_ratio"]


def test_a_plan_for_tomorrow_is_replayed_on_the_last_complete_day(rooms, instance):
    tomorrow = (TODAY + dt.timedelta(days=1)).isoformat()
    publish(rooms["storage"].store(), make_forecast().with_columns(day=pl.lit(TODAY + dt.timedelta(days=1))))
    result = materialize(rooms, instance, plan_from=tomorrow)
    told = metadata_of(result)
    assert (told["first_day"], told["replay_day"]) == (tomorrow, "2026-11-21"), "today has not ended"
    assert checks_of(result)[FORECAST_COVERS_PLAN]


def test_a_refused_plan_is_stored_but_never_in_force(rooms, instance):
    store = rooms["storage"].store()
    publish(store, make_forecast())
    assert materialize(rooms, instance).success
    good = store.read_bytes(current_plan_key(REGION))
    publish(store, make_forecast(best_first=False))
    result = materialize(rooms, instance)
    assert checks_of(result)[REPLAY_GATE] is False
    told = metadata_of(result)
    assert not told["in_force"]
    assert "worse than what runs" in told["reason"]
    assert store.read_bytes(current_plan_key(REGION)) == good
    assert store.exists(plan_key(REGION, told["plan_id"]))


def test_every_decision_of_a_kept_plan_can_be_read_back(rooms, instance, tmp_path, monkeypatch, capsys):
    def ask(*asked):
        code = app(["why", *asked], result_action="return_value")
        said = capsys.readouterr()
        return code, said.out + said.err

    monkeypatch.setenv("MATINEE_HOME", str(tmp_path))
    assert ask("t-01") == (1, "no plan is in force; materialise edge/placement_plan, or look in plans/\n")
    store = rooms["storage"].store()
    publish(store, make_forecast())
    assert materialize(rooms, instance).success
    good = store.read_bytes(current_plan_key(REGION)).decode()
    code, said = ask("t-01")
    assert code == 0
    assert f"plan {good} of {TODAY}, in force; 50.0 sessions expected" in said
    homes = [edge.edge_id for edge in EDGES if f"{edge.edge_id}: placed as its home edge" in said]
    assert len(homes) == 1
    assert "manifest 1 of 1" in said.partition("segment groups:")[2]
    assert "no session is expected, or its licence does not cover the day" in ask("t-00")[1]

    publish(store, make_forecast(best_first=False))
    refused = metadata_of(materialize(rooms, instance))["plan_id"]
    assert f"plan {refused} of {TODAY}, not in force (worse than what runs" in ask("t-01", "--plan", refused)[1]
    assert good in ask("t-01")[1], "it tells of the plan that runs"
    code, said = ask("nobody", "--region", REGION)
    assert code == 1
    assert "no title 'nobody'" in said

    elsewhere = next(region.region_id for region in read_network().regions if region.region_id != REGION)
    for suffix in (".parquet", ".json"):  # of a time when reasons were not kept
        content = store.read_bytes(plan_key(REGION, good).removesuffix(".parquet") + suffix)
        store.put_bytes(plan_key(elsewhere, good).removesuffix(".parquet") + suffix, content)
    store.put_bytes(current_plan_key(elsewhere), good.encode())
    code, said = ask("t-01")
    assert code == 0
    assert f"plan {good} of {TODAY}, in force; 50.0 sessions expected" in said
    assert f"plan {good} of {elsewhere} was kept without its reasons; plan the region anew" in said
    assert ask("t-01", "--region", elsewhere)[0] == 1


def test_without_a_forecast_nothing_is_planned_and_it_is_said(rooms, instance):
    result = materialize(rooms, instance)
    assert result.success
    assert "no forecast yet" in metadata_of(result)["reason"]
    assert not rooms["storage"].store().exists(current_plan_key(REGION))


def test_a_stale_forecast_is_used_and_it_is_said(rooms, instance):
    yesterday = TODAY - dt.timedelta(days=1)
    publish(rooms["storage"].store(), make_forecast().with_columns(day=pl.lit(yesterday)))
    result = materialize(rooms, instance)
    assert result.success
    assert checks_of(result)[FORECAST_COVERS_PLAN] is False
    told = metadata_of(result)
    assert told["first_day"] == TODAY.isoformat()
    assert f"lacks {TODAY}" in told["notes"]
    assert told["in_force"]


@pytest.mark.parametrize(
    ("first_day", "day_count", "used", "missing"),
    [(2, 2, [2, 3], []), (3, 2, [3], [4]), (5, 2, [2, 3], [5, 6]), (0, 1, [1], [0])],
    ids=["covered", "ends too early", "stale", "begins later"],
)
def test_the_forecast_is_taken_from_the_planned_day_on(first_day, day_count, used, missing):
    def day(number):
        return TODAY + dt.timedelta(days=number)

    forecast = pl.DataFrame({"day": [day(1), day(2), day(3)], "sessions": [1.0, 2.0, 3.0]})
    rows, gap = forecast_of_days(forecast, day(first_day), day_count)
    assert rows["day"].to_list() == [day(number) for number in used]
    assert all(str(day(number)) in gap for number in missing)
    assert bool(gap) is bool(missing)


def test_an_edge_that_does_not_answer_is_a_warning(rooms, instance):
    publish(rooms["storage"].store(), make_forecast())
    rooms["edges"] = EdgeFleet(secret="s", urls={EDGES[0].edge_id: "http://127.0.0.1:9"})
    result = materialize(rooms, instance)
    assert result.success
    assert checks_of(result)[EDGES_ANSWERED] is False
    assert "does not answer" in metadata_of(result)["notes"]


def test_what_edges_say_counts_more_than_the_seeds(objects):
    inventory = msgspec.convert(
        {
            "edge_id": EDGES[0].edge_id,
            "generation": 3,
            "plan_id": "old",
            "capacity_bytes": 4_000,
            "placed_bytes": 305,
            "cached_bytes": 0,
            "complete": {"t-03": {"480p": [0], "manifest": [0], "8640p": [0]}, "gone": {"480p": [0]}},
        },
        type=EdgeInventory,
    )
    answers = {EDGES[0].edge_id: EdgeAnswer(edge_id=EDGES[0].edge_id, inventory=inventory)}
    edges, resident, silent = describe_edges(EDGES, answers, objects)
    capacities = dict(edges.select("edge_id", "capacity_bytes").iter_rows())
    assert capacities[EDGES[0].edge_id] == 4_000
    assert capacities[EDGES[1].edge_id] == EDGES[1].capacity_share * objects["size_bytes"].sum()
    assert resident.select(BLOCK).sort("rung").rows() == [("t-03", "p1", "480p", 0), ("t-03", "p1", "manifest", 0)]
    assert len(silent) == 1
    assert EDGES[1].edge_id in silent[0]
