"""The forms in which an encoded rung stands in the store: in the clear, or encrypted by one or more schemes.

What is encoded has one id, which names encoder, recipe and master; each form of it has an id of its own, so a title can
be protected, or protected anew, without a new encode where the encoder's results are kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from orchestration.media.aes128 import encrypt_rendition
from orchestration.media.cmaf import EncodedFile, cut_segments
from orchestration.media.errors import ProtectionError
from orchestration.media.ladder import AudioRung, Ladder, VideoRung
from orchestration.media.protection import ContentKeys, KeyGroup, Protection, protections, require_keys, stored_ids
from orchestration.media.renditions import RenditionRecord, is_complete, read_rendition, store_rendition
from orchestration.media.settings import MediaSettings
from orchestration.store import ObjectStore


def is_stored(
    store: ObjectStore, title_id: str, rung: VideoRung | AudioRung, settings: MediaSettings, source_sha256: str
) -> bool:
    """Whether every form of a rung that the settings ask for is complete."""
    wanted = stored_ids(rung.rendition_id, _group(rung), settings, source_sha256)
    return all(is_complete(store, title_id, rendition_id) for rendition_id in wanted)


def form_ids(rung: VideoRung | AudioRung, settings: MediaSettings, source_sha256: str) -> list[str]:
    """The ids of every form of a rung that the settings ask for."""
    return list(stored_ids(rung.rendition_id, _group(rung), settings, source_sha256))


def read_forms(store: ObjectStore, title_id: str, ladder: Ladder, settings: MediaSettings) -> list[RenditionRecord]:
    """Every form of every rung: all rungs in the form that HLS and DASH share, then those for AES-128.

    Raises:
        PackagingError: One is not complete.
        RecordDamaged: The record of one cannot be read.
    """
    by_rung = [stored_ids(rung.rendition_id, _group(rung), settings, ladder.source_sha256) for rung in ladder.rungs]
    return [
        read_rendition(store, title_id, rendition_id) for form in zip(*by_rung, strict=True) for rendition_id in form
    ]


def require_own_keys(records: Iterable[RenditionRecord], keys: ContentKeys | None) -> None:
    """See that renditions are encrypted under the keys that are handed out for them.

    Raises:
        ProtectionError: One is under the key of another secret, or there is none to tell by.
    """
    for record in records:
        rendition = record.rendition
        if rendition.protection == "none":
            continue
        if record.key_fingerprint != require_keys(keys).fingerprint_of(rendition.key_id):
            raise ProtectionError(
                f"rung {rendition.rung} is encrypted under the key of another secret, so nobody can play it; set "
                "MATINEE_SECRET as it was, or raise key_generation in MATINEE_MEDIA and ingest the title again"
            )


def store_forms(
    store: ObjectStore,
    title_id: str,
    ladder: Ladder,
    files: Mapping[str, Path],
    settings: MediaSettings,
    folder: Path,
    keys: ContentKeys | None,
) -> None:
    """Cut what was encoded into each form that the settings ask for, and put it into the store.

    Args:
        store: Takes the renditions.
        title_id: The title.
        ladder: The rungs that were encoded.
        files: Encoded file by the id of its rung.
        settings: Segment duration and protection.
        folder: Scratch space; the clear segments of a protected title never leave it.
        keys: Where keys come from; None will do for a title in the clear.

    Raises:
        ProtectionError: The title is to be protected and there is no secret.
        ProgramError, PackagingError: The packager failed.
    """
    for protection in protections(settings, ladder.source_sha256):
        work = folder / ("clear" if protection is None else protection.scheme)
        work.mkdir()
        if protection is not None and protection.scheme == "aes-128":
            records = _cut_aes_128(ladder, files, settings, work, protection, keys)
        else:
            encoded = [_encoded_file(rung, files, protection) for rung in ladder.rungs]
            records = cut_segments(encoded, settings, work, protection, keys)
        for record in records:
            store_rendition(store, title_id, record, work / record.rendition.rendition_id)


def _cut_aes_128(
    ladder: Ladder,
    files: Mapping[str, Path],
    settings: MediaSettings,
    work: Path,
    protection: Protection,
    keys: ContentKeys | None,
) -> list[RenditionRecord]:
    known = require_keys(keys)
    cut = cut_segments([_encoded_file(rung, files, None) for rung in ladder.rungs], settings, work)
    encrypted = []
    for record in cut:
        clear_id = record.rendition.rendition_id
        target = work / protection.rendition_id(clear_id, protection.group_of(record.rendition.kind))
        encrypted.append(encrypt_rendition(record, work / clear_id, target, protection, known))
    return encrypted


def _encoded_file(rung: VideoRung | AudioRung, files: Mapping[str, Path], protection: Protection | None) -> EncodedFile:
    group = _group(rung)
    stored_id = rung.rendition_id if protection is None else protection.rendition_id(rung.rendition_id, group)
    return EncodedFile(
        path=files[rung.rendition_id],
        rendition_id=stored_id,
        rung=rung.rung,
        kind=group,
        language="und" if isinstance(rung, VideoRung) else rung.language,
        name="" if isinstance(rung, VideoRung) else rung.name,
        role="main" if isinstance(rung, VideoRung) else rung.role,
    )


def _group(rung: VideoRung | AudioRung) -> KeyGroup:
    return "video" if isinstance(rung, VideoRung) else "audio"
