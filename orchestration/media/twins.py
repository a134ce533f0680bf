"""Masters with the same content under several titles: what was encoded for one is linked for the others.

A rendition's id names the master's content and the recipe and not the title, so equal ids are equal bytes.
"""

from __future__ import annotations

from orchestration.media.forms import form_ids
from orchestration.media.handover import read_loudness, write_loudness
from orchestration.media.ladder import Ladder
from orchestration.media.renditions import is_complete, link_rendition, read_rendition
from orchestration.media.settings import MediaSettings
from orchestration.store import ObjectStore


def adopt_renditions(
    store: ObjectStore, title_id: str, twin_title_id: str, ladder: Ladder, settings: MediaSettings
) -> int:
    """Link every rendition of a ladder that a title lacks and its twin has; returns how many.

    Raises:
        RecordDamaged: A record of the twin's cannot be read.
    """
    adopted = 0
    loudness = read_loudness(store, twin_title_id, ladder.source_sha256)
    for rung in ladder.rungs:
        for rendition_id in form_ids(rung, settings, ladder.source_sha256):
            if is_complete(store, title_id, rendition_id) or not is_complete(store, twin_title_id, rendition_id):
                continue
            record = read_rendition(store, twin_title_id, rendition_id)
            link_rendition(store, twin_title_id, title_id, record)
            adopted += 1
    if adopted and loudness:
        write_loudness(store, title_id, ladder.source_sha256, loudness)
    return adopted
