"""Who may do what over one home folder at a time; the next one is told so before it touches anything.

One process starts servers. While a demo plays the viewers that it compares, nobody else plays any.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

LOCK_FILE = "in-use.lock"
VIEWERS_FILE = "viewers.lock"


class HomeInUse(Exception):
    """Another process does over the same home folder what only one may do at a time; the message says which."""


@contextlib.contextmanager
def lock_home(home: Path) -> Iterator[None]:
    """Hold the home folder; the lock ends with the process, however it ends.

    Raises:
        HomeInUse: Somebody else holds it.
    """
    refusal = f"{home} is in use by process {{}}; stop it, or take another folder by MATINEE_HOME"
    with _hold(home / LOCK_FILE, fcntl.LOCK_EX, refusal):
        yield


@contextlib.contextmanager
def lock_viewers(home: Path, *, alone: bool) -> Iterator[None]:
    """Hold the right to play viewers: ``alone`` while waves are compared, for they share the edges; else with others.

    Raises:
        HomeInUse: Somebody else plays viewers, and one of both wants to be alone.
    """
    refusal = (
        f"process {{}} plays viewers over {home}, and waves are compared only where nobody else plays; "
        "wait for the demo's summary, or for the end of `matinee simulate`"
    )
    with _hold(home / VIEWERS_FILE, fcntl.LOCK_EX if alone else fcntl.LOCK_SH, refusal):
        yield


@contextlib.contextmanager
def _hold(path: Path, how: int, refusal: str) -> Iterator[None]:
    """Hold a file that names its newest holder, who takes the place of ``{}`` in the refusal."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        try:
            fcntl.flock(file, how | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise HomeInUse(refusal.format(file.read().strip() or "unknown")) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
