"""What a demo remembers between runs: which world it is in, and how many waves were played."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from pathlib import Path

import msgspec

from orchestration.settings import Settings

STATE_FILE = "demo.json"


class DemoStateError(Exception):
    """The remembered state does not fit what was asked for; the message says how to go on."""


class DemoState(msgspec.Struct, kw_only=True):
    """The state file.

    Attributes:
        world, seed: Which sample world this home folder holds; another one needs another home folder.
        now: The moment at which the world's history ends.
        history_written: Whether the whole history is in the event log.
        media_title_ids: The masters whose renditions the world's titles show; later ones are titles of their own.
        history_beats: How many beats the history has.
        baseline: What the champion was judged beside, and the figure.
        waves: How many waves of viewers have been planned; each draws other viewers.
        catalogue_size_bytes: Size of all packaged titles, which edge capacities are a share of.
        loops: How often the loop has gone round.
    """

    world: str
    seed: int
    now: dt.datetime
    history_written: bool = False
    media_title_ids: list[str] = []
    history_beats: int = 0
    baseline: tuple[str, float] | None = None
    waves: int = 0
    catalogue_size_bytes: int = 0
    loops: int = 0


def load_state(home: Path) -> DemoState | None:
    """The state of an earlier run, or None on the first.

    Raises:
        DemoStateError: The file cannot be read.
    """
    path = home / STATE_FILE
    if not path.exists():
        return None
    try:
        return msgspec.json.decode(path.read_bytes(), type=DemoState)
    except msgspec.DecodeError as error:
        raise DemoStateError(f"{path} cannot be read ({error}); `make clean` starts anew") from error


def save_state(home: Path, state: DemoState) -> None:
    """Replace the state file in one step."""
    home.mkdir(parents=True, exist_ok=True)
    staged = home / f".{STATE_FILE}"
    staged.write_bytes(msgspec.json.format(msgspec.json.encode(state), indent=2))
    staged.replace(home / STATE_FILE)


def require_media(state: DemoState, title_ids: Collection[str], settings: Settings) -> None:
    """Make sure that something of this world can be played, before anything is encoded.

    Args:
        state: Of the home folder; a world that was not made yet takes any masters.
        title_ids: Of the masters that landed.
        settings: Name both folders for the message.

    Raises:
        DemoStateError: The world's titles show none of these masters.
    """
    if not state.media_title_ids or not set(state.media_title_ids).isdisjoint(title_ids):
        return
    raise DemoStateError(
        f"the world in {settings.home} shows {', '.join(state.media_title_ids)}, and none of these masters is in "
        f"{settings.masters_folder}; name their folder by MATINEE_MASTERS, give another home by MATINEE_HOME to play "
        "other masters, or start anew with `make clean`"
    )
