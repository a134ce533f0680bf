import datetime as dt
import os

import dagster as dg
import msgspec
import polars as pl

from orchestration.defs.demand.forecast_store import publish_forecast, store_forecast, store_mentions
from orchestration.defs.edge.plan_store import PlanRecord
from orchestration.defs.ops.kept_day import keep_day, read_day
from orchestration.defs.ops.retention import KEPT, published_retention, sweep_published
from orchestration.edge import current_plan_key, plan_key
from orchestration.resources.storage import MediaStorage
from orchestration.store import LocalStore

NOW = dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)
REGION = "eu-north"
SUFFIXES = (".parquet", ".reasons.parquet", ".json")


def age(store, key, days):
    moment = (NOW - dt.timedelta(days=days)).timestamp()
    os.utime(store.local_path(key), (moment, moment))


def put_plan(store, days, *, accepted, forecast_id="", hour=2):
    """A plan that was made so many days ago for its day; returns its id."""
    day = (NOW - dt.timedelta(days=days)).date()
    plan_id = f"{day:%Y%m%d}t{hour:02}0000-{days}"
    record = PlanRecord(
        plan_id=plan_id, region_id=REGION, forecast_id=forecast_id, first_day=day, replay_day=day, accepted=accepted,
        reason="", expected_hit_ratio=0.5, expected_start_ratio=0.5, placed_bytes=1, titles_with_prefix=1,
        titles_in_catalogue=1, edges=[], replay=[], notes=[],
    )  # fmt: skip
    for suffix in SUFFIXES:
        key = plan_key(REGION, plan_id).removesuffix(".parquet") + suffix
        store.put_bytes(key, msgspec.json.encode(record) if suffix == ".json" else b"rows")
        age(store, key, days)
    return plan_id


def put_forecast(store, days):
    made_on = (NOW - dt.timedelta(days=days)).date()
    forecast_id = store_forecast(store, pl.DataFrame({"day": [made_on], "sessions": [1.0 + days]}), made_on)
    age(store, f"forecasts/{forecast_id}.parquet", days)
    return forecast_id


def plans_left(store):
    return {key.rpartition("/")[2].partition(".")[0] for key in store.keys(f"plans/{REGION}")} - {"CURRENT"}


def test_what_is_young_in_force_or_needed_by_it_stays_and_the_rest_goes(tmp_path):
    store = LocalStore(tmp_path)
    of_running, unused, young = put_forecast(store, 61), put_forecast(store, 60), put_forecast(store, 3)
    published = put_forecast(store, 40)
    publish_forecast(store, published)
    put_plan(store, 90, accepted=True)
    before = put_plan(store, 70, accepted=True)
    put_plan(store, 65, accepted=False)
    running = put_plan(store, 60, accepted=True, forecast_id=of_running)
    put_plan(store, 50, accepted=False)
    fresh = put_plan(store, 2, accepted=False)
    store.put_bytes(current_plan_key(REGION), running.encode(), replace=True)

    table = sweep_published(store, NOW)
    assert plans_left(store) == {before, running, fresh}
    assert all(len([key for key in store.keys(f"plans/{REGION}") if kept in key]) == 3 for kept in (running, fresh))
    left = {key.removeprefix("forecasts/").removesuffix(".parquet") for key in store.keys("forecasts")} - {"CURRENT"}
    assert left == {of_running, published, young}
    assert unused not in left
    rows = {row["area"]: row for row in table.iter_rows(named=True)}
    assert (rows[f"plans/{REGION}"]["files"], rows[f"plans/{REGION}"]["removed"]) == (18, 9)
    assert rows["forecasts"]["removed"] == 1
    assert rows["forecasts"]["removed_bytes"] > 0
    assert sweep_published(store, NOW)["removed"].sum() == 0, "a second round finds nothing"


def test_what_stood_before_a_day_that_was_balanced_twice_stays(tmp_path):
    store = LocalStore(tmp_path)
    put_plan(store, 71, accepted=True)
    kept = {put_plan(store, 70, accepted=True), *(put_plan(store, 60, accepted=True, hour=at) for at in (2, 11, 15))}
    sweep_published(store, NOW)
    assert plans_left(store) == kept


def test_the_forecast_of_every_plan_that_stays_stays(tmp_path):
    """Plans of this month were made from an old forecast, for want of another; now there is one."""
    store = LocalStore(tmp_path)
    old, unused = put_forecast(store, 45), put_forecast(store, 44)
    for days in (20, 10, 9, 8):
        put_plan(store, days, accepted=True, forecast_id=old if days == 20 else "another")
    publish_forecast(store, put_forecast(store, 1))
    sweep_published(store, NOW)
    assert [store.exists(f"forecasts/{one}.parquet") for one in (old, unused)] == [True, False]


def test_the_newest_of_an_area_stays_however_old(tmp_path):
    store = LocalStore(tmp_path)
    days = [dt.date(2026, 1, 1), dt.date(2026, 1, 2)]
    keys = [keep_day(store, "hindsight", day, str(day).encode(), form="parquet") for day in days]
    mentions = [store_mentions(store, pl.DataFrame({"mentions": [count]})) for count in (1, 2)]
    for key in (*keys, *mentions):
        age(store, key, 99)
    sweep_published(store, NOW)
    assert [store.exists(key) for key in (*keys, *mentions)] == [False, True, False, True]
    assert read_day(store, "hindsight", days[1]) is not None


def test_the_asset_shows_what_went(tmp_path):
    storage = MediaStorage(root=str(tmp_path))
    plan_id = put_plan(storage.store(), 400, accepted=False)
    for suffix in SUFFIXES:  # by the asset's own clock
        key = plan_key(REGION, plan_id).removesuffix(".parquet") + suffix
        os.utime(storage.store().local_path(key), (0, 0))
    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize([published_retention], resources={"storage": storage}, instance=instance)
    told = result.asset_materializations_for_node("ops__published_retention")[0].metadata
    assert (told["removed"].value, told["kept_days"].value) == (3, KEPT.days)
    assert f"| plans/{REGION} | 3 | 3 |" in told["areas"].value
