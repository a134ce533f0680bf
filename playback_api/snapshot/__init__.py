"""The serving snapshot: one format, both halves of it.

The graph writes and publishes with ``write_snapshot`` and ``publish``; the API follows with ``SnapshotReader``.
"""

from __future__ import annotations

from playback_api.snapshot.errors import SnapshotDamaged, SnapshotError, SnapshotMissing, SnapshotVersionUnsupported
from playback_api.snapshot.faults import find_faults
from playback_api.snapshot.reader import ALL_REGIONS, RefreshFailure, Snapshot, SnapshotReader, load_snapshot
from playback_api.snapshot.schema import (
    CHALLENGER_FOLDER,
    SCHEMA_VERSION,
    ArmRecord,
    ExperimentRecord,
    FileRecord,
    ModelRecord,
    PathwayRecord,
    PlacedTitles,
    PopularTitle,
    Ranking,
    RegionRecord,
    RungRecord,
    SnapshotContent,
    SnapshotManifest,
    TitleRecord,
    Topology,
)
from playback_api.snapshot.writer import publish, remove_old, write_snapshot

__all__ = [
    "ALL_REGIONS",
    "CHALLENGER_FOLDER",
    "SCHEMA_VERSION",
    "ArmRecord",
    "ExperimentRecord",
    "FileRecord",
    "ModelRecord",
    "PathwayRecord",
    "PlacedTitles",
    "PopularTitle",
    "Ranking",
    "RefreshFailure",
    "RegionRecord",
    "RungRecord",
    "Snapshot",
    "SnapshotContent",
    "SnapshotDamaged",
    "SnapshotError",
    "SnapshotManifest",
    "SnapshotMissing",
    "SnapshotReader",
    "SnapshotVersionUnsupported",
    "TitleRecord",
    "Topology",
    "find_faults",
    "load_snapshot",
    "publish",
    "remove_old",
    "write_snapshot",
]
