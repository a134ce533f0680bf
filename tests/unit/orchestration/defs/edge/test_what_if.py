import datetime as dt
import json
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from ml.placement import LRU
from orchestration.cli import app
from orchestration.defs.demand.forecast_store import publish_forecast, store_forecast
from orchestration.defs.edge.planning import PlanConfig, read_plan_inputs
from orchestration.defs.edge.what_if import (
    PLAN,
    WHOLE_REGION,
    Capacity,
    Scenario,
    WhatIfError,
    read_scenarios,
    sweep,
)
from orchestration.resources.edges import EdgeFleet
from orchestration.store import LocalStore

TODAY = dt.date(2026, 11, 22)
REGION = "eu-north"
DAYS = [TODAY - dt.timedelta(days=2), TODAY - dt.timedelta(days=1)]


@pytest.fixture(scope="module")
def home(warehouse, tmp_path_factory) -> Path:
    """An installation with the lake of the other tests and a forecast that no answer here is made from."""
    folder = tmp_path_factory.mktemp("home")
    (folder / "lake").symlink_to(warehouse.lake_folder)
    # not the seeds' ports, where somebody may have edges up
    (folder / "world.toml").write_text(
        '[edge_urls]\neu-north-1 = "http://127.0.0.1:9"\neu-north-2 = "http://127.0.0.1:9"\n'
    )
    store = LocalStore(folder / "store")
    some = pl.DataFrame({"region_id": [REGION], "title_id": ["t-19"], "day": [TODAY], "sessions": [1.0]})
    publish_forecast(store, store_forecast(store, some, TODAY))
    return folder


@pytest.fixture(scope="module")
def inputs(warehouse, home):
    fleet = EdgeFleet(secret="s", urls={})
    return read_plan_inputs(REGION, PlanConfig(today=TODAY.isoformat()), warehouse, LocalStore(home / "store"), fleet)


@pytest.fixture(scope="module")
def demand():
    titles = [f"t-{index:02d}" for index in range(20)]
    expected = pl.DataFrame(
        {"region_id": REGION, "title_id": titles, "sessions": [50.0 / rank for rank in range(1, 21)]}
    )
    return dict.fromkeys(DAYS, expected)


def of(rows, placement, edge_id=WHOLE_REGION):
    return rows.filter((pl.col("placement") == placement) & (pl.col("edge_id") == edge_id))


def test_every_combination_is_asked():
    asked = read_scenarios(["capacity=0.5,2TB", "fill_budget=1.5GB,20MB"])
    assert asked == [
        Scenario(capacity=capacity, fill_budget=text, fill_budget_bytes=size_bytes)
        for text, size_bytes in (("1.5GB", 1_500_000_000), ("20MB", 20_000_000))
        for capacity in (Capacity(label="0.5", factor=0.5), Capacity(label="2TB", size_bytes=2e12))
    ]
    assert [scenario.capacity.of(400.0) for scenario in asked[:2]] == [200.0, 2e12]


@pytest.mark.parametrize(
    "questions",
    [["disk=2"], ["capacity"], ["capacity=0"], ["capacity=-1"], ["capacity=inf"], ["capacity=2,,4"], ["fill_budget=2"],
     ["upstream=3"],
     ["capacity=1", "capacity=2"]],
)  # fmt: skip
def test_what_cannot_be_read_says_how_it_is_asked(questions):
    with pytest.raises(WhatIfError, match=r"such as|ask capacity"):
        read_scenarios(questions)


def test_a_larger_disk_serves_more_and_asks_upstream_for_less(inputs, demand):
    rows = sweep(inputs, demand, read_scenarios(["capacity=0.5,1,4"]))
    planned, alone = of(rows, PLAN), of(rows, LRU)
    assert planned["capacity"].to_list() == ["0.5", "1", "4"]
    assert planned["byte_hit_ratio"].is_sorted()
    assert planned["byte_hit_ratio"][-1] > planned["byte_hit_ratio"][0] + 0.1
    assert planned["upstream_bytes_a_day"].is_sorted(descending=True)
    assert planned["peak_upstream_bps"].is_sorted(descending=True)
    assert planned["byte_hit_ratio"][0] > alone["byte_hit_ratio"][0]
    assert alone["first_fill_bytes"].to_list() == [0, 0, 0]
    today = dict(inputs.edges.select("edge_id", "capacity_bytes").iter_rows())
    for edge_id, capacity_bytes in today.items():
        assert of(rows, PLAN, edge_id)["capacity_bytes"].to_list() == [
            0.5 * capacity_bytes,
            capacity_bytes,
            4 * capacity_bytes,
        ]
    # edges add up to their region
    edges = rows.filter((pl.col("edge_id") != WHOLE_REGION) & (pl.col("placement") == PLAN))
    for name in ("sessions", "upstream_bytes_a_day", "first_fill_bytes"):
        sums = edges.group_by("capacity", maintain_order=True).agg(pl.col(name).sum())
        assert sums[name].to_list() == pytest.approx(planned[name].to_list())


def test_a_fill_budget_holds_every_night_and_what_is_there_stays(inputs, demand):
    unlimited, limited = (
        of(sweep(inputs, demand, read_scenarios(questions)), PLAN).row(0, named=True)
        for questions in ([], ["fill_budget=1kB"])
    )
    edges = len(inputs.edges)
    assert 0 < limited["first_fill_bytes"] <= 1000 * edges < unlimited["first_fill_bytes"]
    assert 0 < limited["fill_bytes_a_night"] <= 1000 * edges
    assert unlimited["fill_bytes_a_night"] < 0.2 * unlimited["first_fill_bytes"], "the second night keeps the first's"
    assert limited["local_start_ratio"] < unlimited["local_start_ratio"]


def test_an_upstream_limit_trades_local_starts_for_bytes(inputs, demand):
    unlimited, limited = (
        of(sweep(inputs, demand, read_scenarios(questions)), PLAN).row(0, named=True)
        for questions in ([], ["upstream=1kB"])
    )
    assert limited["upstream"] == "1kB"
    assert limited["upstream_bytes_a_day"] < unlimited["upstream_bytes_a_day"]
    assert limited["local_start_ratio"] < unlimited["local_start_ratio"]


def test_what_is_planned_knows_nothing_of_the_day_it_is_judged_by(inputs, demand):
    """Other sessions on the last day change what that day measures and not what was placed for it."""
    last = DAYS[-1]
    turned = inputs.requests.with_columns(
        title_id=pl.when(pl.col("event_day") == last).then(pl.lit("t-19")).otherwise("title_id"),
        seconds_watched=pl.when(pl.col("event_day") == last).then(1.0).otherwise("seconds_watched"),
    )
    scenarios = read_scenarios([])
    one = of(sweep(inputs, demand, scenarios), PLAN).row(0, named=True)
    other = of(sweep(replace(inputs, requests=turned), demand, scenarios), PLAN).row(0, named=True)
    assert one["upstream_bytes_a_day"] != other["upstream_bytes_a_day"]
    assert one["first_fill_bytes"] == other["first_fill_bytes"]
    assert one["fill_bytes_a_night"] == other["fill_bytes_a_night"]


def test_the_command_prints_draws_and_writes(home, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MATINEE_HOME", str(home))
    monkeypatch.setenv("COLUMNS", "200")
    plot, answers = tmp_path / "curve.png", tmp_path / "answers.json"
    asked = ["plan", "--what-if", "capacity=1,2", "--region", REGION, "--days", "2", "--today", TODAY.isoformat()]
    assert app([*asked, "--plot", str(plot), "--json", str(answers)], result_action="return_value") == 0
    said = capsys.readouterr().out
    assert "eu-north-1 does not answer" in said
    assert "Replayed 2026-11-20 to 2026-11-21" in said
    assert f"wrote {plot}\nwrote {answers}\n" in said
    assert plot.read_bytes().startswith(b"\x89PNG")
    told = json.loads(answers.read_text())
    assert told["days"] == [day.isoformat() for day in DAYS]
    assert {(row["capacity"], row["placement"]) for row in told["rows"]} == {
        (capacity, placement) for capacity in ("1", "2") for placement in (PLAN, LRU)
    }
    assert all(row["sessions"] > 0 for row in told["rows"])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--what-if", "capacity=1", "--region", "atlantis"], "unknown regions: atlantis"),
        (["--what-if", "capacity=1", "--days", "9"], "too few"),
        (["--what-if", "ram=2"], "ask capacity"),
    ],
)
def test_a_question_without_an_answer_ends_with_1(home, options, said, monkeypatch, capsys):
    monkeypatch.setenv("MATINEE_HOME", str(home))
    assert app(["plan", *options, "--today", TODAY.isoformat()], result_action="return_value") == 1
    assert said in capsys.readouterr().err
