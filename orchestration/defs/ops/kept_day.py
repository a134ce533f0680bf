"""What the stage keeps of a day: an immutable object by its content, and the pointer of its area to the newest one.

The object is ``<area>/<day>-<digest>.<form>``; ``<area>/CURRENT`` holds its key.
"""

from __future__ import annotations

import datetime as dt
import hashlib

from orchestration.store import ObjectMissing, ObjectStore


def keep_day(store: ObjectStore, area: str, day: dt.date, content: bytes, *, form: str) -> str:
    """Keep what is told of a day, and point to it; returns its key."""
    key = f"{area}/{day.isoformat()}-{hashlib.sha256(content).hexdigest()[:12]}.{form}"
    store.put_bytes(key, content)
    store.put_bytes(pointer_key(area), key.encode(), replace=True)
    return key


def read_day(store: ObjectStore, area: str, day: dt.date) -> bytes | None:
    """What is told of a day; None when the newest is of another one, or there is none."""
    try:
        key = store.read_bytes(pointer_key(area)).decode()
    except ObjectMissing:
        return None
    return store.read_bytes(key) if key.startswith(f"{area}/{day.isoformat()}-") else None


def pointer_key(area: str) -> str:
    """The key whose content names the newest."""
    return f"{area}/CURRENT"
