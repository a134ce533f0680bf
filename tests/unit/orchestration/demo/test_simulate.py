import datetime as dt

import pytest

from orchestration.cli import app
from orchestration.demo.home_lock import lock_viewers
from orchestration.demo.state import DemoState, save_state
from orchestration.services import any_free_port


@pytest.fixture
def home(tmp_path, monkeypatch):
    state = DemoState(world="sample", seed=1, now=dt.datetime(2026, 11, 22, tzinfo=dt.UTC), media_title_ids=["a-film"])
    save_state(tmp_path, state)
    monkeypatch.setenv("MATINEE_HOME", str(tmp_path))
    monkeypatch.setenv("MATINEE_CONTROL_URL", f"http://127.0.0.1:{any_free_port()}")
    return tmp_path


def simulate(capsys):
    code = app(["simulate", "--sessions", "2"], result_action="return_value")
    told = capsys.readouterr()
    assert told.out == ""
    return code, told.err


def test_with_nothing_up_nobody_plays(home, capsys):
    code, problem = simulate(capsys)
    assert code == 1
    assert "nothing answers at http://127.0.0.1:" in problem
    assert "matinee up" in problem


def test_while_a_demo_compares_its_waves_nobody_else_plays(home, capsys):
    with lock_viewers(home, alone=True):
        code, problem = simulate(capsys)
    assert code == 1
    assert "waves are compared" in problem
