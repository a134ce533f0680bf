"""Delete renditions that a correction replaced.

A rung off its target is encoded again under another id; what it was before is of no use to anybody, unless a package
names it. Packages of earlier ladders are kept, since sessions may be playing them, and so is all that they name.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from orchestration.media.correction import Delivered
from orchestration.media.ladder import Ladder
from orchestration.media.objects import PackageRecord, media_prefix, package_record_key
from orchestration.media.protection import stored_ids
from orchestration.media.renditions import is_complete, rendition_key
from orchestration.media.settings import MediaSettings
from orchestration.store import ObjectStore


def sweep_superseded(
    store: ObjectStore, title_id: str, ladder: Ladder, measured: Sequence[Delivered], settings: MediaSettings
) -> list[str]:
    """Delete what was encoded for a target of the title, is no rung of its ladder, and is named by no package.

    Args:
        store: Holds the title.
        title_id: The title.
        ladder: As it was corrected last.
        measured: What its renditions, and earlier ones, were measured to give.
        settings: As for the encode.

    Returns:
        The ids of the renditions that are gone now.
    """
    kept = {rung.rendition_id for rung in ladder.video}
    superseded = [
        stored_id
        for item in measured
        if item.target_vmaf is not None and item.rendition_id not in kept
        for stored_id in stored_ids(item.rendition_id, "video", settings, ladder.source_sha256)
        if is_complete(store, title_id, stored_id)
    ]
    if not superseded:
        return []
    named = _named_renditions(store, title_id)
    swept = [rendition_id for rendition_id in superseded if rendition_id not in named]
    for rendition_id in swept:
        store.delete(rendition_key(title_id, rendition_id, "rendition.json"))  # first: what is left is no rendition
        for key in list(store.keys(rendition_key(title_id, rendition_id, ""))):
            store.delete(key)
    return swept


def _named_renditions(store: ObjectStore, title_id: str) -> set[str]:
    """The renditions of every package of a title, also of those that are not served any more."""
    named: set[str] = set()
    for package_id in store.folders(f"{media_prefix(title_id)}p/"):
        key = package_record_key(title_id, package_id)
        if store.exists(key):
            record = msgspec.json.decode(store.read_bytes(key), type=PackageRecord)
            named |= {rendition.rendition_id for rendition in record.renditions}
    return named
