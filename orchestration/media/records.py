"""Reading the records that steps leave in the store, in one way: damage is told, with what to do about it."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from orchestration.media.errors import RecordDamaged
from orchestration.store import ObjectStore

Record = TypeVar("Record")


def read_record(store: ObjectStore, key: str, kind: type[Record], made_by: str) -> Record | None:
    """The JSON record under a key, or None when there is none.

    Args:
        store: Where it stands.
        key: Its key.
        kind: What it is decoded to.
        made_by: The asset that makes it anew, such as ``media/ladder``.

    Raises:
        RecordDamaged: It cannot be read; the message says what to do.
    """
    if not store.exists(key):
        return None
    try:
        return msgspec.json.decode(store.read_bytes(key), type=kind)
    except msgspec.DecodeError as error:
        raise RecordDamaged(f"{key} cannot be read ({error}); delete it and materialise {made_by} again") from error
