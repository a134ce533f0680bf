"""Profiles in one SQLite file, shared by the processes of a host: readers beside one writer at a time (WAL)."""

from __future__ import annotations

import datetime as dt
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from playback_api.profile.models import Preferences, Progress, ResumePosition, ViewerProfile, WatchedTitle
from playback_api.profile.store import DEFAULT_RECENT_LIMIT, ProfileError

SCHEMA_VERSION = 1
_BUSY_TIMEOUT_S = 5.0

_TABLES = """
create table if not exists progress (
    viewer_id text not null,
    title_id text not null,
    position_s real not null,
    duration_s real not null,
    finished integer not null,
    completion real not null,
    updated_at real not null,
    primary key (viewer_id, title_id)
) without rowid;
create index if not exists progress_by_time on progress (viewer_id, updated_at desc);
create table if not exists watch_list (
    viewer_id text not null,
    title_id text not null,
    added_at real not null,
    primary key (viewer_id, title_id)
) without rowid;
create table if not exists preferences (viewer_id text primary key, content text not null) without rowid;
"""

# A late beat may still raise the furthest share seen, but never moves the position back.
_RECORD = """
insert into progress (viewer_id, title_id, position_s, duration_s, finished, completion, updated_at)
values (?, ?, ?, ?, ?, ?, ?)
on conflict (viewer_id, title_id) do update set
    position_s = iif(excluded.updated_at >= updated_at, excluded.position_s, position_s),
    duration_s = iif(excluded.updated_at >= updated_at, excluded.duration_s, duration_s),
    finished = iif(excluded.updated_at >= updated_at, excluded.finished, finished),
    completion = max(completion, excluded.completion),
    updated_at = max(updated_at, excluded.updated_at)
"""


class SqliteProfileStore:
    """A ``ProfileStore`` in a SQLite file. Safe to share between threads.

    Args:
        path: The file; it and its folder are made when missing.

    Raises:
        ProfileError: The file cannot be opened, or was written by another version.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(
                path, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
            )
        except (OSError, sqlite3.Error) as error:
            raise ProfileError(f"the profile store {path} cannot be opened: {error}") from error
        try:
            self._prepare()
        except ProfileError:
            self._connection.close()
            raise

    def recent(self, viewer_id: str, limit: int = DEFAULT_RECENT_LIMIT) -> list[WatchedTitle]:
        """The titles a viewer played last, newest first."""
        rows = self._rows(
            "select title_id, completion, finished, updated_at from progress where viewer_id = ?"
            " order by updated_at desc, title_id limit ?",
            (viewer_id, limit),
        )
        return [
            WatchedTitle(title_id=title_id, completion=completion, finished=bool(finished), watched_at=_time(at))
            for title_id, completion, finished, at in rows
        ]

    def resume(self, viewer_id: str, title_id: str) -> ResumePosition | None:
        """Where a title goes on; None when it was never begun, or was finished."""
        rows = self._rows(
            "select title_id, position_s, duration_s, updated_at from progress"
            " where viewer_id = ? and title_id = ? and not finished",
            (viewer_id, title_id),
        )
        return _resume_position(rows[0]) if rows else None

    def profile(self, viewer_id: str) -> ViewerProfile:
        """Everything known live of a viewer."""
        unfinished = self._rows(
            "select title_id, position_s, duration_s, updated_at from progress"
            " where viewer_id = ? and not finished order by updated_at desc, title_id limit ?",
            (viewer_id, DEFAULT_RECENT_LIMIT),
        )
        watch_list = self._rows(
            "select title_id from watch_list where viewer_id = ? order by added_at desc, title_id", (viewer_id,)
        )
        preferences = self._rows("select content from preferences where viewer_id = ?", (viewer_id,))
        return ViewerProfile(
            viewer_id=viewer_id,
            resume=[_resume_position(row) for row in unfinished],
            recent=self.recent(viewer_id),
            watch_list=[title_id for (title_id,) in watch_list],
            preferences=msgspec.json.decode(preferences[0][0], type=Preferences) if preferences else Preferences(),
        )

    def record_progress(self, progress: Sequence[Progress]) -> None:
        """Take in how far viewers have come, in one transaction."""
        rows = [
            (
                item.viewer_id,
                item.title_id,
                item.position_s,
                item.duration_s,
                item.finished,
                item.completion,
                item.seen_at.timestamp(),
            )
            for item in progress
        ]
        with self._transaction() as connection:
            connection.executemany(_RECORD, rows)

    def add_to_watch_list(self, viewer_id: str, title_id: str, *, added_at: dt.datetime) -> None:
        """Keep a title for later; one that is there already stays where it is."""
        with self._transaction() as connection:
            connection.execute(
                "insert into watch_list (viewer_id, title_id, added_at) values (?, ?, ?) on conflict do nothing",
                (viewer_id, title_id, added_at.timestamp()),
            )

    def remove_from_watch_list(self, viewer_id: str, title_id: str) -> None:
        """Drop a title; one that is not there is no error."""
        with self._transaction() as connection:
            connection.execute("delete from watch_list where viewer_id = ? and title_id = ?", (viewer_id, title_id))

    def set_preferences(self, viewer_id: str, preferences: Preferences) -> None:
        """Replace a viewer's preferences."""
        content = msgspec.json.encode(preferences).decode()
        with self._transaction() as connection:
            connection.execute(
                "insert into preferences (viewer_id, content) values (?, ?)"
                " on conflict (viewer_id) do update set content = excluded.content",
                (viewer_id, content),
            )

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._connection.close()

    def _prepare(self) -> None:
        with self._lock, self._errors_named():
            self._connection.execute("pragma journal_mode = wal")
            # a power cut may take the last moments; what viewers did is in the event log anyway
            self._connection.execute("pragma synchronous = normal")
        with self._transaction() as connection:
            (version,) = connection.execute("pragma user_version").fetchone()
            if version not in (0, SCHEMA_VERSION):
                raise ProfileError(
                    f"{self.path} has schema version {version}, this program knows {SCHEMA_VERSION};"
                    " use the program that wrote it, or move the file away to begin anew"
                )
            for statement in _TABLES.split(";\n"):
                connection.execute(statement)
            connection.execute(f"pragma user_version = {SCHEMA_VERSION}")

    def _rows(self, query: str, parameters: tuple[object, ...]) -> list[Any]:
        with self._lock, self._errors_named():
            return self._connection.execute(query, parameters).fetchall()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._errors_named():
            self._connection.execute("begin immediate")
            try:
                yield self._connection
                self._connection.execute("commit")
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("rollback")

    @contextmanager
    def _errors_named(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise ProfileError(f"the profile store {self.path} failed: {error}") from error


def _resume_position(row: tuple[str, float, float, float]) -> ResumePosition:
    title_id, position_s, duration_s, updated_at = row
    return ResumePosition(
        title_id=title_id, position_s=position_s, duration_s=duration_s, updated_at=_time(updated_at)
    )  # fmt: skip


def _time(seconds: float) -> dt.datetime:
    return dt.datetime.fromtimestamp(seconds, dt.UTC)
