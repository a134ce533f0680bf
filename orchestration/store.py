"""The object store: where media, snapshots and plans live, by key.

Here belong the protocol and the local-folder form of it. What is published is never edited: ``put`` refuses to change
an existing object unless ``replace=True``, which only pointer files use.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol


class StoreError(Exception):
    """The store could not do what was asked."""


class ObjectMissing(StoreError):
    """No object has that key."""


class ObjectExists(StoreError):
    """An object with that key exists and published objects are never edited."""


class ObjectStore(Protocol):
    """What every store can do. Keys are relative POSIX paths."""

    def put_file(self, key: str, source: Path, *, replace: bool = False) -> None:
        """Store a copy of a local file."""
        ...

    def put_bytes(self, key: str, content: bytes, *, replace: bool = False) -> None:
        """Store some bytes."""
        ...

    def read_bytes(self, key: str) -> bytes:
        """The content of an object."""
        ...

    def exists(self, key: str) -> bool:
        """Whether an object has that key."""
        ...

    def size_bytes(self, key: str) -> int:
        """Size of an object."""
        ...

    def link(self, source_key: str, target_key: str) -> None:
        """Give an object a second key without moving its bytes."""
        ...

    def delete(self, key: str) -> None:
        """Remove an object."""
        ...

    def keys(self, prefix: str) -> Iterator[str]:
        """Every key below a folder prefix, sorted."""
        ...

    def folders(self, prefix: str) -> Iterator[str]:
        """The folder names directly below a prefix, sorted."""
        ...

    def local_path(self, key: str) -> Path:
        """A local file with the object behind a key."""
        ...


class LocalStore:
    """An object store in one folder. Objects appear whole, by rename, or not at all, and stay when the power fails.

    What ``put_file`` and ``put_bytes`` stored is on the disk when they return: first the content, then its name. So a
    record or a pointer that is written last never survives what it names. That holds for large media objects too: a
    rendition whose record exists is never encoded again, and its segments would be found empty. It costs two
    syncs an object: seconds for the ten thousand segments of a feature film, beside hours of encoding.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def local_path(self, key: str) -> Path:
        """The file behind a key. Refuses keys that would leave the store."""
        parts = key.split("/")
        if key.startswith("/") or not key or any(part in ("", ".", "..") for part in parts):
            raise StoreError(f"not a store key: {key!r}; keys are relative paths without '.' or '..' parts")
        return self.root.joinpath(*parts)

    def put_file(self, key: str, source: Path, *, replace: bool = False) -> None:
        """Store a copy of ``source``; a hard link where the file system allows it.

        Raises:
            ObjectExists: Another content stands under ``key`` and ``replace`` is false.
        """
        target = self._prepare(key)
        if target.exists() and not replace:
            if file_sha256(target) == file_sha256(source):
                return
            raise ObjectExists(f"{key} exists with other content; write a new version beside it")
        staged = _staging_name(target)
        try:
            link_or_copy(source, staged)
            _sync(staged)
            staged.replace(target)
            _sync(target.parent)
        finally:
            staged.unlink(missing_ok=True)

    def put_bytes(self, key: str, content: bytes, *, replace: bool = False) -> None:
        """Store ``content``.

        Raises:
            ObjectExists: Another content stands under ``key`` and ``replace`` is false.
        """
        target = self._prepare(key)
        if target.exists() and not replace:
            if target.read_bytes() == content:
                return
            raise ObjectExists(f"{key} exists with other content; write a new version beside it")
        staged = _staging_name(target)
        try:
            staged.write_bytes(content)
            _sync(staged)
            staged.replace(target)
            _sync(target.parent)
        finally:
            staged.unlink(missing_ok=True)

    def read_bytes(self, key: str) -> bytes:
        """The content of an object."""
        try:
            return self.local_path(key).read_bytes()
        except FileNotFoundError:
            raise ObjectMissing(f"no object {key} in {self.root}") from None

    def exists(self, key: str) -> bool:
        """Whether an object has that key."""
        return self.local_path(key).is_file()

    def size_bytes(self, key: str) -> int:
        """Size of an object."""
        try:
            return self.local_path(key).stat().st_size
        except FileNotFoundError:
            raise ObjectMissing(f"no object {key} in {self.root}") from None

    def link(self, source_key: str, target_key: str) -> None:
        """Make ``target_key`` the same immutable object as ``source_key``, without moving a byte where possible."""
        source, target = self.local_path(source_key), self.local_path(target_key)
        try:
            # Tried first and explained afterwards: titles that share renditions link them by the hundred thousand.
            # For the same reason no link is synced: the content is on the disk, and journalling file systems bring
            # names there in order, so before the record that is put after the links.
            target.hardlink_to(source)
        except FileExistsError:
            return
        except OSError:
            if not source.exists():
                raise ObjectMissing(f"no object {source_key} in {self.root}") from None
            if not target.exists():
                self.put_file(target_key, source)

    def delete(self, key: str) -> None:
        """Remove an object; one that is gone already is no error."""
        self.local_path(key).unlink(missing_ok=True)

    def keys(self, prefix: str) -> Iterator[str]:
        """Every key below a folder prefix such as ``media/some-title/``, sorted."""
        folder = self.local_path(prefix.rstrip("/"))
        if not folder.is_dir():
            return
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.name.startswith(".staged-"):
                yield path.relative_to(self.root).as_posix()

    def folders(self, prefix: str) -> Iterator[str]:
        """The names of the folders directly below a prefix, sorted."""
        folder = self.local_path(prefix.rstrip("/"))
        if not folder.is_dir():
            return
        yield from sorted(entry.name for entry in os.scandir(folder) if entry.is_dir())

    def _prepare(self, key: str) -> Path:
        target = self.local_path(key)
        new = [folder for folder in target.parents if folder.is_relative_to(self.root) and not folder.exists()]
        target.parent.mkdir(parents=True, exist_ok=True)
        for folder in new:
            _sync(folder.parent)
        return target


def file_sha256(path: Path) -> str:
    """The sha256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def link_or_copy(source: Path, target: Path) -> None:
    """Make ``target`` the same file as ``source``; a copy with its time where the file system knows no hard links."""
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copy2(source, target)


def _sync(path: Path) -> None:
    """Have a file's content, or a folder's names, on the disk before going on."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _staging_name(target: Path) -> Path:
    handle, name = tempfile.mkstemp(prefix=".staged-", dir=target.parent)
    os.close(handle)
    staged = Path(name)
    staged.unlink()
    return staged
