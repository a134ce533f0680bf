import datetime as dt
import io

import polars as pl
import pytest
from rich.console import Console

from ml.forecasting.nowcast import measure_pace
from orchestration.cli import app
from orchestration.defs.edge.rebalance import RegionLook
from orchestration.pace import print_looks

NOON = dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)


def test_a_new_installation_is_told_what_is_missing(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MATINEE_HOME", str(tmp_path))
    assert app(["pace"], result_action="return_value") == 1
    told = capsys.readouterr().out
    assert told.count("cannot tell: ") == 3
    assert "srv_requests" in told


def test_a_moment_that_cannot_be_read_is_a_mistake(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MATINEE_HOME", str(tmp_path))
    assert app(["pace", "--at", "yesterday"], result_action="return_value") == 1
    assert "yesterday" in capsys.readouterr().err


@pytest.mark.parametrize(("sessions", "verdict"), [(30, "plan and fill"), (3, "nothing to do")])
def test_a_row_shows_what_was_seen_and_what_follows(sessions, verdict):
    forecast = pl.DataFrame({"title_id": ["t-1"], "sessions": [4.0], "q10": [1.0], "q90": [6.0]})
    pace = measure_pace(forecast, pl.DataFrame({"title_id": ["t-1"], "sessions": [sessions]}), 0.5)
    found = RegionLook(region_id="eu-north", pace=pace, moment=NOON, is_due=pace.leaves_band, reason=pace.describe())
    written = io.StringIO()
    print_looks([found], Console(file=written, width=120))
    assert f"eu-north: {verdict}: " in written.getvalue()
    assert ("t-1 30 / 2.0" in written.getvalue()) is (sessions == 30)
