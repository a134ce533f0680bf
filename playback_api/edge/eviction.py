"""Which pulled objects stay: S3-FIFO, bounded in bytes. Pure; files and capacity are the store's."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

MAX_FREQUENCY = 3
MAX_GHOSTS = 100_000


@dataclass(slots=True)
class _Entry:
    size_bytes: int
    frequency: int = 0


class S3Fifo:
    """Three FIFO queues: small for newcomers, main for what was asked for again, ghosts for what was let go.

    A newcomer that nobody asks for twice leaves through the small queue without displacing anything of worth; one that
    comes back soon after goes to main at once. In main an object gets another round for each hit since the last. After
    Yang et al., "FIFO queues are all you need for cache eviction", SOSP 2023.

    Args:
        small_share: Share of the held bytes that the small queue may have before it gives first.
    """

    def __init__(self, *, small_share: float = 0.1) -> None:
        self._small_share = small_share
        self._small: OrderedDict[str, _Entry] = OrderedDict()
        self._main: OrderedDict[str, _Entry] = OrderedDict()
        self._ghosts: OrderedDict[str, int] = OrderedDict()
        self._small_bytes = 0
        self._main_bytes = 0
        self._ghost_bytes = 0

    def __contains__(self, key: str) -> bool:
        return key in self._small or key in self._main

    def __len__(self) -> int:
        return len(self._small) + len(self._main)

    @property
    def used_bytes(self) -> int:
        """Bytes of all held objects."""
        return self._small_bytes + self._main_bytes

    def size_of(self, key: str) -> int | None:
        """Size of a held object, None when it is not held."""
        entry = self._small.get(key) or self._main.get(key)
        return None if entry is None else entry.size_bytes

    def held_keys(self) -> list[str]:
        """Every held key."""
        return [*self._small, *self._main]

    def hit(self, key: str) -> None:
        """A held object was asked for."""
        entry = self._small.get(key) or self._main[key]
        entry.frequency = min(MAX_FREQUENCY, entry.frequency + 1)

    def admit(self, key: str, size_bytes: int, *, proven: bool = False) -> None:
        """Hold an object that is not held.

        Args:
            key: Its key.
            size_bytes: Its size; the caller has made room before.
            proven: Put it into main, as after a restart, when its past is unknown but it was worth keeping.
        """
        if key in self:
            raise ValueError(f"{key} is held already")
        ghost_bytes = self._ghosts.pop(key, None)
        if ghost_bytes is not None:
            self._ghost_bytes -= ghost_bytes
        if proven or ghost_bytes is not None:
            self._main[key] = _Entry(size_bytes)
            self._main_bytes += size_bytes
        else:
            self._small[key] = _Entry(size_bytes)
            self._small_bytes += size_bytes

    def evict(self) -> str | None:
        """Let one object go and return its key, or None when nothing is held."""
        while self._small or self._main:
            take_small = self._small and (not self._main or self._small_bytes >= self._small_share * self.used_bytes)
            victim = self._evict_small() if take_small else self._evict_main()
            if victim is not None:
                return victim
        return None

    def remove(self, key: str) -> None:
        """Forget a held object."""
        if (entry := self._small.pop(key, None)) is not None:
            self._small_bytes -= entry.size_bytes
        else:
            self._main_bytes -= self._main.pop(key).size_bytes

    def _evict_small(self) -> str | None:
        key, entry = self._small.popitem(last=False)
        self._small_bytes -= entry.size_bytes
        if entry.frequency > 1:
            self._main[key] = _Entry(entry.size_bytes)
            self._main_bytes += entry.size_bytes
            return None
        self._remember(key, entry.size_bytes)
        return key

    def _evict_main(self) -> str | None:
        key, entry = self._main.popitem(last=False)
        if entry.frequency > 0:
            entry.frequency -= 1
            self._main[key] = entry
            return None
        self._main_bytes -= entry.size_bytes
        return key

    def _remember(self, key: str, size_bytes: int) -> None:
        self._ghosts[key] = size_bytes
        self._ghost_bytes += size_bytes
        # as many bytes of ghosts as main holds, so that a comeback counts for about one round of the cache
        limit_bytes = max(self._main_bytes, self._small_bytes)
        while self._ghosts and (self._ghost_bytes > limit_bytes or len(self._ghosts) > MAX_GHOSTS):
            _, dropped_bytes = self._ghosts.popitem(last=False)
            self._ghost_bytes -= dropped_bytes
