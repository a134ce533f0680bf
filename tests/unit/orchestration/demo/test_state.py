import datetime as dt
from pathlib import Path

import pytest

from orchestration.demo.state import DemoState, DemoStateError, load_state, require_media, save_state
from orchestration.settings import read_settings


def test_the_state_comes_back(tmp_path: Path) -> None:
    assert load_state(tmp_path) is None
    state = DemoState(world="sample", seed=7, now=dt.datetime(2026, 11, 22, tzinfo=dt.UTC), waves=2)
    save_state(tmp_path, state)
    assert load_state(tmp_path) == state


def test_a_broken_state_says_how_to_go_on(tmp_path: Path) -> None:
    (tmp_path / "demo.json").write_text("{")
    with pytest.raises(DemoStateError, match="make clean"):
        load_state(tmp_path)


def world_showing(*title_ids: str) -> DemoState:
    now = dt.datetime(2026, 11, 22, tzinfo=dt.UTC)
    return DemoState(world="sample", seed=7, now=now, media_title_ids=list(title_ids))


def test_a_world_none_of_whose_masters_landed_is_refused_with_a_way_on(tmp_path: Path) -> None:
    settings = read_settings({"MATINEE_HOME": str(tmp_path / "home"), "MATINEE_MASTERS": str(tmp_path / "other")})
    with pytest.raises(DemoStateError) as refused:
        require_media(world_showing("the-colony", "tall-order"), {"own-film"}, settings)
    said = str(refused.value)
    expected = [str(settings.home), str(settings.masters_folder), "the-colony", "MATINEE_HOME", "make clean"]
    assert [word for word in expected if word not in said] == []


@pytest.mark.parametrize("shown", [(), ("the-colony", "tall-order")])
def test_a_new_world_takes_any_masters_and_an_old_one_new_ones_beside_its_own(
    tmp_path: Path, shown: tuple[str, ...]
) -> None:
    settings = read_settings({"MATINEE_HOME": str(tmp_path)})
    require_media(world_showing(*shown), {"own-film", "tall-order"}, settings)
