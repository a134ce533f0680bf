"""What an edge must know after a restart and cannot see from its files: the plan, its groups and the generation.

The journal is one JSON file, replaced as a whole when a plan is taken or something is purged, and never while objects
arrive: which of them are there, the folders say.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path

import msgspec

from playback_api.edge.schema import FillGroup

logger = logging.getLogger(__name__)

JOURNAL_VERSION = 1


class JournalGroup(msgspec.Struct, frozen=True, kw_only=True):
    """A group and whether the current plan has it."""

    group: FillGroup
    planned: bool


class JournalState(msgspec.Struct, frozen=True, kw_only=True):
    """The journal's content; ``boot_id`` tells whether the machine has restarted since."""

    version: int = JOURNAL_VERSION
    boot_id: str = ""
    plan_id: str | None = None
    groups: list[JournalGroup] = []


class Journal:
    """``journal.json`` and ``generation`` in the edge's folder.

    Args:
        folder: The edge's folder.
        synchronise: Makes an open file durable; a test may do without.
    """

    def __init__(self, folder: Path, *, synchronise: Callable[[int], None] = os.fsync) -> None:
        self._synchronise = synchronise
        self._state_path = folder / "journal.json"
        self._generation_path = folder / "generation"

    def load(self) -> JournalState:
        """The last state written; an empty one when there is none or it cannot be read, which is logged."""
        try:
            content = self._state_path.read_bytes()
        except FileNotFoundError:
            return JournalState()
        try:
            state = msgspec.json.decode(content, type=JournalState)
        except msgspec.MsgspecError as error:
            logger.error("%s cannot be read (%s); this edge starts without placed objects", self._state_path, error)
            return JournalState()
        if state.version != JOURNAL_VERSION:
            logger.error(
                "%s has version %d, not %d; this edge starts without placed objects",
                self._state_path,
                state.version,
                JOURNAL_VERSION,
            )
            return JournalState()
        return state

    def save(self, state: JournalState) -> None:
        """Replace the state, durably. May run in any thread, one at a time."""
        self._write_durably(self._state_path, msgspec.json.encode(state))

    def load_generation(self) -> int:
        """The highest generation that an earlier process may have reported."""
        try:
            return int(self._generation_path.read_text(encoding="ascii"))
        except FileNotFoundError:
            return 0
        except ValueError:
            logger.error("%s holds no number; generations start anew", self._generation_path)
            return 0

    def save_generation(self, generation: int) -> None:
        """Say that generations up to this one may be reported."""
        self._write_durably(self._generation_path, str(generation).encode())

    def _write_durably(self, path: Path, content: bytes) -> None:
        staged = path.with_name(path.name + ".new")
        with staged.open("wb") as file:
            file.write(content)
            file.flush()
            self._synchronise(file.fileno())
        staged.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            self._synchronise(folder)
        finally:
            os.close(folder)
