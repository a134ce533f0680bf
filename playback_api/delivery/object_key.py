"""Object keys: paths below ``media/`` that can never leave their folder."""

from __future__ import annotations

import re

POINTER_NAME = "CURRENT"
MAX_KEY_LENGTH = 512

_PART = r"[A-Za-z0-9_][A-Za-z0-9._-]*"
_KEY = re.compile(rf"{_PART}(?:/{_PART})*\Z", re.ASCII)


def is_object_key(key: str) -> bool:
    """Whether ``key`` can name a media object: plain parts, none of them hidden, ``.`` or ``..``."""
    return len(key) <= MAX_KEY_LENGTH and _KEY.match(key) is not None


def is_immutable(key: str) -> bool:
    """Whether an object of that key never changes: all do not, but the pointer to the current package."""
    return key != POINTER_NAME and not key.endswith("/" + POINTER_NAME)
