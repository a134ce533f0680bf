import datetime as dt

import dagster as dg
import polars as pl
import pytest

from orchestration import partitions
from orchestration.defs.demand.forecast_store import publish_forecast, store_forecast
from orchestration.defs.edge import rebalance
from orchestration.defs.edge.placement_plan import REPLAY_GATE, placement_plan
from orchestration.defs.edge.plan_store import read_plans, read_plans_of_day
from orchestration.edge import current_plan_key, read_current_plan
from orchestration.edge.topology import Network, read_network
from orchestration.resources.edges import EdgeFleet
from orchestration.resources.storage import MediaStorage

TODAY = dt.date(2026, 11, 22)
NOON = dt.datetime(2026, 11, 22, 12, 30, tzinfo=dt.UTC)
REGION = "eu-north"
WORLD = Network(
    regions=(read_network().region(REGION),),
    edges=read_network().edges_of(REGION),
)
HOT = "t-19"


@pytest.fixture(scope="module")
def surprised_lake(lake_of, sessions):
    """From nine o'clock on, a title that hardly anybody had watched is watched as much as all others together."""
    rush = sessions.filter(
        (pl.col("event_day") == TODAY) & (pl.col("started_at").dt.hour().is_between(9, 22))
    ).with_columns(title_id=pl.lit(HOT), seconds_watched=pl.lit(60.0), session_id="rush-" + pl.col("session_id"))
    return lake_of(pl.concat([sessions, rush]))


@pytest.fixture
def rooms(tmp_path, warehouse):
    storage = MediaStorage(root=str(tmp_path / "store"))
    return {"warehouse": warehouse, "storage": storage, "edges": EdgeFleet(secret="s", urls={})}


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as ephemeral:
        ephemeral.add_dynamic_partitions(partitions.region.name, [REGION])
        yield ephemeral


def publish(rooms, sessions):
    """The forecast of the day and the next: the mean of the complete days, with a generous band."""
    mean = sessions.filter(pl.col("event_day") < TODAY).group_by("region_id", "title_id").agg(sessions=pl.len() / 3)
    days = [mean.with_columns(day=pl.lit(TODAY + dt.timedelta(days=ahead)), model=pl.lit("test")) for ahead in range(2)]
    frame = pl.concat(days).with_columns(
        q10=pl.col("sessions") / 2, q50=pl.col("sessions"), q90=pl.col("sessions") * 1.6
    )
    store = rooms["storage"].store()
    publish_forecast(store, store_forecast(store, frame, TODAY))


def plan(rooms, instance, **config):
    return dg.materialize(
        [placement_plan],
        resources=rooms,
        instance=instance,
        partition_key=REGION,
        run_config={"ops": {"edge__placement_plan": {"config": config}}},
        raise_on_error=False,
    )


def tick(rooms, now=NOON):
    """One evaluation of the schedule by a virtual clock."""
    context = dg.build_schedule_context(
        scheduled_execution_time=now, resources={name: rooms[name] for name in ("warehouse", "storage")}
    )
    return rebalance.build_schedule(WORLD)(context)


def test_a_day_within_its_band_is_skipped_and_it_is_said_why(rooms, sessions):
    publish(rooms, sessions)
    told = tick(rooms)
    assert isinstance(told, dg.SkipReason)
    assert told.skip_message.startswith("eu-north: within the band: 113 sessions, ")


def test_a_region_that_leaves_its_band_is_planned_by_its_day_and_filled_at_once(
    rooms, instance, sessions, surprised_lake, monkeypatch
):
    publish(rooms, sessions)
    assert plan(rooms, instance, today=TODAY.isoformat()).success
    store = rooms["storage"].store()
    night = read_current_plan(store, REGION)
    rooms["warehouse"] = surprised_lake
    assert isinstance(tick(rooms, NOON.replace(hour=8)), dg.SkipReason), "nobody has come for it yet"

    (request,) = tick(rooms)
    assert request.partition_key == REGION
    configs = {name: op["config"] for name, op in request.run_config["ops"].items()}
    link_bps = min(edge.origin_rate_bps for edge in WORLD.edges)
    assert configs["edge__fill"] == {"ignore_window": True, "rate_bps": rebalance.LINK_SHARE * link_bps}
    assert configs["edge__placement_plan"]["fill_budget_bytes"] == int(rebalance.LINK_SHARE * link_bps * 3600 / 8)

    result = plan(rooms, instance, **configs["edge__placement_plan"])
    assert [check.passed for check in result.get_asset_check_evaluations() if check.check_name == REPLAY_GATE] == [True]
    running = read_current_plan(store, REGION)
    assert night is not None
    assert running is not None

    def bytes_of_it(made):
        return made.rows.filter(pl.col("title_id") == HOT)["size_bytes"].sum()

    assert bytes_of_it(running) > bytes_of_it(night)
    record = next(read_plans(store, REGION))
    assert record.plan_id == running.plan_id
    assert record.rebalanced_at == dt.datetime.fromisoformat(configs["edge__placement_plan"]["rebalance_at"])
    assert (record.first_day, record.replay_day) == (TODAY, TODAY), "the gate replays the day so far"
    # what saw the day is not what is held against it
    assert [made.plan_id for made in read_plans_of_day(store, REGION, TODAY)] == [night.plan_id]
    assert next(read_plans_of_day(store, REGION, TODAY + dt.timedelta(days=1))).plan_id == running.plan_id

    assert isinstance(tick(rooms, NOON + dt.timedelta(minutes=5)), dg.SkipReason), "the plan in force knows of it"

    nonsense = pl.DataFrame({"region_id": [REGION], "title_id": ["t-18"], "sessions": [50.0]})
    monkeypatch.setattr("orchestration.defs.edge.planning.expect_a_day_ahead", lambda *_: nonsense)
    assert not plan(rooms, instance, rebalance_at=NOON.isoformat()).success, "the gate stands by day too"
    assert store.read_bytes(current_plan_key(REGION)).decode() == running.plan_id


def test_what_was_refused_is_not_planned_again_until_more_has_changed(
    rooms, instance, sessions, surprised_lake, monkeypatch
):
    publish(rooms, sessions)
    assert plan(rooms, instance, today=TODAY.isoformat()).success
    night = rooms["storage"].store().read_bytes(current_plan_key(REGION))
    rooms["warehouse"] = surprised_lake
    (request,) = tick(rooms)
    nonsense = pl.DataFrame({"region_id": [REGION], "title_id": ["t-18"], "sessions": [50.0]})
    with monkeypatch.context() as patched:
        patched.setattr("orchestration.defs.edge.planning.expect_a_day_ahead", lambda *_: nonsense)
        config = request.run_config["ops"]["edge__placement_plan"]["config"]
        assert not plan(rooms, instance, **config).success, "the gate refuses it"
    assert rooms["storage"].store().read_bytes(current_plan_key(REGION)) == night

    told = tick(rooms, NOON + dt.timedelta(minutes=20))
    assert isinstance(told, dg.SkipReason)
    assert told.skip_message.startswith("eu-north: within the band: ")
    assert f"a plan of {dt.datetime.fromisoformat(config['rebalance_at'])} was refused" in told.skip_message
    (later,) = tick(rooms, NOON + dt.timedelta(hours=6))
    assert later.partition_key == REGION, "they come on and on, more than the day so far had told"


@pytest.mark.parametrize(
    ("hour", "reason"),
    [(12, "no plan is in force"), (0, "the night's plan and fill are due")],
    ids=["nothing to balance", "an hour before the window"],
)
def test_a_region_waits_for_what_comes_anyway(rooms, sessions, lake_of, hour, reason):
    publish(rooms, sessions)
    early = sessions.filter(pl.col("event_day") == TODAY).with_columns(
        title_id=pl.lit(HOT), started_at=pl.lit(dt.datetime(2026, 11, 22, hour, 20))
    )
    rooms["warehouse"] = lake_of(pl.concat([sessions, early]))
    told = tick(rooms, NOON.replace(hour=hour))
    assert isinstance(told, dg.SkipReason)
    assert "outside the band" in told.skip_message
    assert reason in told.skip_message


def test_what_cannot_be_judged_is_told(rooms, sessions, put_table):
    assert "no object forecasts/CURRENT" in tick(rooms).skip_message
    publish(rooms, sessions)
    assert "nothing says how the day goes" in tick(rooms, NOON + dt.timedelta(days=1)).skip_message
    assert "the forecast lacks 2026-11-21" in tick(rooms, NOON - dt.timedelta(days=1)).skip_message
