"""The command that moves the champion, on a real registry."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from ml.tracking import CHALLENGER, ModelSignature, Tracker
from orchestration import champion
from orchestration.automation import UPDATE_RECOMMENDATIONS
from orchestration.champion import ChampionError, describe, make_champion, publish_move, put_on_trial, roll_back
from orchestration.defs.recommender.registry import PRIMARY_METRIC, TOP_N
from orchestration.settings import read_settings

PROJECT = Path(__file__).resolve().parents[3]
SIGNATURE = ModelSignature(inputs={"viewer_id": "string"}, outputs={"title_id": "string"})
WHAT_READING_LOADS = """
import sys
import ml.forecasting, orchestration.champion, orchestration.why
print(sorted({"dagster", "mlflow", "scipy.stats", "surprise"} & set(sys.modules)))
"""
SHOW = """
import sys
from orchestration.cli import app
status = app(["champion", "show"], result_action="return_value")
print(status, "dagster" in sys.modules)
"""


@pytest.fixture
def tracker(tmp_path) -> Tracker:
    tracker = Tracker(f"sqlite:///{tmp_path}/mlflow.db", tmp_path / "artifacts")
    for number in (1, 2):
        folder = tmp_path / str(number)
        folder.mkdir()
        with tracker.run("tests", "top-n") as run:
            run.log_metrics({PRIMARY_METRIC: number / 10})
            tracker.register(run, TOP_N, folder, signature=SIGNATURE)
    return tracker


def test_a_version_is_tried_promoted_and_taken_back(tracker, monkeypatch):
    monkeypatch.setattr(champion, "declared_trial", lambda today: "autumn")
    assert make_champion(tracker, 1).again == "matinee champion promote 1"
    with pytest.raises(ChampionError, match="version 1 is the champion"):
        put_on_trial(tracker, 1)
    assert tracker.aliased(TOP_N, CHALLENGER) is None
    assert put_on_trial(tracker, 2).again == "matinee champion try 2"
    assert describe(tracker) == [
        "champion: version 1, NDCG@10 0.1000 when it was trained",
        "challenger: version 2, NDCG@10 0.2000 when it was trained",
        "previous: none",
        "newest: version 2, NDCG@10 0.2000 when it was trained",
    ]
    assert make_champion(tracker, None).told == "version 2 is the champion now"
    assert roll_back(tracker).again == "matinee champion promote 1", "rolling back again would undo it"
    with pytest.raises(ChampionError, match="no model is on trial"):
        make_champion(tracker, None)


def test_without_a_declared_trial_nothing_is_tried(tracker, monkeypatch):
    monkeypatch.setattr(champion, "declared_trial", lambda today: "")
    with pytest.raises(ChampionError, match="declare one"):
        put_on_trial(tracker, 2)
    assert tracker.aliased(TOP_N, CHALLENGER) is None


def test_a_move_that_is_not_published_tells_where_things_stand_and_how_to_go_on(tmp_path, monkeypatch):
    @dg.asset
    def lists() -> None:
        raise ValueError("the disk is full")

    job = dg.define_asset_job(UPDATE_RECOMMENDATIONS, [lists])
    monkeypatch.setattr(
        "orchestration.build.build_definitions", lambda settings: dg.Definitions(assets=[lists], jobs=[job])
    )
    move = champion.Move(told="version 3 is the champion now", again="matinee champion promote 3")
    told = publish_move(read_settings({"MATINEE_HOME": str(tmp_path)}), move)
    assert next(told) == move.told
    with pytest.raises(ChampionError, match=r"(?s)the disk is full.*not published.*`matinee champion promote 3`"):
        next(told)


def test_who_only_reads_does_not_wait_for_what_builds() -> None:
    probe = [sys.executable, "-c", WHAT_READING_LOADS]
    assert subprocess.run(probe, cwd=PROJECT, capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_a_new_installation_has_no_champion_and_says_nothing_else(tmp_path) -> None:
    shown = subprocess.run(
        [sys.executable, "-c", SHOW],
        cwd=PROJECT,
        env={**os.environ, "MATINEE_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout.splitlines() == [
        "champion: none",
        "challenger: none",
        "previous: none",
        "newest: none",
        "0 False",
    ]
    assert shown.stderr == ""
