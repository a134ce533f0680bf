import datetime as dt
from pathlib import Path

import pytest

from orchestration.cli import app
from orchestration.demo.loop import _resume_or_begin
from orchestration.demo.options import DEFAULT_SEED, DEFAULT_WORLD, DemoOptions
from orchestration.demo.state import DemoState, DemoStateError, load_state, save_state
from orchestration.settings import Settings, read_settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return read_settings({"MATINEE_HOME": str(tmp_path)})


def test_a_new_home_remembers_its_seed_and_later_runs_keep_it(settings: Settings) -> None:
    assert _resume_or_begin(settings, DemoOptions(seed=11)).seed == 11
    assert _resume_or_begin(settings, DemoOptions()).seed == 11
    assert _resume_or_begin(settings, DemoOptions(seed=11)).seed == 11


def test_without_a_word_about_it_a_new_home_has_the_usual_seed(settings: Settings) -> None:
    assert _resume_or_begin(settings, DemoOptions()).seed == DEFAULT_SEED


def test_a_home_keeps_its_world_and_without_a_word_about_it_the_demo_takes_that(settings: Settings) -> None:
    assert _resume_or_begin(settings, DemoOptions(world="movielens")).world == "movielens"
    assert _resume_or_begin(settings, DemoOptions()).world == "movielens"
    with pytest.raises(DemoStateError, match="movielens world, and sample was asked for"):
        _resume_or_begin(settings, DemoOptions(world="sample"))


def test_without_a_word_about_it_a_new_home_has_the_usual_world(settings: Settings) -> None:
    assert _resume_or_begin(settings, DemoOptions()).world == DEFAULT_WORLD


def test_the_command_line_asks_for_no_world_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[DemoOptions] = []
    monkeypatch.setattr("orchestration.demo.loop.run_demo", lambda options: asked.append(options) or 0)
    monkeypatch.delenv("MATINEE_WORLD", raising=False)
    app(["demo", "--exit"], result_action="return_value")
    monkeypatch.setenv("MATINEE_WORLD", "movielens")
    app(["demo", "--exit"], result_action="return_value")
    assert [options.world for options in asked] == [None, "movielens"]


@pytest.mark.parametrize(
    ("asked", "said"),
    [(["--seed", "0"], ["seed 11", "seed 0", "MATINEE_HOME", "make clean"]), (["--world", "movielens"], ["movielens"])],
)
def test_another_seed_or_world_than_the_homes_is_refused_and_not_ignored(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    asked: list[str],
    said: list[str],
) -> None:
    monkeypatch.setenv("MATINEE_HOME", str(tmp_path))
    state = DemoState(world="sample", seed=11, now=dt.datetime(2026, 11, 22, tzinfo=dt.UTC))
    save_state(tmp_path, state)
    assert app(["demo", "--exit", *asked], result_action="return_value") == 2
    printed = " ".join(capsys.readouterr().out.split())
    assert [word for word in said if word not in printed] == []
    assert load_state(tmp_path) == state
