"""The writing half of the snapshot format: write beside, then move one pointer.

A snapshot is written into a staging folder, made durable, and appears under its id by one rename. Nobody serves it
until ``publish`` moves ``CURRENT``, so that a check can stand between the two.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import logging
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import msgspec

from playback_api.snapshot.errors import SnapshotError, SnapshotMissing
from playback_api.snapshot.schema import SCHEMA_VERSION, FileRecord, SnapshotContent, SnapshotManifest

SNAPSHOTS_FOLDER = "snapshots"
POINTER = "CURRENT"
MANIFEST_FILE = "manifest.json"
RECOMMENDER_FOLDER = "recommender"
EXPERIMENTS_FILE = "experiments.msgpack"
STAGING_PREFIX = ".staged-"
KEEP_SNAPSHOTS = 5

logger = logging.getLogger(__name__)


def write_snapshot(
    store_folder: Path,
    content: SnapshotContent,
    *,
    clock: Callable[[], dt.datetime],
    lifetime: dt.timedelta,
) -> SnapshotManifest:
    """Write a snapshot that nobody serves yet.

    Args:
        store_folder: Root of the object store; the snapshot appears below ``snapshots/``.
        content: What to write; its recommender folder is copied as it is.
        clock: Gives the time of creation, UTC.
        lifetime: How long the snapshot may be served before readers flag it as expired.

    Returns:
        The manifest. ``snapshot_id`` sorts by time of creation and ends with a hash of the content.

    Raises:
        SnapshotError: The recommender folder is not there.
    """
    snapshots = store_folder / SNAPSHOTS_FOLDER
    snapshots.mkdir(parents=True, exist_ok=True)
    created_at = clock().astimezone(dt.UTC)
    staging = Path(tempfile.mkdtemp(prefix=STAGING_PREFIX, dir=snapshots))
    try:
        _write_records(staging, content)
        if content.recommender_folder is not None:
            _copy_recommender(content.recommender_folder, staging / RECOMMENDER_FOLDER)
        files = [_file_record(staging, path) for path in sorted(staging.rglob("*")) if path.is_file()]
        manifest = SnapshotManifest(
            schema_version=SCHEMA_VERSION,
            snapshot_id=_snapshot_id(created_at, files),
            created_at=created_at,
            expires_at=created_at + lifetime,
            counts=_count(content),
            files=files,
            placement_plan_ids=content.placement_plan_ids,
        )
        _write_durably(staging / MANIFEST_FILE, msgspec.json.format(msgspec.json.encode(manifest), indent=2))
        for folder in (staging, *(path for path in staging.rglob("*") if path.is_dir())):
            _sync_folder(folder)
        target = snapshots / manifest.snapshot_id
        if not target.exists():
            staging.chmod(0o755)
            staging.rename(target)
            _sync_folder(snapshots)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return manifest


def publish(store_folder: Path, snapshot_id: str) -> None:
    """Make a written snapshot the one that is served, by one atomic rename of the pointer.

    Raises:
        SnapshotMissing: No snapshot of that id is in the store.
    """
    snapshots = store_folder / SNAPSHOTS_FOLDER
    if not (snapshots / snapshot_id / MANIFEST_FILE).is_file():
        raise SnapshotMissing(f"no snapshot {snapshot_id!r} in {snapshots}; write it before publishing")
    handle, staged = tempfile.mkstemp(prefix=STAGING_PREFIX, dir=snapshots)
    os.close(handle)
    _write_durably(Path(staged), snapshot_id.encode())
    Path(staged).chmod(0o644)
    Path(staged).replace(snapshots / POINTER)
    _sync_folder(snapshots)


def remove_old(store_folder: Path, *, keep: int = KEEP_SNAPSHOTS) -> list[str]:
    """Remove all but the newest ``keep`` snapshots; the one that is served always stays.

    Returns:
        The ids that were removed.
    """
    snapshots = store_folder / SNAPSHOTS_FOLDER
    if not snapshots.is_dir():
        return []
    pointer = snapshots / POINTER
    served = pointer.read_text(encoding="utf-8").strip() if pointer.is_file() else ""
    written = sorted(entry.name for entry in snapshots.iterdir() if (entry / MANIFEST_FILE).is_file())
    complete = [name for name in written if not name.startswith(STAGING_PREFIX)]
    removed = [name for name in complete[: max(0, len(complete) - keep)] if name != served]
    for name in removed:
        shutil.rmtree(snapshots / name)
        logger.info("removed snapshot %s", name)
    return removed


def _write_records(folder: Path, content: SnapshotContent) -> None:
    records = {
        "titles.msgpack": content.titles,
        "popularity.msgpack": content.popularity,
        "topology.msgpack": content.topology,
        "placement.msgpack": content.placement,
        "models.msgpack": content.models,
        EXPERIMENTS_FILE: content.experiments,
    }
    encoder = msgspec.msgpack.Encoder(order="deterministic")
    for name, record in records.items():
        _write_durably(folder / name, encoder.encode(record))


def _copy_recommender(source: Path, target: Path) -> None:
    if not source.is_dir():
        raise SnapshotError(f"no recommender folder {source}; publish the model first or leave it out")
    for path in sorted(source.rglob("*")):
        if path.is_file():
            copy = target / path.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
            _sync_file(copy)


def _file_record(root: Path, path: Path) -> FileRecord:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return FileRecord(path=path.relative_to(root).as_posix(), size_bytes=path.stat().st_size, sha256=digest)


def _snapshot_id(created_at: dt.datetime, files: list[FileRecord]) -> str:
    content_hash = hashlib.sha256("".join(f"{file.path}:{file.sha256}\n" for file in files).encode()).hexdigest()
    milliseconds = created_at.microsecond // 1000
    return f"{created_at:%Y%m%dt%H%M%S}{milliseconds:03d}z-{content_hash[:12]}"


def _count(content: SnapshotContent) -> dict[str, int]:
    return {
        "titles": len(content.titles),
        "rungs": sum(len(title.rungs) for title in content.titles),
        "popularity_rows": sum(len(titles) for titles in content.popularity.values()),
        "regions": len(content.topology.regions),
        "pathways": len(content.topology.pathways),
        "placed_titles": sum(len(titles) for titles in content.placement.values()),
        "models": len(content.models),
        "experiments": len(content.experiments),
    }


def _write_durably(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_file(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
