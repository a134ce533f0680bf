"""What a demo is asked for, and the sizes it has by default."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestration.sample import WorldSize

HISTORY_DAYS = 42
DEFAULT_WORLD = "sample"
DEFAULT_SEED = 7
FIRST_WAVE_SESSIONS = 240
"""Enough for a clear picture in every region, within the minutes that a first run may take."""
LATER_WAVE_SESSIONS = 60

PULL_ONLY = "pull_only"
PLACED = "placed"
"""The two waves of a loop, and the two columns of its comparison."""


@dataclass(frozen=True, kw_only=True)
class DemoOptions:
    """What the command line said.

    Attributes:
        world: Whose titles and viewers, `sample` or `movielens`; None takes the home folder's, which is the default at
            first.
        sessions_per_wave: None takes the sizes above.
        seed: Draws the sample world and the viewers; None takes the home folder's, which is the default's at first.
        world_size: How large the generated world is; None takes the usual size.
    """

    exit_at_end: bool = False
    summary_path: Path | None = None
    world: str | None = None
    sessions_per_wave: int | None = None
    seed: int | None = None
    world_size: WorldSize | None = None
