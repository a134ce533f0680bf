"""One process at a time starts servers over a home folder; a second one is told so before it touches anything."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

LOCK_FILE = "in-use.lock"


class HomeInUse(Exception):
    """Another demo, or `matinee up`, runs over the same home folder."""


@contextlib.contextmanager
def lock_home(home: Path) -> Iterator[None]:
    """Hold the home folder; the lock ends with the process, however it ends.

    Raises:
        HomeInUse: Somebody else holds it.
    """
    home.mkdir(parents=True, exist_ok=True)
    with (home / LOCK_FILE).open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise HomeInUse(
                f"{home} is in use by process {file.read().strip() or 'unknown'}; "
                "stop it, or take another folder by MATINEE_HOME"
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
