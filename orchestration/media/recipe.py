"""A rendition's id: a hash of the master's content and of everything that decides the encoded bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import msgspec

from orchestration.media.settings import RECIPE_VERSION


def rendition_id(source_sha256: str, recipe: Sequence[object]) -> str:
    """The same master and recipe give the same id, on any host; anything else gives another one."""
    content = msgspec.json.encode([RECIPE_VERSION, source_sha256, *recipe])
    return hashlib.sha256(content).hexdigest()[:16]
