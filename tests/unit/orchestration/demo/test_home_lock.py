import os
from pathlib import Path

import pytest

from orchestration.demo.home_lock import HomeInUse, lock_home, lock_viewers


def test_a_home_is_held_by_one_at_a_time(tmp_path: Path) -> None:
    with lock_home(tmp_path), pytest.raises(HomeInUse, match=f"process {os.getpid()}"), lock_home(tmp_path):
        pass
    with lock_home(tmp_path):
        pass


def test_waves_that_are_compared_are_played_alone_and_others_beside_each_other(tmp_path: Path) -> None:
    with lock_viewers(tmp_path, alone=True):
        with (
            pytest.raises(HomeInUse, match=f"process {os.getpid()} plays viewers"),
            lock_viewers(tmp_path, alone=False),
        ):
            pass
        with lock_home(tmp_path):
            pass
    with lock_viewers(tmp_path, alone=False), lock_viewers(tmp_path, alone=False), pytest.raises(HomeInUse):
        lock_viewers(tmp_path, alone=True).__enter__()
    with lock_viewers(tmp_path, alone=True):
        pass
