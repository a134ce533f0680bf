"""What can go wrong with the event log.

- ``LogError``: the root of all of them.
- ``LogWriteError``: nothing of the commit is stored; the caller may try again.
- ``LogBusy``: too much is waiting to be stored; try again later.
- ``LogLocked``: another process writes under the same writer name.
- ``LogClosed``: the log was closed; no more records are taken.
- ``RecordTooLarge``: one record exceeds what a reader accepts.
- ``CorruptRecord``: stored bytes are damaged; says where, and where reading can go on.
"""

from __future__ import annotations

from pathlib import Path


class LogError(Exception):
    """Any failure of the event log."""


class LogWriteError(LogError):
    """A commit could not be stored. The log was cut back: none of its records will be read as acknowledged."""


class LogBusy(LogError):
    """Too many records wait for the disk; the caller should come back after a moment."""


class LogLocked(LogError):
    """Another process holds the writer's folder."""


class LogClosed(LogError):
    """The log was closed before the record could be taken."""


class RecordTooLarge(LogError):
    """One record is larger than any reader accepts; split it."""


class CorruptRecord(LogError):
    """Bytes that were stored once cannot be read any more.

    Attributes:
        path: The segment file.
        offset: Where the damage begins; everything before it was read.
        resume_offset: The next readable record after the damage, or None when none follows. A reader that decides to
            go on past the damage starts there, and reports the bytes between as lost.
    """

    def __init__(self, path: Path, offset: int, resume_offset: int | None, why: str) -> None:
        self.path = path
        self.offset = offset
        self.resume_offset = resume_offset
        rest = "nothing readable follows" if resume_offset is None else f"readable again from offset {resume_offset}"
        super().__init__(f"{path}: damaged at offset {offset} ({why}); {rest}; restore the file or accept the loss")
