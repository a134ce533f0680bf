"""The commands of the champion: what they wait for, and what they say when a job fails. How they move it is tested
with models, in ``tests/integration/test_training.py``."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from orchestration.automation import UPDATE_RECOMMENDATIONS
from orchestration.champion import ChampionError, Move, publish_move
from orchestration.settings import read_settings

PROJECT = Path(__file__).resolve().parents[3]
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


def test_a_move_that_is_not_published_tells_where_things_stand_and_how_to_go_on(tmp_path, monkeypatch):
    @dg.asset
    def lists() -> None:
        raise ValueError("the disk is full")

    job = dg.define_asset_job(UPDATE_RECOMMENDATIONS, [lists])
    monkeypatch.setattr(
        "orchestration.build.build_definitions", lambda settings: dg.Definitions(assets=[lists], jobs=[job])
    )
    move = Move(told="version 3 is the champion now", again="matinee champion promote 3")
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
