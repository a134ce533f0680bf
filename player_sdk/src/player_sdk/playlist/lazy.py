"""Long sequences whose items are made when they are asked for.

A manifest describes by a few rules what may be a hundred thousand segments at each of ten rungs; of those, a session
looks at the ones that it plays.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate
from typing import TypeVar, overload

Item = TypeVar("Item")


class LazySequence(Sequence[Item]):
    """Items that are made once each, at their first use.

    Args:
        count: How many there are.
        make: Makes the item of an index from 0.
    """

    def __init__(self, count: int, make: Callable[[int], Item]) -> None:
        self._indexes = range(count)
        self._make = make
        self._made: dict[int, Item] = {}

    def __len__(self) -> int:
        return len(self._indexes)

    @overload
    def __getitem__(self, index: int) -> Item: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Item, ...]: ...

    def __getitem__(self, index: int | slice) -> Item | tuple[Item, ...]:
        if isinstance(index, slice):
            return tuple(self[at] for at in self._indexes[index])
        at = self._indexes[index]
        if at not in self._made:
            self._made[at] = self._make(at)
        return self._made[at]


class Chain:
    """Parts that stand one after the other.

    Args:
        counts: How many items each has.
    """

    def __init__(self, counts: Iterable[int]) -> None:
        self._ends = list(accumulate(counts))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def find(self, index: int) -> tuple[int, int]:
        """Which part holds the item of an index, and where in it."""
        part = bisect.bisect_right(self._ends, index)
        return part, index - (self._ends[part - 1] if part else 0)
