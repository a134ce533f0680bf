import os
from pathlib import Path

import pytest

from orchestration.demo.home_lock import HomeInUse, lock_home


def test_a_home_is_held_by_one_at_a_time(tmp_path: Path) -> None:
    with lock_home(tmp_path), pytest.raises(HomeInUse, match=f"process {os.getpid()}"), lock_home(tmp_path):
        pass
    with lock_home(tmp_path):
        pass
