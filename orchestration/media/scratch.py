"""Scratch folders of steps: gone when the step ends, and those of killed steps when the next one begins.

A step holds a lock on its folder, which the kernel lets go when the process dies; so a folder that can be locked
belongs to nobody any more. Hosts have scratch folders of their own, or a file system between them that knows locks.
"""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PREFIX = "media-"

logger = logging.getLogger(__name__)


@contextmanager
def scratch_folder(parent: Path, name: str) -> Iterator[Path]:
    """A new folder in ``parent``, which is made when it is not there; ``name`` is for people who look."""
    parent.mkdir(parents=True, exist_ok=True)
    with _locked(parent):  # nobody takes a folder for left over between its making and its lock
        _remove_leftovers(parent)
        folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{name}-", dir=parent))
        held = _open_locked(folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
        os.close(held)


def _remove_leftovers(parent: Path) -> None:
    for folder in parent.glob(f"{PREFIX}*"):
        try:
            held = _open_locked(folder, fcntl.LOCK_NB)
        except (BlockingIOError, FileNotFoundError):  # at work, or gone just now
            continue
        logger.warning("%s was left by a step that was killed, and is removed", folder)
        shutil.rmtree(folder, ignore_errors=True)
        os.close(held)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    held = _open_locked(folder)
    try:
        yield
    finally:
        os.close(held)


def _open_locked(folder: Path, options: int = 0) -> int:
    held = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | options)
    except BaseException:
        os.close(held)
        raise
    return held
