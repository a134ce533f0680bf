"""Whether a file is a JPEG picture, and its size: markers are read, no picture is decoded (ITU-T T.81, annex B)."""

from __future__ import annotations

import struct

_START = b"\xff\xd8"
_END = b"\xff\xd9"
_FRAMES = frozenset({0xC0, 0xC1, 0xC2})
"""Start of frame: baseline, extended, progressive. Cameras and encoders write no other."""


def jpeg_size(content: bytes) -> tuple[int, int] | None:
    """Width and height; None when it is no JPEG, or one that is cut off."""
    if not content.startswith(_START) or not content.rstrip(b"\x00").endswith(_END):
        return None
    position = len(_START)
    while position + 9 <= len(content) and content[position] == 0xFF:
        if content[position + 1] in _FRAMES:
            height, width = struct.unpack_from(">HH", content, position + 5)
            return width, height
        position += 2 + int.from_bytes(content[position + 2 : position + 4], "big")
    return None
