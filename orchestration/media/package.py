"""Assemble a package: manifests and artwork over renditions that stand in the store, and the record of all objects.

A package moves no media byte. Its id is a hash of what it is made of, so the same renditions and artwork give the same
package, and building it twice changes nothing: a record that stands is never written again. Whether that is all the
title is to have counts too, so first rungs that turn out to be all become another package over the same renditions.
Making it the one that is served is `publish.py`'s work.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence

import msgspec

from orchestration.media.artwork import POSTER_NAME
from orchestration.media.errors import PackagingError
from orchestration.media.image_tracks import STORYBOARD_FILES
from orchestration.media.manifests import MASTER_AES_128_NAME, MASTER_NAME, MPD_NAME, write_manifests
from orchestration.media.objects import (
    ARTWORK_RUNG,
    MANIFEST_RUNG,
    PREFIX_GROUP,
    SCHEMA_VERSION,
    STORYBOARD_GROUP,
    MediaObject,
    PackageRecord,
    media_prefix,
    package_record_key,
)
from orchestration.media.protection import PROTECTION_NAME
from orchestration.media.records import read_record
from orchestration.media.renditions import INIT_NAME, RenditionRecord
from orchestration.media.storyboard import Storyboard
from orchestration.store import ObjectStore, file_sha256

PREFIX_S = 8.0
GROUP_S = 20.0


def build_package(
    store: ObjectStore,
    title_id: str,
    source_sha256: str,
    renditions: Sequence[RenditionRecord],
    artwork_keys: Sequence[str],
    segment_duration_s: float,
    created_at: dt.datetime,
    *,
    key_server_url: str = "",
    storyboard: Storyboard | None = None,
    complete: bool = True,
) -> PackageRecord:
    """Write the package of a title into the store, its record last; an identical one that exists is returned as it is.

    Args:
        store: Holds the renditions; takes the package.
        title_id: The title.
        source_sha256: Of the master.
        renditions: Video, largest first, then audio.
        artwork_keys: Where the artwork stands in the store now, the sheets of the storyboard included.
        segment_duration_s: What the segments were meant to last.
        created_at: For the record.
        key_server_url: Where players ask for the keys of protected renditions.
        storyboard: What its sheets show; None while there is none.
        complete: Whether these are all the renditions that the title is to have.

    Raises:
        PackagingError: There is no video, or the renditions do not belong together.
        RecordDamaged: The same package stands in the store and its record cannot be read.
    """
    _require_coherent(title_id, renditions)
    manifests = write_manifests(renditions, key_server_url=key_server_url, storyboard=storyboard)
    texts = {name: text.encode() for name, text in manifests.items()}
    if key_ids := sorted({item.rendition.key_id for item in renditions if item.rendition.key_id}):
        texts[PROTECTION_NAME] = msgspec.json.encode({"key_ids": key_ids})
    artwork = {key: file_sha256(store.local_path(key)) for key in artwork_keys}
    package_id = _package_id(texts, artwork, complete=complete)
    record_key = package_record_key(title_id, package_id)
    if (known := read_record(store, record_key, PackageRecord, "media/package")) is not None:
        return known
    folder = f"p/{package_id}"
    objects = [
        *_put_manifests(store, title_id, folder, texts),
        *_put_artwork(store, title_id, folder, artwork, storyboard),
        *(item for rendition in renditions for item in rendition_objects(rendition)),
    ]
    poster_key = f"{folder}/{POSTER_NAME}"
    record = PackageRecord(
        schema_version=SCHEMA_VERSION,
        title_id=title_id,
        package_id=package_id,
        source_sha256=source_sha256,
        duration_s=max(item.duration_s for item in renditions if item.rendition.kind == "video"),
        segment_duration_s=segment_duration_s,
        created_at=created_at,
        hls_key=f"{folder}/{MASTER_NAME}",
        dash_key=f"{folder}/{MPD_NAME}",
        hls_aes_128_key=f"{folder}/{MASTER_AES_128_NAME}" if MASTER_AES_128_NAME in texts else None,
        poster_key=poster_key if any(item.key == poster_key for item in objects) else None,
        renditions=[item.rendition for item in renditions],
        objects=objects,
        complete=complete,
    )
    store.put_bytes(record_key, msgspec.json.encode(record))
    return record


def segment_group(start_s: float) -> int:
    """The group of a segment: 0, the prefix, when it starts within the first 8 s; then one group per 20 s."""
    if start_s < PREFIX_S:
        return PREFIX_GROUP
    return PREFIX_GROUP + 1 + int((start_s - PREFIX_S) // GROUP_S)


def rendition_objects(record: RenditionRecord) -> list[MediaObject]:
    """A rendition's files as objects of a package."""
    rendition = record.rendition
    folder = f"r/{rendition.rendition_id}"
    objects = [] if rendition.kind == "text" else [_init_object(record, folder)]
    for segment in record.segments:
        objects.append(
            MediaObject(
                key=f"{folder}/{segment.name}",
                size_bytes=segment.size_bytes,
                sha256=segment.sha256,
                rung=rendition.rung,
                segment_group=segment_group(record.start_s(segment)),
                rendition_id=rendition.rendition_id,
                duration_s=round(record.segment_duration_s(segment), 6),
            )
        )
    return objects


def _init_object(record: RenditionRecord, folder: str) -> MediaObject:
    return MediaObject(
        key=f"{folder}/{INIT_NAME}",
        size_bytes=record.init_size_bytes,
        sha256=record.init_sha256,
        rung=record.rendition.rung,
        segment_group=PREFIX_GROUP,
        rendition_id=record.rendition.rendition_id,
    )


def _require_coherent(title_id: str, renditions: Sequence[RenditionRecord]) -> None:
    video = [item for item in renditions if item.rendition.kind == "video"]
    if not video:
        raise PackagingError(f"{title_id} has no video rendition; materialise media/renditions")
    cuts = {tuple(item.start_s(segment) for segment in item.segments): item.rendition.rung for item in video}
    if len(cuts) > 1:
        rungs = ", ".join(cuts.values())
        raise PackagingError(f"{title_id}: rungs {rungs} are cut at different points; encode them anew")


def _package_id(texts: Mapping[str, bytes], artwork: Mapping[str, str], *, complete: bool) -> str:
    """Hash over the manifests, which name every rendition, the artwork, and whether that is all there will be."""
    digest = hashlib.sha256(b"complete\x00" if complete else b"first rungs\x00")
    for name in sorted(texts):
        digest.update(name.encode() + b"\x00" + texts[name] + b"\x00")
    for key in sorted(artwork):
        digest.update(key.rpartition("/")[2].encode() + b"\x00" + bytes.fromhex(artwork[key]))
    return digest.hexdigest()[:16]


def _put_manifests(store: ObjectStore, title_id: str, folder: str, texts: dict[str, bytes]) -> list[MediaObject]:
    objects = []
    for name, content in texts.items():
        store.put_bytes(f"{media_prefix(title_id)}{folder}/{name}", content)
        objects.append(
            MediaObject(
                key=f"{folder}/{name}",
                size_bytes=len(content),
                sha256=hashlib.sha256(content).hexdigest(),
                rung=ARTWORK_RUNG if name in STORYBOARD_FILES else MANIFEST_RUNG,
                segment_group=STORYBOARD_GROUP if name in STORYBOARD_FILES else PREFIX_GROUP,
            )
        )
    return objects


def _put_artwork(
    store: ObjectStore, title_id: str, folder: str, artwork: Mapping[str, str], storyboard: Storyboard | None
) -> list[MediaObject]:
    sheets = {sheet.name for sheet in storyboard.sheets} if storyboard is not None else set()
    objects = []
    for source_key, sha256 in artwork.items():
        name = source_key.rpartition("/")[2]
        key = f"{folder}/{name}"
        store.link(source_key, media_prefix(title_id) + key)
        objects.append(
            MediaObject(
                key=key,
                size_bytes=store.size_bytes(source_key),
                sha256=sha256,
                rung=ARTWORK_RUNG,
                segment_group=STORYBOARD_GROUP if name in sheets else PREFIX_GROUP,
            )
        )
    return objects
