"""The reading half of the snapshot format: verify everything, then answer from memory.

``load_snapshot`` reads one snapshot and trusts no byte that its manifest does not vouch for. ``SnapshotReader`` follows
``CURRENT`` and keeps the last good snapshot when the next one is not fit to serve.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import msgspec

from playback_api.snapshot.errors import SnapshotDamaged, SnapshotError, SnapshotMissing, SnapshotVersionUnsupported
from playback_api.snapshot.schema import (
    CHALLENGER_FOLDER,
    SCHEMA_VERSION,
    ExperimentRecord,
    ModelRecord,
    PathwayRecord,
    PlacedTitles,
    PopularTitle,
    SnapshotManifest,
    TitleRecord,
    Topology,
)
from playback_api.snapshot.writer import EXPERIMENTS_FILE, MANIFEST_FILE, POINTER, RECOMMENDER_FOLDER, SNAPSHOTS_FOLDER

ALL_REGIONS = "*"

logger = logging.getLogger(__name__)
Decoded = TypeVar("Decoded")


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """A verified snapshot, whole in memory but for the recommender's files.

    Attributes:
        popularity: Best first, by region; ``*`` is all regions.
        placement: What the plans put on each edge; never proof that an edge holds it.
        recommender_folder: Files for ``ml.recommender.online``; None while nothing is trained.
        challenger_folder: The same of the model on trial; None at most times.
    """

    manifest: SnapshotManifest
    titles: tuple[TitleRecord, ...]
    popularity: dict[str, list[PopularTitle]]
    topology: Topology
    placement: dict[str, PlacedTitles]
    models: list[ModelRecord]
    recommender_folder: Path | None
    challenger_folder: Path | None
    experiments: list[ExperimentRecord]

    @property
    def snapshot_id(self) -> str:
        """The id under which it stands in the store."""
        return self.manifest.snapshot_id

    @cached_property
    def title_by_id(self) -> dict[str, TitleRecord]:
        """Look-up of titles."""
        return {title.title_id: title for title in self.titles}

    @cached_property
    def pathway_by_id(self) -> dict[str, PathwayRecord]:
        """Look-up of edges and the origin."""
        return {pathway.pathway_id: pathway for pathway in self.topology.pathways}

    @cached_property
    def region_ids(self) -> frozenset[str]:
        """The regions that this snapshot knows."""
        return frozenset(region.region_id for region in self.topology.regions)

    @cached_property
    def genres(self) -> tuple[str, ...]:
        """Every genre, the one with most titles first."""
        counts: dict[str, int] = {}
        for title in self.titles:
            for genre in title.genres:
                counts[genre] = counts.get(genre, 0) + 1
        return tuple(sorted(counts, key=lambda genre: (-counts[genre], genre)))

    def popular(self, region_id: str) -> list[PopularTitle]:
        """Popular titles of a region, best first; of all regions where the region has none."""
        return self.popularity.get(region_id) or self.popularity.get(ALL_REGIONS, [])

    def is_expired(self, now: dt.datetime) -> bool:
        """Whether the graph should have published a newer one by now."""
        return now >= self.manifest.expires_at


def load_snapshot(store_folder: Path, snapshot_id: str) -> Snapshot:
    """Read and verify one snapshot, published or not.

    Raises:
        SnapshotMissing: It is not in the store.
        SnapshotVersionUnsupported: Its major schema version is another.
        SnapshotDamaged: A file is missing, differs from the manifest or cannot be decoded.
    """
    folder = store_folder / SNAPSHOTS_FOLDER / snapshot_id
    manifest = _read_manifest(folder)
    if manifest.snapshot_id != snapshot_id:
        raise SnapshotDamaged(f"{folder} says that it is snapshot {manifest.snapshot_id!r}")
    for file in manifest.files:
        _verify_file(folder, file.path, file.size_bytes, file.sha256)
    names = {file.path for file in manifest.files}
    return Snapshot(
        manifest=manifest,
        titles=tuple(_decode(folder / "titles.msgpack", list[TitleRecord])),
        popularity=_decode(folder / "popularity.msgpack", dict[str, list[PopularTitle]]),
        topology=_decode(folder / "topology.msgpack", Topology),
        placement=_decode(folder / "placement.msgpack", dict[str, PlacedTitles]),
        models=_decode(folder / "models.msgpack", list[ModelRecord]),
        recommender_folder=_folder_of(folder, RECOMMENDER_FOLDER, names),
        challenger_folder=_folder_of(folder, f"{RECOMMENDER_FOLDER}/{CHALLENGER_FOLDER}", names),
        experiments=_decode(folder / EXPERIMENTS_FILE, list[ExperimentRecord]) if EXPERIMENTS_FILE in names else [],
    )


def _folder_of(snapshot_folder: Path, name: str, files: Iterable[str]) -> Path | None:
    return snapshot_folder / name if any(file.startswith(f"{name}/") for file in files) else None


@dataclass(frozen=True, kw_only=True)
class RefreshFailure:
    """Why the newest published snapshot is not the one that is served."""

    failed_at: dt.datetime
    reason: str


class SnapshotReader:
    """Follows ``CURRENT`` and always holds the newest snapshot that is fit to serve.

    Attributes:
        loads, failures: How often a snapshot was taken over, and refused.
        last_failure: The newest refusal; None again once a refresh succeeds.
    """

    def __init__(
        self, store_folder: Path, *, clock: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC)
    ) -> None:
        self._store_folder = store_folder
        self._clock = clock
        self._current: Snapshot | None = None
        self.loads = 0
        self.failures = 0
        self.last_failure: RefreshFailure | None = None

    @property
    def current(self) -> Snapshot | None:
        """The snapshot to answer from; None until the first was loaded."""
        return self._current

    @property
    def expired(self) -> bool:
        """Whether the snapshot that is served should have been replaced by now. It is served nevertheless."""
        return self._current is not None and self._current.is_expired(self._clock())

    def load(self) -> Snapshot:
        """Load what ``CURRENT`` names and serve it from now on.

        Raises:
            SnapshotError: Nothing is published, or what is published is not fit to serve.
        """
        snapshot = load_snapshot(self._store_folder, self._published_id())
        self._current = snapshot
        self.loads += 1
        self.last_failure = None
        logger.info("serving snapshot %s with %d titles", snapshot.snapshot_id, len(snapshot.titles))
        return snapshot

    def refresh(self) -> bool:
        """Take over a newly published snapshot; keep the last good one when the new one is not fit to serve.

        A refusal is counted, kept in ``last_failure`` and logged once for each reason. Before anything was ever
        published there is nothing to refuse, and nothing is counted.

        Returns:
            Whether another snapshot is served than before.
        """
        try:
            if self._current is not None and self._published_id() == self._current.snapshot_id:
                self.last_failure = None
                return False
            self.load()
        except SnapshotError as error:
            if self._current is not None or not isinstance(error, SnapshotMissing):
                self._refuse(error)
            return False
        return True

    def _refuse(self, error: SnapshotError) -> None:
        self.failures += 1
        if self.last_failure is None or self.last_failure.reason != str(error):
            kept = self._current.snapshot_id if self._current else "nothing"
            logger.error("the published snapshot is refused, %s is served on: %s", kept, error)
        self.last_failure = RefreshFailure(failed_at=self._clock(), reason=str(error))

    def _published_id(self) -> str:
        pointer = self._store_folder / SNAPSHOTS_FOLDER / POINTER
        try:
            published = pointer.read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            raise SnapshotMissing(f"no snapshot is published: {pointer} does not exist") from None
        except (OSError, UnicodeDecodeError) as error:
            raise SnapshotDamaged(f"{pointer} cannot be read: {error}") from error
        if not published or "/" in published or published.startswith(".") or "\0" in published:
            raise SnapshotDamaged(f"{pointer} holds no snapshot id but {published!r}")
        return published


def _read_manifest(folder: Path) -> SnapshotManifest:
    path = folder / MANIFEST_FILE
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise SnapshotMissing(f"no snapshot {folder.name!r}: {path} does not exist") from None
    except OSError as error:
        raise SnapshotDamaged(f"{path} cannot be read: {error}") from error
    try:
        version = msgspec.json.decode(data, type=_VersionOnly).schema_version
        if version[0] != SCHEMA_VERSION[0]:
            raise SnapshotVersionUnsupported(
                f"snapshot {folder.name} has schema version {version[0]}.{version[1]}, this reader understands "
                f"{SCHEMA_VERSION[0]}.x; update the API before publishing it"
            )
        return msgspec.json.decode(data, type=SnapshotManifest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise SnapshotDamaged(f"{path} cannot be read: {error}") from error


class _VersionOnly(msgspec.Struct):
    schema_version: tuple[int, int]


def _verify_file(folder: Path, name: str, size_bytes: int, sha256: str) -> None:
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise SnapshotDamaged(f"{folder.name} names a file outside itself: {name!r}")
    try:
        actual_bytes = path.stat().st_size
        if actual_bytes != size_bytes:
            raise SnapshotDamaged(f"{path} has {actual_bytes} bytes, its manifest says {size_bytes}")
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        raise SnapshotDamaged(f"{path} is named in the manifest and does not exist") from None
    except OSError as error:
        raise SnapshotDamaged(f"{path} cannot be read: {error}") from error
    if digest != sha256:
        raise SnapshotDamaged(f"{path} has sha256 {digest}, its manifest says {sha256}")


def _decode(path: Path, kind: type[Decoded]) -> Decoded:
    try:
        return msgspec.msgpack.decode(path.read_bytes(), type=kind)
    except FileNotFoundError:
        raise SnapshotDamaged(f"{path} does not exist; every snapshot has this file") from None
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise SnapshotDamaged(f"{path} cannot be read: {error}") from error
