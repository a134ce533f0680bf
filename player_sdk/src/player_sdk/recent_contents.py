"""Small contents that are used again and again for a while: keys, init segments. A live title has new ones for ever."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)


class RecentContents(Generic[Key]):
    """Bytes by what names them, as many as were used last.

    Args:
        most: How many are kept.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._by_key: dict[Key, bytes] = {}

    def get(self, key: Key) -> bytes | None:
        """The content, which is then the last to go; None where it is not there (any more)."""
        content = self._by_key.pop(key, None)
        if content is not None:
            self._by_key[key] = content
        return content

    def put(self, key: Key, content: bytes) -> None:
        """Keep a content; the one that was not used for longest goes."""
        self._by_key.pop(key, None)
        self._by_key[key] = content
        if len(self._by_key) > self._most:
            del self._by_key[next(iter(self._by_key))]
