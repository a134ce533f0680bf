"""The ``Range`` header (RFC 9110, section 14), single ranges only."""

from __future__ import annotations

import re
from dataclasses import dataclass

_SINGLE = re.compile(r"bytes\s*=\s*(\d*)\s*-\s*(\d*)\s*\Z", re.ASCII | re.IGNORECASE)


class RangeNotSatisfiableError(Exception):
    """The range lies outside the object: answer 416."""


@dataclass(frozen=True, slots=True)
class ByteRange:
    """``length`` bytes from byte ``first``."""

    first: int
    length: int

    @property
    def last(self) -> int:
        """The last byte of it."""
        return self.first + self.length - 1


def parse_byte_range(header: str, size_bytes: int) -> ByteRange | None:
    """Read a ``Range`` header for an object of a given size.

    Returns:
        The range, or None when the header is to be ignored: malformed, another unit, or several ranges, for which a
        server may send the whole object.

    Raises:
        RangeNotSatisfiableError: It is well formed but holds no byte of the object.
    """
    match = _SINGLE.match(header.strip())
    if match is None or len(header) > 64:
        return None
    first_text, last_text = match.groups()
    if not first_text:
        if not last_text:
            return None
        length = min(int(last_text), size_bytes)
        if length == 0:
            raise RangeNotSatisfiableError(header)
        return ByteRange(size_bytes - length, length)
    first = int(first_text)
    if last_text and int(last_text) < first:
        return None
    if first >= size_bytes:
        raise RangeNotSatisfiableError(header)
    last = min(int(last_text), size_bytes - 1) if last_text else size_bytes - 1
    return ByteRange(first, last - first + 1)
