import datetime as dt

import dagster as dg
import numpy as np
import polars as pl
import pytest

from ml.forecasting import FALLBACK, MODEL
from ml.forecasting.backtest import EXAMPLES_SCHEMA
from ml.forecasting.breakdown import CALIBRATION_SCHEMA, SLICES_SCHEMA
from ml.forecasting.model import IMPORTANCE_SCHEMA
from orchestration.defs.demand import build_defs
from orchestration.defs.demand.audience import ADDS_UP, demand_audience
from orchestration.defs.demand.backtest import demand_backtest
from orchestration.defs.demand.forecast import BLOCKING, demand_forecast
from orchestration.defs.demand.forecast_rules import (
    COMPLETE,
    DRIFT,
    ORDERED,
    PLAUSIBLE,
    REGIONS,
    examine,
)
from orchestration.defs.demand.forecast_store import (
    AUDIENCE_POINTER_KEY,
    POINTER_KEY,
    BacktestRecord,
    publish_forecast,
    read_backtest,
    read_current_forecast,
    store_backtest,
    store_forecast,
)
from orchestration.defs.demand.plots import plot_breakdown, plot_examples
from orchestration.edge.topology import read_network
from orchestration.resources.storage import MediaStorage
from orchestration.resources.tracking import ModelTracking
from orchestration.resources.warehouse import Warehouse
from orchestration.settings import read_settings

TODAY = dt.date(2026, 11, 22)
REGIONS_OF_SEEDS = [region.region_id for region in read_network().regions]


def make_demand(days: int, titles: int = 15) -> pl.DataFrame:
    rng = np.random.default_rng(2)
    rows = [
        (region, f"t-{title:02d}", TODAY - dt.timedelta(days=back), int(sessions))
        for region in REGIONS_OF_SEEDS[:2]
        for back in range(days, -1, -1)
        for title, sessions in enumerate(rng.poisson(40.0 / (1 + np.arange(titles))))
        if sessions
    ]
    schema = {"region_id": pl.String, "title_id": pl.String, "event_day": pl.Date, "sessions": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row")


TITLES = pl.DataFrame(
    {
        "title_id": [f"t-{title:02d}" for title in range(16)],
        "name": [f"Title {title}" for title in range(16)],
        "release_date": [dt.date(2020, 1, 1)] * 15 + [TODAY + dt.timedelta(days=2)],
        "licence_start": [None] * 16,
        "licence_end": [*[None] * 13, TODAY + dt.timedelta(days=1), None, None],
        "genres": [["drama"]] * 16,
        "language": ["en"] * 16,
        "kind": ["film"] * 16,
    },
    schema_overrides={"licence_start": pl.Date, "licence_end": pl.Date},
)


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """A lake and MLflow's database cost seconds to make; no test depends on what another one left in them."""
    folder = tmp_path_factory.mktemp("shared")
    return {
        "warehouse": Warehouse(lake_folder=str(folder / "lake")),
        "tracking": ModelTracking(
            tracking_uri=f"sqlite:///{folder / 'mlflow.db'}", artifact_folder=str(folder / "artifacts")
        ),
    }


@pytest.fixture
def rooms(shared, tmp_path):
    return {**shared, "storage": MediaStorage(root=str(tmp_path / "store"))}


def materialize(assets, rooms, **config):
    selected = {asset.op.name: {"config": {"today": TODAY.isoformat(), **config}} for asset in assets}
    return dg.materialize(
        assets,
        resources=rooms,
        instance=dg.DagsterInstance.ephemeral(),
        run_config={"ops": selected},
        raise_on_error=False,
    )


def metadata_of(result, key):
    event = result.asset_materializations_for_node("__".join(key))[0]
    return {name: value.value for name, value in event.metadata.items()}


def test_backtest_and_forecast_run_from_the_lake_to_the_store(rooms, put_table):
    put_table(rooms["warehouse"], "serving.srv_demand_daily", make_demand(days=30))
    put_table(rooms["warehouse"], "serving.srv_titles", TITLES)
    result = materialize([demand_backtest, demand_forecast], rooms)
    assert result.success
    evaluations = {check.check_name: check.passed for check in result.get_asset_check_evaluations()}
    assert evaluations == {COMPLETE: True, REGIONS: True, ORDERED: True, PLAUSIBLE: True, DRIFT: True}

    tested = metadata_of(result, ["demand", "backtest"])
    assert "persistence" in tested["metrics"]
    for picture in ("forecast_and_actual", "errors_quantiles_features"):
        assert tested[picture].startswith("![")
    assert "| age | older |" in tested["slices"]
    assert "| 0 | 0.9 |" in tested["calibration"]
    client = rooms["tracking"].tracker()._client
    kept = {item.path for folder in ("", "plots") for item in client.list_artifacts(tested["mlflow_run"], folder)}
    assert {"slices.md", "calibration.md", "features.md", "plots/errors-quantiles-features.png"} <= kept
    assert "region/eu-north/wape_total" in client.get_run(tested["mlflow_run"]).data.metrics
    assert tested["published_method"] in (MODEL, FALLBACK)

    made = metadata_of(result, ["demand", "forecast"])
    assert "| all |" in made["totals"]
    assert made["method"] == tested["published_method"]
    assert made["reason"] == tested["reason"]
    assert made["stale_days"] == 0
    forecast_id, frame = read_current_forecast(rooms["storage"].store())
    assert forecast_id == made["forecast_id"]
    assert len(frame) == len(REGIONS_OF_SEEDS) * 16 * 7
    assert frame["day"].min() == TODAY
    assert set(frame["region_id"]) == set(REGIONS_OF_SEEDS)
    assert frame["model"].unique().to_list() == [made["method"]]
    leaving = frame.filter((pl.col("title_id") == "t-13") & (pl.col("region_id") == REGIONS_OF_SEEDS[0])).sort("day")
    assert [sessions > 0 for sessions in leaving["sessions"]] == [True, True, *[False] * 5]
    assert "Guru Nanak's Birthday" in made["holidays"], "on 24 November, in South Asia"
    assert tested["holidays"] > 0
    cold = frame.filter(pl.col("region_id") == REGIONS_OF_SEEDS[2])
    assert cold["sessions"].sum() > 100, "nothing was watched there, so it is foretold from the regions it is like"


def test_the_forecast_in_force_is_dealt_to_the_age_bands_of_its_viewers(rooms, put_table):
    store = rooms["storage"].store()
    put_table(rooms["warehouse"], "serving.srv_titles", TITLES)
    plays = [
        (
            "eu-north",
            f"t-{title:02d}",
            ("18-24", "65+")[title % 2] if title else "unknown",
            TODAY - dt.timedelta(days=back),
        )
        for title in range(6)
        for back in range(0, 41)
    ]
    schema = ["region_id", "title_id", "age_band", "event_day"]
    put_table(rooms["warehouse"], "serving.srv_viewing", pl.DataFrame(plays, schema, orient="row"))
    assert not materialize([demand_audience], rooms).success, "there is no forecast yet"

    ahead = pl.DataFrame({"region_id": "eu-north", "title_id": ["t-01", "t-02"], "day": TODAY, "sessions": [8.0, 2.0]})
    publish_forecast(store, store_forecast(store, ahead, TODAY))
    result = materialize([demand_audience], rooms)
    assert result.success
    assert [(check.check_name, check.passed) for check in result.get_asset_check_evaluations()] == [(ADDS_UP, True)]
    dealt = pl.read_parquet(store.read_bytes(store.read_bytes(AUDIENCE_POINTER_KEY).decode()))
    by = {(title, band): sessions for _, title, _, band, sessions in dealt.iter_rows()}
    assert by["t-01", "65+"] > 5
    assert by["t-02", "18-24"] > 1.5 * by["t-02", "65+"]
    assert by["t-01", "unknown"] > 0, "of a viewer who is not in the catalogue any more"
    assert sum(by.values()) == pytest.approx(10.0)
    assert "| eu-north | 65+ | t-01 | Title 1 |" in metadata_of(result, ["demand", "audience"])["stand_out"]


def test_three_days_of_history_publish_the_fallback_and_say_why(rooms, put_table):
    put_table(rooms["warehouse"], "serving.srv_demand_daily", make_demand(days=3))
    put_table(rooms["warehouse"], "serving.srv_titles", TITLES)
    result = materialize([demand_backtest, demand_forecast], rooms)
    assert result.success
    made = metadata_of(result, ["demand", "forecast"])
    assert made["method"] == FALLBACK
    assert "no model" in made["reason"]


def test_an_empty_table_still_gives_a_forecast(rooms, put_table):
    put_table(rooms["warehouse"], "serving.srv_demand_daily", make_demand(days=0).head(0))
    put_table(rooms["warehouse"], "serving.srv_titles", TITLES)
    result = materialize([demand_backtest, demand_forecast], rooms)
    assert result.success
    _, frame = read_current_forecast(rooms["storage"].store())
    assert frame["sessions"].sum() == 0


def test_up_to_fourteen_days_ahead_may_be_asked_for(rooms, put_table):
    put_table(rooms["warehouse"], "serving.srv_demand_daily", make_demand(days=20))
    put_table(rooms["warehouse"], "serving.srv_titles", TITLES)
    decision = BacktestRecord(today=TODAY, published=MODEL, reason="because", wape_total={})
    store_backtest(rooms["storage"].store(), decision)
    assert not materialize([demand_forecast], rooms, horizon_days=15).success
    tested = metadata_of(materialize([demand_backtest], rooms, horizon_days=8), ["demand", "backtest"])
    assert f"| {FALLBACK} | 8 |" in tested["metrics"]
    store_backtest(rooms["storage"].store(), decision)
    result = materialize([demand_forecast], rooms, horizon_days=14)
    assert "sessions in 14 days" in metadata_of(result, ["demand", "forecast"])["top_titles"]
    _, frame = read_current_forecast(rooms["storage"].store())
    assert (frame["day"].n_unique(), frame["model"].unique().to_list()) == (14, [MODEL])
    assert frame["day"].max() == TODAY + dt.timedelta(days=13)


def test_a_table_that_is_missing_is_named(rooms, tmp_path):
    empty = {**rooms, "warehouse": Warehouse(lake_folder=str(tmp_path / "empty"))}
    result = materialize([demand_forecast], empty)
    assert not result.success
    failure = next(event for event in result.all_events if event.is_step_failure)
    assert "srv_demand_daily" in failure.step_failure_data.error.to_string()


def test_a_forecast_that_breaks_a_blocking_rule_is_not_published(rooms, monkeypatch, put_table):
    put_table(rooms["warehouse"], "serving.srv_demand_daily", make_demand(days=10))
    put_table(rooms["warehouse"], "serving.srv_titles", TITLES)
    monkeypatch.setattr(
        "orchestration.defs.demand.forecast.forecast",
        lambda *args, **kwargs: pl.DataFrame(
            {"region_id": ["eu-north"], "title_id": ["t-00"], "day": [TODAY], "sessions": [float("nan")]}
        ).with_columns(chance=pl.lit(1.0), q10=pl.lit(2.0), q50=pl.lit(1.0), q90=pl.lit(3.0), model=pl.lit("x")),
    )
    result = materialize([demand_forecast], rooms)
    failed = {check.check_name for check in result.get_asset_check_evaluations() if not check.passed}
    assert set(BLOCKING) <= failed
    assert not rooms["storage"].store().exists(POINTER_KEY)


def test_forecasts_that_go_worse_than_their_backtest_are_a_warning(rooms, put_table):
    demand = make_demand(days=20)
    put_table(rooms["warehouse"], "serving.srv_demand_daily", demand)
    put_table(rooms["warehouse"], "serving.srv_titles", TITLES)
    store = rooms["storage"].store()
    decision = BacktestRecord(today=TODAY, published=FALLBACK, reason="because", wape_total={}, wape_next_day=0.4)
    store_backtest(store, decision)
    day = TODAY - dt.timedelta(days=1)
    made = demand.filter(pl.col("event_day") == day).select(
        "region_id", "title_id", pl.lit(day).alias("day"), pl.col("sessions").cast(pl.Float64), q10=0.0, q90=99.0
    )

    def told_of(factor):
        store_forecast(store, made.with_columns(pl.col("sessions") * factor), day - dt.timedelta(days=int(factor == 1)))
        result = materialize([demand_forecast], rooms)
        (check,) = [one for one in result.get_asset_check_evaluations() if one.check_name == DRIFT]
        assert metadata_of(result, ["demand", "forecast"])["forecast_and_actual"].startswith("![")
        return check.passed, check.severity, check.description

    assert told_of(1)[0]
    passed, severity, said = told_of(2)
    assert (passed, severity) == (False, dg.AssetCheckSeverity.WARN)
    assert said == "WAPE 1.000 over 1 days, 0.400 one day ahead in the back-test: ratio 2.50, allowed 1.25"


def test_an_implausible_total_is_a_finding():
    frame = pl.DataFrame({"region_id": ["r"], "title_id": ["t"], "day": [TODAY], "sessions": [1000.0]}).with_columns(
        chance=pl.lit(1.0), q10=pl.lit(1.0), q50=pl.lit(1.0), q90=pl.lit(1.0)
    )
    demand = pl.DataFrame({"region_id": ["r"], "title_id": ["t"], "event_day": [TODAY], "sessions": [10]})
    findings = {finding.rule: finding for finding in examine(frame, demand, ["r", "other"])}
    assert not findings[PLAUSIBLE].passed
    assert "ratio 100" in findings[PLAUSIBLE].detail
    assert not findings[REGIONS].passed
    assert findings[COMPLETE].passed


def test_the_newest_backtest_decides(rooms):
    store = rooms["storage"].store()
    assert read_backtest(store) is None
    for published in (FALLBACK, MODEL):
        store_backtest(store, BacktestRecord(today=TODAY, published=published, reason="because", wape_total={}))
    record = read_backtest(store)
    assert record is not None
    assert record.published == MODEL


def test_nothing_to_show_gives_no_picture():
    assert plot_examples(pl.DataFrame(schema=EXAMPLES_SCHEMA)) is None
    nothing = (pl.DataFrame(schema=schema) for schema in (SLICES_SCHEMA, CALIBRATION_SCHEMA, IMPORTANCE_SCHEMA))
    assert plot_breakdown(*nothing) is None


def test_the_stage_is_filed_under_its_key_and_described(tmp_path):
    definitions = build_defs(read_settings({"MATINEE_HOME": str(tmp_path)}))
    keys = {spec.key.to_user_string(): spec for asset in definitions.assets or () for spec in asset.specs}
    for key in ("demand/backtest", "demand/forecast", "demand/audience"):
        assert keys[key].group_name == "demand"
        assert keys[key].owners
        assert "Grain:" in keys[key].description
