from __future__ import annotations

import struct
from pathlib import Path

import pytest

from orchestration.media.container import looks_like_text, read_boxes, sniff_container


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"\x00\x00\x00\x18ftypisom", "mp4"),
        (b"\x1a\x45\xdf\xa3" + bytes(20), "matroska"),
        (b"RIFF\x00\x00\x00\x00AVI LIST", "avi"),
        (b"RIFF\x00\x00\x00\x00WAVEfmt ", None),
        (bytes(100), None),
        (b"", None),
        ((b"\x47" + bytes(187)) * 3, "mpeg-ts"),
    ],
)
def test_sniffing(tmp_path: Path, head: bytes, expected: str | None) -> None:
    (tmp_path / "file").write_bytes(head)
    assert sniff_container(tmp_path / "file") == expected


def test_boxes_tell_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(struct.pack(">I4s", 8, b"ftyp") + struct.pack(">I4s", 1000, b"mdat") + bytes(92))
    boxes = read_boxes(tmp_path / "file")
    assert boxes.types == ["ftyp", "mdat"]
    assert boxes.missing_bytes == 900
    assert not boxes.has_index


def test_large_boxes_and_broken_sizes(tmp_path: Path) -> None:
    large = struct.pack(">I4sQ", 1, b"mdat", 116) + bytes(100)
    (tmp_path / "file").write_bytes(large + struct.pack(">I4s", 8, b"moov") + struct.pack(">I4s", 3, b"junk"))
    boxes = read_boxes(tmp_path / "file")
    assert boxes.types == ["mdat", "moov"]
    assert boxes.missing_bytes == 0


def test_text_is_told_from_binary(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("größer\n" * 1000)
    (tmp_path / "binary").write_bytes(bytes(range(256)) * 20)
    (tmp_path / "cut").write_bytes(("x" + "ö" * 4000).encode())  # the look ends within a letter
    (tmp_path / "short").write_bytes(b"\xff\xd8\xff\xe0")
    assert looks_like_text(tmp_path / "text")
    assert looks_like_text(tmp_path / "cut")
    assert not looks_like_text(tmp_path / "binary")
    assert not looks_like_text(tmp_path / "short")
