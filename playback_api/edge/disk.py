"""The folders of an edge's disk and the moves between them. Objects appear whole, by rename, or not at all.

    <folder>/placed/<key>      what a fill put there
    <folder>/cached/<key>      what pull-through left there
    <folder>/incoming/...      being written; emptied at start

Nothing here is fsynced per object, which would make a fill many times as long: a killed process loses nothing that
was written, and after a crash of the machine the store hashes what is placed before it trusts it (see ``store``).
"""

from __future__ import annotations

import hashlib
import itertools
import os
import shutil
from pathlib import Path
from typing import Literal

from playback_api.edge.errors import ContentMismatchError

Area = Literal["placed", "cached"]


class EdgeDisk:
    """File operations below one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._incoming = folder / "incoming"
        self._roots: dict[Area, str] = {"placed": str(folder / "placed"), "cached": str(folder / "cached")}
        self._numbers = itertools.count()
        self._known_folders: set[str] = set()

    def prepare(self) -> None:
        """Make the folders and clear what an earlier process left unfinished."""
        shutil.rmtree(self._incoming, ignore_errors=True)
        self._incoming.mkdir(parents=True)
        for root in self._roots.values():
            Path(root).mkdir(exist_ok=True)

    def path(self, area: Area, key: str) -> str:
        """Where an object stands; keys were checked when they came in."""
        return f"{self._roots[area]}/{key}"

    def scan(self, area: Area) -> dict[str, int]:
        """Every object of an area with its size, oldest first; removes empty folders on the way."""
        root = Path(self._roots[area])
        found: list[tuple[float, str, int]] = []
        for folder, _, names in os.walk(root, topdown=False):
            for name in names:
                path = Path(folder, name)
                facts = path.stat()
                found.append((facts.st_mtime, path.relative_to(root).as_posix(), facts.st_size))
            if not names and folder != str(root) and not any(Path(folder).iterdir()):
                Path(folder).rmdir()
        return {key: size_bytes for _, key, size_bytes in sorted(found)}

    def stage(self, content: bytes, *, sha256: str | None = None) -> str:
        """Write content to a file of its own, after checking its hash when one is given. May run in any thread.

        Raises:
            ContentMismatchError: The hash is another.
            OSError: The disk does not take it.
        """
        if sha256 is not None:
            _check_hash(content, sha256)
        path = f"{self._incoming}/{next(self._numbers)}"
        try:
            with Path(path).open("wb", buffering=0) as file:
                view = memoryview(content)
                while view:
                    view = view[file.write(view) :]
        except OSError:
            self.discard_staged(path)
            raise
        return path

    def discard_staged(self, staged: str) -> None:
        """Remove a staged file that is not needed after all."""
        Path(staged).unlink(missing_ok=True)

    def adopt(self, staged: str, area: Area, key: str) -> None:
        """Move a staged file to its place."""
        self._move(staged, self.path(area, key))

    def promote(self, key: str) -> None:
        """Move a cached object to the placed ones."""
        self._move(self.path("cached", key), self.path("placed", key))

    def delete(self, area: Area, key: str) -> None:
        """Remove an object; one that is gone already is no error. Readers that have it open keep it."""
        Path(self.path(area, key)).unlink(missing_ok=True)

    def verify(self, area: Area, key: str, sha256: str) -> None:
        """Read an object and compare its hash. May run in any thread.

        Raises:
            ContentMismatchError: It is another.
            OSError: It cannot be read.
        """
        _check_hash(Path(self.path(area, key)).read_bytes(), sha256)

    def _move(self, source: str, target: str) -> None:
        folder = target.rpartition("/")[0]
        if folder not in self._known_folders:
            Path(folder).mkdir(parents=True, exist_ok=True)
            self._known_folders.add(folder)
        Path(source).replace(target)


def _check_hash(content: bytes, sha256: str) -> None:
    actual = hashlib.sha256(content).hexdigest()
    if actual != sha256:
        raise ContentMismatchError(f"sha256 is {actual[:12]}…, the plan says {sha256[:12]}…")
