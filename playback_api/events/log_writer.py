"""The writing half of the event log: one folder a writer, append-only segment files, one fsync a commit.

Two rules make the offsets that readers remember true for ever. A file is only ever appended to by the writer that
created it: after a restart, or after a commit that failed, a new segment begins. And nothing is acknowledged before
fsync has returned. What a reader saw of an unacknowledged commit may be cut off again; its client sends it again, and
duplicates are dropped downstream by key.
"""

from __future__ import annotations

import fcntl
import logging
import os
import re
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from playback_api.events.errors import LogClosed, LogError, LogLocked, LogWriteError, RecordTooLarge
from playback_api.events.framing import MAGIC, MAX_PAYLOAD_BYTES, RecordKind, find_record, frame, valid_length

logger = logging.getLogger(__name__)

DEFAULT_SEGMENT_BYTES = 64 * 1024 * 1024
_WRITER_NAME = re.compile(r"[a-z0-9-]{1,64}")
_LOCK_FILE = ".lock"


def segment_path(root: Path, writer: str, segment: int) -> Path:
    """Where a segment stands."""
    return root / writer / f"{segment:08d}.log"


def segment_numbers(folder: Path) -> list[int]:
    """The segments of a writer's folder, oldest first."""
    return sorted(int(path.stem) for path in folder.glob("*.log") if path.stem.isdecimal())


class SegmentLogWriter:
    """Appends records to a writer's log.

    ``append`` only collects; ``commit`` stores everything collected since the last commit, or nothing of it. Not
    thread-safe: one thread at a time.

    Args:
        root: Folder of all writers' folders.
        writer: Name of this writer, ``[a-z0-9-]{1,64}``, used by one process at a time.
        max_segment_bytes: A segment that has reached this size is followed by a new one.
        write: ``os.write`` or a stand-in; may write less than it was given.
        sync: ``os.fsync`` or a stand-in.

    Raises:
        LogLocked: Another process writes under this name.
        LogError: The name is not allowed.
    """

    def __init__(
        self,
        root: Path,
        writer: str,
        *,
        max_segment_bytes: int = DEFAULT_SEGMENT_BYTES,
        write: Callable[[int, memoryview], int] = os.write,
        sync: Callable[[int], None] = os.fsync,
    ) -> None:
        if not _WRITER_NAME.fullmatch(writer):
            raise LogError(f"{writer!r} is no writer name; use 1 to 64 of a-z, 0-9 and '-'")
        self.root = root
        self.writer = writer
        self._max_segment_bytes = max_segment_bytes
        self._write = write
        self._sync = sync
        self._pending: list[bytes] = []
        self._file: int | None = None
        self._committed_bytes = 0
        self._closed = False
        self._folder = root / writer
        self._folder.mkdir(parents=True, exist_ok=True)
        self._lock = _lock_folder(self._folder)
        self._segment = _recover_last_segment(root, writer)

    @property
    def position(self) -> tuple[int, int]:
        """The newest segment and its committed length in bytes: a reader that got there has read everything."""
        return self._segment, self._committed_bytes

    @property
    def pending_bytes(self) -> int:
        """How much has been appended and not been committed."""
        return sum(map(len, self._pending))

    def append(self, kind: RecordKind, payload: bytes) -> None:
        """Collect a record for the next commit.

        Raises:
            RecordTooLarge: No reader would accept it.
            LogClosed: The log was closed.
        """
        if self._closed:
            raise LogClosed(f"the log of {self.writer} is closed")
        check_payload(payload)
        self._pending.append(frame(kind, payload))

    def commit(self) -> int:
        """Store all appended records, durably; returns how many bytes they took.

        Raises:
            LogWriteError: Nothing of this commit is stored, and its records are forgotten here: each caller must
                append again what it still wants stored.
        """
        if not self._pending:
            return 0
        content = b"".join(self._pending)
        self._pending.clear()
        try:
            if self._file is None or self._committed_bytes >= self._max_segment_bytes:
                self._begin_segment()
            self._store(content)
        except OSError as error:
            self._give_up_segment()
            raise LogWriteError(
                f"{self.writer}: a commit of {len(content)} bytes was not stored: {error.strerror or error}"
            ) from error
        self._committed_bytes += len(content)
        return len(content)

    def close(self) -> None:
        """Commit what is pending and let go of the folder."""
        if self._closed:
            return
        try:
            self.commit()
        finally:
            self._closed = True
            if self._file is not None:
                os.close(self._file)
                self._file = None
            os.close(self._lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _begin_segment(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None
        self._segment += 1
        path = segment_path(self.root, self.writer, self._segment)
        self._committed_bytes = 0
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)
        self._store(MAGIC)
        self._committed_bytes = len(MAGIC)
        _sync_folder(self._folder)

    def _store(self, content: bytes) -> None:
        if self._file is None:
            raise LogClosed(f"{self.writer}: no segment is open")
        rest = memoryview(content)
        while rest:
            rest = rest[self._write(self._file, rest) :]
        self._sync(self._file)

    def _give_up_segment(self) -> None:
        """Cut the segment back to its last commit and never write to it again."""
        if self._file is None:
            return
        try:
            os.ftruncate(self._file, self._committed_bytes)
            os.fsync(self._file)
        except OSError as error:
            logger.error(
                "segment %d of %s could not be cut back to %d bytes (%s); readers will report its tail",
                self._segment, self.writer, self._committed_bytes, error,
            )  # fmt: skip
        finally:
            os.close(self._file)
            self._file = None


def check_payload(payload: bytes) -> None:
    """Refuse a payload that readers would take for damage.

    Raises:
        RecordTooLarge: It is longer than ``MAX_PAYLOAD_BYTES``.
    """
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise RecordTooLarge(f"a record of {len(payload)} bytes exceeds {MAX_PAYLOAD_BYTES}; split the batch")


def _recover_last_segment(root: Path, writer: str) -> int:
    """Cut the torn tail off the newest segment, if a crash left one; returns that segment's number, 0 for none."""
    numbers = segment_numbers(root / writer)
    if not numbers:
        return 0
    path = segment_path(root, writer, numbers[-1])
    content = path.read_bytes()
    valid_bytes = valid_length(content)
    if valid_bytes == len(content):
        return numbers[-1]
    if find_record(content, valid_bytes) is not None:
        logger.error("%s is damaged at offset %d and left as it is; readers will report it", path, valid_bytes)
        return numbers[-1]
    with path.open("r+b") as file:
        file.truncate(valid_bytes)
        os.fsync(file.fileno())
    logger.warning("%s: cut off a torn tail of %d bytes after a crash", path, len(content) - valid_bytes)
    return numbers[-1]


def _lock_folder(folder: Path) -> int:
    lock = os.open(folder / _LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise LogLocked(f"{folder} has a writer already; give each process its own writer name") from None
    return lock


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
