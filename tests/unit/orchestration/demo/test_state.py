import datetime as dt
from pathlib import Path

import pytest

from orchestration.demo.state import DemoState, DemoStateError, load_state, save_state


def test_the_state_comes_back(tmp_path: Path) -> None:
    assert load_state(tmp_path) is None
    state = DemoState(world="sample", seed=7, now=dt.datetime(2026, 11, 22, tzinfo=dt.UTC), waves=2)
    save_state(tmp_path, state)
    assert load_state(tmp_path) == state


def test_a_broken_state_says_how_to_go_on(tmp_path: Path) -> None:
    (tmp_path / "demo.json").write_text("{")
    with pytest.raises(DemoStateError, match="make clean"):
        load_state(tmp_path)
