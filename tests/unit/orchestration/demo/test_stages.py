import datetime as dt
import io
from pathlib import Path

import pytest
from rich.console import Console

from orchestration.demo.board import Board
from orchestration.demo.options import DemoOptions
from orchestration.demo.stages import Stages
from orchestration.demo.state import DemoState, DemoStateError
from orchestration.edge.topology import read_network
from orchestration.services import ServiceFleet
from orchestration.settings import read_settings


def test_masters_that_the_world_does_not_show_are_refused_before_the_sensor_sees_them(tmp_path: Path) -> None:
    delivered = tmp_path / "delivered"
    delivered.mkdir()
    (delivered / "own-film.mp4").write_bytes(b"only looked at by name")
    settings = read_settings({"MATINEE_HOME": str(tmp_path / "home"), "MATINEE_MASTERS": str(delivered)})
    now = dt.datetime(2026, 11, 22, tzinfo=dt.UTC)
    with ServiceFleet(settings.home / "logs") as fleet:
        stages = Stages(
            settings=settings,
            network=read_network(),
            state=DemoState(world="sample", seed=7, now=now, media_title_ids=["the-colony"]),
            board=Board(Console(file=io.StringIO())),
            fleet=fleet,
            options=DemoOptions(),
        )
        # Nothing was prepared: a look by the sensor would fail otherwise.
        with pytest.raises(DemoStateError, match="the-colony"):
            stages.land_masters()
    assert not stages.has_new_titles
