"""A stored rendition as one file in the clear, for work that looks at pictures after they were published."""

from __future__ import annotations

import shutil
from pathlib import Path

from orchestration.media.errors import ProtectionError
from orchestration.media.key_file import key_file
from orchestration.media.process import run_program
from orchestration.media.programs import find_packager
from orchestration.media.protection import ContentKeys, require_keys
from orchestration.media.renditions import RenditionRecord, rendition_key
from orchestration.store import ObjectStore

TIMEOUT_S = 3600


def clear_file(
    store: ObjectStore, title_id: str, record: RenditionRecord, folder: Path, keys: ContentKeys | None = None
) -> Path:
    """Write a rendition's segments into ``folder`` as one MP4 file; those of Common Encryption are decrypted.

    Raises:
        ProtectionError: It is encrypted and there is no secret, or by a scheme whose segments do not join.
        ProgramError: The packager failed.
    """
    rendition = record.rendition
    joined = folder / f"{rendition.rendition_id}-joined.mp4"
    with joined.open("wb") as target:
        for name in record.file_names:
            with store.local_path(rendition_key(title_id, rendition.rendition_id, name)).open("rb") as source:
                shutil.copyfileobj(source, target)
    if rendition.protection == "none":
        return joined
    if rendition.protection == "aes-128":
        raise ProtectionError(f"rung {rendition.rung} is encrypted segment by segment; take the rung that DASH shares")
    return _decrypted(joined, record, require_keys(keys))


def _decrypted(joined: Path, record: RenditionRecord, keys: ContentKeys) -> Path:
    rendition = record.rendition
    target = joined.with_name(f"{rendition.rendition_id}-clear.mp4")
    label = {"label": "", "key_id": rendition.key_id, "key": keys.key_of(rendition.key_id).hex()}
    command = [find_packager(), f"in={joined},stream={rendition.kind},output={target}"]
    try:
        with key_file(joined.parent, [label]) as option:
            run_program(
                [*command, "--enable_raw_key_decryption", option, "--quiet"], timeout_s=TIMEOUT_S, folder=joined.parent
            )
    finally:
        joined.unlink()
    return target
