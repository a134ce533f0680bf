"""The loop in miniature, with everything real: masters, encodes, processes, HTTP, the lake, dbt, MLflow, fills.

A master lands; the SDK plays it; its beats reach the marts; they train a model and make a forecast; the forecast makes
a plan; the plan is filled; the next play comes from what was placed.
"""

import datetime as dt
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from ml.tracking import Tracker
from orchestration.defs.recommender.registry import TOP_N
from orchestration.demo.board import Board
from orchestration.demo.loop import go_round
from orchestration.demo.options import PLACED, PULL_ONLY, DemoOptions
from orchestration.demo.stages import Stages
from orchestration.demo.state import DemoState
from orchestration.demo.summary import DemoSummary, write_summary
from orchestration.edge.topology import Network, read_network
from orchestration.resources.warehouse import Warehouse
from orchestration.sample import WorldSize
from orchestration.sample.masters import generate_broken_master, generate_masters
from orchestration.services import ServiceFleet, choose_ports
from orchestration.settings import Settings, read_settings

SESSIONS = 24
SIZE = WorldSize(titles=40, viewers=150, history_days=42, sessions=12_000)
CAPACITY_SHARE = 0.3
"""A twentieth of forty titles is two, too few to tell a plan from luck."""


NETWORK = Network(
    regions=read_network().regions,
    edges=tuple(replace(edge, capacity_share=CAPACITY_SHARE) for edge in read_network().edges),
)


def _options() -> DemoOptions:
    return DemoOptions(exit_at_end=True, sessions_per_wave=SESSIONS, world_size=SIZE)


def _go(settings: Settings, state: DemoState) -> DemoSummary:
    with ServiceFleet(settings.home / "logs") as fleet:
        stages = Stages(
            settings=settings,
            network=NETWORK,
            state=state,
            board=Board(Console(file=io.StringIO())),
            fleet=fleet,
            options=_options(),
        )
        return go_round(stages, state)


@pytest.fixture(scope="module")
def loop(tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, DemoState, DemoSummary]:
    home = tmp_path_factory.mktemp("loop")
    masters = home / "delivered"
    generate_masters(masters, count=2, duration_s=9.0)
    generate_broken_master(masters)
    now = dt.datetime.now(dt.UTC)
    environment = {
        "MATINEE_HOME": str(home),
        "MATINEE_MASTERS": str(masters),
        "MATINEE_FIRST_EVENT_DAY": (now - dt.timedelta(days=42)).date().isoformat(),
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        settings = choose_ports(read_settings(environment))
        state = DemoState(world="sample", seed=3, now=now)
        yield settings, state, _go(settings, state)


def test_masters_are_published_and_a_bad_one_is_set_apart(loop) -> None:
    _, _, summary = loop
    assert summary.titles_published == SIZE.titles + 2
    assert [report["file"] for report in summary.quarantined] == ["lost-in-transfer.mp4"]
    assert summary.quarantined[0]["reason"]
    assert summary.quarantined[0]["hint"]


def test_every_beat_that_was_accepted_is_in_the_lake(loop) -> None:
    _, _, summary = loop
    assert summary.sessions_played == SESSIONS // 2 + 2 * SESSIONS
    assert summary.beats_lost == 0
    assert summary.beats_in_lake == summary.beats_accepted > SIZE.sessions


def test_the_marts_know_the_sessions_that_were_played(loop) -> None:
    settings, _, summary = loop
    sessions = Warehouse(lake_folder=str(settings.lake_folder)).read("marts.fct_sessions")
    # Of a session that is played, the id is random: it may begin as those of the history do, but not go on like them.
    played = sessions.filter(~sessions["session_id"].str.contains(r"^h-\d{6}-\d+-\d{8}$"))
    assert len(played) == summary.sessions_played
    assert played["seconds_watched"].sum() > 0


def test_the_placed_wave_is_served_from_the_edge(loop) -> None:
    _, _, summary = loop
    assert summary.edge_hit_ratio.placed > summary.edge_hit_ratio.pull_only
    assert summary.startup_s.placed < summary.startup_s.pull_only
    assert {line.wave for line in summary.experience} == {PULL_ONLY, PLACED}


def test_a_model_was_trained_judged_and_serves_only_if_it_was_promoted(loop) -> None:
    settings, _, summary = loop
    tracker = Tracker(settings.mlflow_uri, settings.mlflow_artifact_folder)
    newest, champion = tracker.latest(TOP_N), tracker.champion(TOP_N)
    assert newest is not None
    assert newest.metrics["ndcg_at_10"] > 0
    # So small a world may hold nothing that beats popularity; then nothing may serve.
    assert summary.model.name == (TOP_N if champion else "")
    assert summary.forecast.published in ("lightgbm", "persistence-decay")
    assert summary.snapshot_id


def test_the_summary_reads_back(loop, tmp_path: Path) -> None:
    _, _, summary = loop
    write_summary(summary, tmp_path / "summary.json")
    read = json.loads((tmp_path / "summary.json").read_text())
    assert read["beats_in_lake"] == summary.beats_in_lake
    assert all(line["seconds"] >= 0 for line in read["stages"])


def test_going_round_again_encodes_nothing_and_ingests_a_new_wave(loop) -> None:
    settings, state, first = loop
    renditions = {path: path.stat().st_mtime_ns for path in settings.store_folder.glob("media/*/r/*/init.mp4")}
    again = _go(settings, state)
    assert {path: path.stat().st_mtime_ns for path in settings.store_folder.glob("media/*/r/*/init.mp4")} == renditions
    by_name = {line.name: line for line in again.stages}
    assert by_name["Encode and package"].count == 0
    assert again.beats_in_lake == again.beats_accepted > first.beats_in_lake
    assert again.sessions_played == 2 * SESSIONS
