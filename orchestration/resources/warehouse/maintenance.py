"""Keeping the lake small and fast: small files merged, deleted rows rewritten, old snapshots removed."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import duckdb

from orchestration.resources.warehouse.connection import LAKE, with_patience

DEFAULT_SNAPSHOT_AGE = dt.timedelta(days=7)
DEFAULT_FILE_AGE = dt.timedelta(days=1)
_REWRITE_WHEN_DELETED_SHARE = 0.2


@dataclass(frozen=True, kw_only=True)
class LakeSize:
    """What the current snapshot is made of."""

    tables: int
    files: int
    size_bytes: int
    snapshots: int


@dataclass(frozen=True, kw_only=True)
class MaintenanceReport:
    """What one round of maintenance did.

    Attributes:
        files_merged: Small files that went into larger ones; ``files_made`` is how many came out.
        files_rewritten: Files rewritten because many of their rows were deleted.
        snapshots_expired: Snapshots that can no longer be travelled back to.
        files_removed: Parquet files removed from the disk.
        before, after: The lake's size.
    """

    files_merged: int
    files_made: int
    files_rewritten: int
    snapshots_expired: int
    files_removed: int
    before: LakeSize
    after: LakeSize


def measure_lake(connection: duckdb.DuckDBPyConnection) -> LakeSize:
    """Tables, live data files and snapshots."""
    tables, files, size_bytes = connection.execute(
        "select count(*), coalesce(sum(file_count), 0), coalesce(sum(file_size_bytes), 0) from ducklake_table_info(?)",
        [LAKE],
    ).fetchone() or (0, 0, 0)
    (snapshots,) = connection.execute("select count(*) from ducklake_snapshots(?)", [LAKE]).fetchone() or (0,)
    return LakeSize(tables=int(tables), files=int(files), size_bytes=int(size_bytes), snapshots=int(snapshots))


def maintain_lake(
    connection: duckdb.DuckDBPyConnection,
    *,
    now: dt.datetime,
    snapshot_age: dt.timedelta = DEFAULT_SNAPSHOT_AGE,
    file_age: dt.timedelta = DEFAULT_FILE_AGE,
) -> MaintenanceReport:
    """Merge, rewrite, expire, remove.

    Args:
        connection: To the lake.
        now: The time that ages are counted from.
        snapshot_age: Snapshots older than this go. The newest stays in any case.
        file_age: Files that no snapshot names any more stay this long, for readers that still have them open.
    """
    before = measure_lake(connection)
    merged = _call(connection, "ducklake_merge_adjacent_files(?)", LAKE)
    rewritten = _call(
        connection, "ducklake_rewrite_data_files(?, delete_threshold => ?)", LAKE, _REWRITE_WHEN_DELETED_SHARE
    )
    expired = _call(connection, "ducklake_expire_snapshots(?, older_than => ?::timestamptz)", LAKE, now - snapshot_age)
    removed = _call(connection, "ducklake_cleanup_old_files(?, older_than => ?::timestamptz)", LAKE, now - file_age)
    return MaintenanceReport(
        files_merged=_total(merged, "files_processed"),
        files_made=_total(merged, "files_created"),
        files_rewritten=_total(rewritten, "files_processed"),
        snapshots_expired=len(expired),
        files_removed=len(removed),
        before=before,
        after=measure_lake(connection),
    )


def _call(connection: duckdb.DuckDBPyConnection, function: str, *arguments: object) -> list[dict[str, object]]:
    def run() -> list[dict[str, object]]:
        result = connection.execute(f"from {function}", list(arguments))
        names = [column[0] for column in result.description or []]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]

    return with_patience(run)


def _total(rows: list[dict[str, object]], column: str) -> int:
    return sum(int(str(row[column])) for row in rows)
