"""What may go from the store: packages that were replaced long ago, renditions that nothing names, forsaken chunks.

One rule for all of it. Kept are the current package of a title, the one before it, and each for as long after its
replacement as a session or a snapshot may name it; of renditions those that a kept package, the title's ladder or its
captions name, and any that is young. An encode's chunks go with the encode (`chunk_encode.py`); those of one that was
given up go when none was added for as long. Where a record cannot be read the title is left alone: nothing goes on a
guess. Hard links make a removal here leave the same bytes under other titles as they are.
"""

from __future__ import annotations

import datetime as dt
import itertools
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field

from orchestration.media.errors import MediaError
from orchestration.media.forms import form_ids
from orchestration.media.handover import read_ladder, read_sidecars, was_probed
from orchestration.media.objects import PackageRecord, current_package_key, media_prefix, package_record_key
from orchestration.media.records import read_record
from orchestration.media.settings import MediaSettings
from orchestration.store import ObjectStore, StoreError

logger = logging.getLogger(__name__)

GRACE = dt.timedelta(days=7)
"""Longer than any session or plan, and than anyone takes to see that a new version is worse."""


@dataclass(kw_only=True)
class Swept:
    """What went.

    Attributes:
        titles: How many were looked at.
        packages, renditions: What was removed, as ``<title_id>/<id>``.
        chunks: Whose chunks were removed, as ``<title_id>/<start of the master's sha256>``.
        size_bytes: Of the files removed; bytes that other titles link stay on the disk.
        left_alone: Why a title was not touched, by title id.
    """

    titles: int = 0
    packages: list[str] = field(default_factory=list)
    renditions: list[str] = field(default_factory=list)
    chunks: list[str] = field(default_factory=list)
    size_bytes: int = 0
    left_alone: dict[str, str] = field(default_factory=dict)


def sweep_media(store: ObjectStore, settings: MediaSettings, now: dt.datetime, grace: dt.timedelta = GRACE) -> Swept:
    """Remove what may go of every title. One title that cannot be judged does not stop the others."""
    swept = Swept()
    _sweep_chunks(store, now - grace, swept)
    for title_id in store.folders("media/"):
        if not store.exists(current_package_key(title_id)):
            continue
        swept.titles += 1
        try:
            packages = _read_packages(store, title_id)
            kept = kept_packages(packages, store.read_bytes(current_package_key(title_id)).decode().strip(), now, grace)
            named = {item.rendition_id for package in kept for item in package.renditions}
            named |= _named_by_ingest(store, title_id, settings)
        except (StoreError, MediaError, KeyError) as error:
            logger.warning("%s is left alone: %s", title_id, error)
            swept.left_alone[title_id] = str(error)
            continue
        for package in packages:
            if package not in kept:
                swept.packages.append(f"{title_id}/{package.package_id}")
                record_key = package_record_key(title_id, package.package_id)
                swept.size_bytes += _remove(store, record_key.rpartition("/")[0] + "/", first=record_key)
        for rendition_id in store.folders(f"{media_prefix(title_id)}r/"):
            prefix = f"{media_prefix(title_id)}r/{rendition_id}/"
            if rendition_id not in named and _is_older(store, prefix, now - grace):
                swept.renditions.append(f"{title_id}/{rendition_id}")
                swept.size_bytes += _remove(store, prefix, first=f"{prefix}rendition.json")
    return swept


def _sweep_chunks(store: ObjectStore, moment: dt.datetime, swept: Swept) -> None:
    for title_id in store.folders("ingest/"):
        for master in store.folders(f"ingest/{title_id}/"):
            prefix = f"ingest/{title_id}/{master}/chunks/"
            if _is_older(store, prefix, moment):
                swept.chunks.append(f"{title_id}/{master}")
                swept.size_bytes += _remove(store, prefix)


def kept_packages(
    packages: list[PackageRecord], current_id: str, now: dt.datetime, grace: dt.timedelta
) -> list[PackageRecord]:
    """The packages of a title that stay: current, the newest of the others, and what was replaced within ``grace``.

    Raises:
        KeyError: The current one is not among them.
    """
    current = {package.package_id: package for package in packages}[current_id]
    by_age = sorted(packages, key=lambda package: package.created_at, reverse=True)
    others = [package for package in by_age if package is not current]
    kept = [current, *others[:1]]
    for newer, package in itertools.pairwise(by_age):
        if package not in kept and newer.created_at > now - grace:
            kept.append(package)
    return kept


def _read_packages(store: ObjectStore, title_id: str) -> list[PackageRecord]:
    """Every package with a record; a folder without one is not a package yet, or not one any more."""
    keys = (package_record_key(title_id, package_id) for package_id in store.folders(f"{media_prefix(title_id)}p/"))
    found = (read_record(store, key, PackageRecord, "media/package") for key in keys)
    return [package for package in found if package is not None]


def _named_by_ingest(store: ObjectStore, title_id: str, settings: MediaSettings) -> set[str]:
    """Renditions that the next package is to be made of; none for a title that shows another one's media."""
    if not was_probed(store, title_id):
        return set()
    ladder = read_ladder(store, title_id)
    captions = read_sidecars(store, title_id).captions
    return {
        *(rendition_id for rung in ladder.rungs for rendition_id in form_ids(rung, settings, ladder.source_sha256)),
        *(record.rendition.rendition_id for record in captions),
    }


def _is_older(store: ObjectStore, prefix: str, moment: dt.datetime) -> bool:
    """Whether all files below a prefix are older; false where there is none, or where somebody is at work just now."""
    try:
        written = list(_written_s(store, prefix))
    except FileNotFoundError:  # it went between the listing and the look at it
        return False
    return bool(written) and max(written) < moment.timestamp()


def _written_s(store: ObjectStore, prefix: str) -> Iterator[float]:
    return (store.local_path(key).stat().st_mtime for key in store.keys(prefix))


def _remove(store: ObjectStore, prefix: str, *, first: str | None = None) -> int:
    """Remove all files below a prefix, ``first`` before the others: what is half removed is a mere leftover."""
    size_bytes = 0
    for key in sorted(store.keys(prefix), key=lambda key: key != first):
        size_bytes += store.size_bytes(key)
        store.delete(key)
    return size_bytes
