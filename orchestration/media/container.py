"""What kind of file this is and whether all of it arrived, judged by its first bytes and its box structure alone.

No decoding and no codec library here: these are the checks that give a person the reason when a library only says
"invalid data". Formats: ISO/IEC 14496-12 (MP4 and QuickTime boxes), EBML (Matroska, WebM), ISO/IEC 13818-1 (MPEG-TS).
"""

from __future__ import annotations

import codecs
import struct
from dataclasses import dataclass
from pathlib import Path

SNIFF_BYTES = 4096
TS_PACKET_BYTES = 188
MAX_TOP_LEVEL_BOXES = 100_000

_MP4_FIRST_BOXES = {b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"styp", b"moof"}
_SIGNATURES: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\x1a\x45\xdf\xa3", "matroska"),
    (0, b"OggS", "ogg"),
    (0, b"FLV\x01", "flv"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "asf"),
    (0, b"\x00\x00\x01\xba", "mpeg-ps"),
    (0, b"\x00\x00\x01\xb3", "mpeg-video"),
    (0, b"\x06\x0e\x2b\x34\x02\x05\x01\x01", "mxf"),
    (0, b"DKIF", "ivf"),
    (8, b"AVI ", "avi"),
)


@dataclass(frozen=True, kw_only=True)
class BoxStructure:
    """The top level of an MP4 file.

    Attributes:
        types: Box types in order.
        missing_bytes: How many bytes the last box promises beyond the end of the file.
    """

    types: list[str]
    missing_bytes: int

    @property
    def has_index(self) -> bool:
        """Whether the ``moov`` box, without which nothing can be decoded, is there."""
        return "moov" in self.types


def sniff_container(path: Path) -> str | None:
    """The container format by signature, such as ``mp4`` or ``matroska``; None when no known one starts like this."""
    with path.open("rb") as file:
        head = file.read(SNIFF_BYTES)
    if head[4:8] in _MP4_FIRST_BOXES:
        return "mp4"
    for offset, signature, name in _SIGNATURES:
        if head[offset : offset + len(signature)] == signature:
            return name
    for first in (0, 4):  # M2TS puts four bytes before each packet
        step = TS_PACKET_BYTES + first
        if len(head) > first + 2 * step and all(head[first + step * n] == 0x47 for n in range(3)):
            return "mpeg-ts"
    return None


def looks_like_text(path: Path) -> bool:
    """Whether the first bytes are readable text: the usual case of a wrong file under a right name."""
    with path.open("rb") as file:
        head = file.read(SNIFF_BYTES)
    return bool(head) and b"\x00" not in head and sum(byte < 9 for byte in head) == 0 and _is_utf8(head)


def read_boxes(path: Path) -> BoxStructure:
    """Walk the top-level boxes of an MP4 file; reads a few bytes per box."""
    file_size = path.stat().st_size
    types: list[str] = []
    position = 0
    with path.open("rb") as file:
        while position + 8 <= file_size and len(types) < MAX_TOP_LEVEL_BOXES:
            file.seek(position)
            size, kind = struct.unpack(">I4s", file.read(8))
            if size == 1:
                size = struct.unpack(">Q", file.read(8).ljust(8, b"\x00"))[0]
            elif size == 0:  # to the end of the file
                size = file_size - position
            if size < 8:
                break
            types.append(kind.decode("latin-1"))
            position += size
    return BoxStructure(types=types, missing_bytes=max(position - file_size, 0))


def _is_utf8(content: bytes) -> bool:
    """Whether all of it is UTF-8, but for a letter that the end cuts through."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(content)
    except UnicodeDecodeError:
        return False
    return True
