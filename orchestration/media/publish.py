"""Say which package of a title is served, lend it to other titles, and list what is served.

The pointer ``media/<title_id>/CURRENT`` is moved last and is the only thing that is ever replaced.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

import msgspec

from orchestration.media.errors import PackageMissing
from orchestration.media.objects import (
    SCHEMA_VERSION,
    PackageRecord,
    current_package_key,
    media_prefix,
    package_record_key,
)
from orchestration.store import ObjectStore, StoreError

logger = logging.getLogger(__name__)


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
        content = store.read_bytes(package_record_key(title_id, package_id))
        record = msgspec.json.decode(content, type=PackageRecord)
    except (StoreError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise PackageMissing(f"the package of {title_id!r} cannot be read: {error}") from error
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
    return share_package(store, read_current_package(store, source_title_id), target_title_id)


def share_package(store: ObjectStore, source: PackageRecord, target_title_id: str) -> PackageRecord:
    """`share_title` for a record that was read already: lending one package to thousands reads and hashes nothing anew.

    The record is written after the objects it lists and the pointer last, so what is served is complete; a title that
    is served from this package already is left alone.
    """
    record = msgspec.structs.replace(source, title_id=target_title_id)
    record_key = package_record_key(target_title_id, source.package_id)
    pointer_key = current_package_key(target_title_id)
    if not store.exists(record_key):
        source_prefix, target_prefix = media_prefix(source.title_id), media_prefix(target_title_id)
        for item in source.objects:
            store.link(source_prefix + item.key, target_prefix + item.key)
        store.put_bytes(record_key, msgspec.json.encode(record))
    if not store.exists(pointer_key) or store.read_bytes(pointer_key) != source.package_id.encode():
        publish_package(store, record)
    return record
