"""Which world and which links the demo takes: generated ones, or those of a data folder."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from orchestration.demo.options import HISTORY_DAYS
from orchestration.demo.state import DemoState
from orchestration.edge.topology import Network
from orchestration.sample import (
    NetworkTrace,
    SampleWorldError,
    World,
    WorldSize,
    make_traces,
    make_world,
    read_movielens_world,
    read_traces,
)


def build_world(
    state: DemoState, network: Network, media_title_ids: Sequence[str], size: WorldSize | None = None
) -> World:
    """The world of this home folder, the same at every run."""
    if state.world == "movielens":
        folder = data_folder()
        if folder is None:
            raise SampleWorldError("the movielens world needs MATINEE_DATA, a folder that holds ratings/ml-1m")
        return read_movielens_world(
            folder / "ratings" / "ml-1m",
            seed=state.seed,
            now=state.now,
            media_title_ids=media_title_ids,
            history_days=HISTORY_DAYS,
            network=network,
        )
    return make_world(seed=state.seed, now=state.now, media_title_ids=media_title_ids, network=network, size=size)


def network_traces(seed: int) -> Sequence[NetworkTrace]:
    """Measured traces of the data folder where it has some, made-up ones otherwise."""
    folder = data_folder()
    measured = folder / "network_traces" if folder is not None else None
    return read_traces(measured) if measured is not None and measured.is_dir() else make_traces(seed)


def data_folder() -> Path | None:
    """``MATINEE_DATA``, when it is set."""
    folder = os.environ.get("MATINEE_DATA")
    return Path(folder).expanduser().resolve() if folder else None
