"""A byte-bounded cache that drops what was asked for longest ago: what an edge does with bytes nobody placed."""

from __future__ import annotations

from collections import OrderedDict


class LeastRecentlyUsed:
    """LRU by bytes. What is larger than the whole cache passes through without being kept."""

    def __init__(self, capacity_bytes: float) -> None:
        self.capacity_bytes = capacity_bytes
        self.used_bytes = 0.0
        self._sizes: OrderedDict[int, float] = OrderedDict()

    def __contains__(self, key: int) -> bool:
        return key in self._sizes

    def ask(self, key: int, size_bytes: float) -> bool:
        """Whether the object was there; afterwards it is, as the newest, if it fits."""
        sizes = self._sizes
        if key in sizes:
            sizes.move_to_end(key)
            return True
        if size_bytes > self.capacity_bytes:
            return False
        self.used_bytes += size_bytes
        sizes[key] = size_bytes
        while self.used_bytes > self.capacity_bytes:
            _, gone = sizes.popitem(last=False)
            self.used_bytes -= gone
        return False
