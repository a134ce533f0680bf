"""Say which package of a title is served, lend it to other titles, and list what is served.

The pointer ``media/<title_id>/CURRENT`` is moved last and is the only thing that is ever replaced.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import msgspec

from orchestration.media.errors import PackageMissing, RecordDamaged
from orchestration.media.objects import (
    SCHEMA_VERSION,
    PackageRecord,
    current_package_key,
    media_prefix,
    package_record_key,
)
from orchestration.media.records import read_record
from orchestration.store import ObjectStore, StoreError

logger = logging.getLogger(__name__)

PROGRESS_EVERY = 500
MADE_BY = "media/package (media/shared_titles for a lent one)"
"""The assets that make a package's record anew when it was deleted."""


@dataclass(frozen=True, kw_only=True)
class SharedTitles:
    """What became of the titles that show another title's media.

    Attributes:
        linked: Titles that got a package now.
        untouched: Titles that were served from it already.
        failed: Why not, by title id.
    """

    linked: int
    untouched: int
    failed: dict[str, str]


def publish_package(store: ObjectStore, record: PackageRecord) -> None:
    """Serve ``record`` from now on."""
    store.put_bytes(current_package_key(record.title_id), record.package_id.encode(), replace=True)


def read_current_package(store: ObjectStore, title_id: str) -> PackageRecord:
    """The package that a title is served from.

    Raises:
        PackageMissing: There is none, or its record cannot be read.
    """
    try:
        package_id = store.read_bytes(current_package_key(title_id)).decode().strip()
        record_key = package_record_key(title_id, package_id)
        record = read_record(store, record_key, PackageRecord, MADE_BY)
    except (StoreError, RecordDamaged, UnicodeDecodeError) as error:
        raise PackageMissing(f"the package of {title_id!r} cannot be read: {error}") from error
    if record is None:
        raise PackageMissing(f"the package of {title_id!r} has no {record_key}; materialise {MADE_BY} again")
    if record.schema_version != SCHEMA_VERSION:
        raise PackageMissing(
            f"the package of {title_id!r} has schema version {record.schema_version}, this code reads {SCHEMA_VERSION}"
        )
    return record


def current_packages(
    store: ObjectStore, on_broken: Callable[[str, PackageMissing], None] | None = None
) -> Iterator[PackageRecord]:
    """The current package of every title that has one, by title id.

    A record that cannot be read is logged, told to ``on_broken`` with its title id, and left out.
    """
    for title_id in store.folders("media/"):
        if not store.exists(current_package_key(title_id)):
            continue
        try:
            record = read_current_package(store, title_id)
        except PackageMissing as error:
            logger.warning("left out: %s", error)
            if on_broken is not None:
                on_broken(title_id, error)
            continue
        yield record


def share_title(store: ObjectStore, source_title_id: str, target_title_id: str) -> PackageRecord:
    """Give a title the package of another one, without copying a byte where the file system knows hard links.

    Raises:
        PackageMissing: The source has no package.
    """
    source = read_current_package(store, source_title_id)
    _share(store, source, target_title_id)
    return msgspec.structs.replace(source, title_id=target_title_id)


def share_titles(
    store: ObjectStore,
    sources: Mapping[str, str],
    on_progress: Callable[[int], None] | None = None,
) -> SharedTitles:
    """`share_title` for thousands: each source's record is read once and nothing is hashed.

    Args:
        store: Where the media is.
        sources: Source title by the title that shows its media.
        on_progress: Called with the number of titles done, now and then.
    """
    packages: dict[str, PackageRecord | PackageMissing] = {}
    linked, untouched, failed = 0, 0, {}
    for done, (target_title_id, source_title_id) in enumerate(sources.items(), start=1):
        if source_title_id not in packages:
            packages[source_title_id] = _package_or_fault(store, source_title_id)
        package = packages[source_title_id]
        try:
            if isinstance(package, PackageMissing):
                raise package
            if _share(store, package, target_title_id):
                linked += 1
            else:
                untouched += 1
        except (PackageMissing, StoreError, OSError) as error:
            logger.warning("%s does not get the media of %s: %s", target_title_id, source_title_id, error)
            failed[target_title_id] = str(error)
        if on_progress is not None and done % PROGRESS_EVERY == 0:
            on_progress(done)
    return SharedTitles(linked=linked, untouched=untouched, failed=failed)


def _package_or_fault(store: ObjectStore, title_id: str) -> PackageRecord | PackageMissing:
    try:
        return read_current_package(store, title_id)
    except PackageMissing as error:
        return error


def _share(store: ObjectStore, source: PackageRecord, target_title_id: str) -> bool:
    """Give ``target_title_id`` the package ``source``; False when it is served from it already.

    The record is written after the objects it lists and the pointer last, so what is served is complete.
    """
    pointer_key = current_package_key(target_title_id)
    record = msgspec.structs.replace(source, title_id=target_title_id)
    record_key = package_record_key(target_title_id, source.package_id)
    has_record = store.exists(record_key)
    if has_record and store.exists(pointer_key) and store.read_bytes(pointer_key) == source.package_id.encode():
        return False
    if not has_record:
        source_prefix, target_prefix = media_prefix(source.title_id), media_prefix(target_title_id)
        for item in source.objects:
            store.link(source_prefix + item.key, target_prefix + item.key)
        store.put_bytes(record_key, msgspec.json.encode(record))
    publish_package(store, record)
    return True
