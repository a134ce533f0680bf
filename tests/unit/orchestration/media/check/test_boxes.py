"""Boxes that promise what is not there."""

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.media.check.boxes import BoxError, InitFacts, read_init, read_segment, walk

INIT = InitFacts(
    kind="video", codec="avc1.64002a", entry="avc1", timescale=25, width=16, height=16, edit_start_ticks=0,
    default_duration_ticks=1, default_flags=0, nal_length_bytes=4, transfer=None, scheme=None, default_kid="",
    pssh_systems=(), pssh_key_ids=(),
)  # fmt: skip


def box(kind: str, payload: bytes = b"") -> bytes:
    return struct.pack(">I4s", 8 + len(payload), kind.encode()) + payload


def segment(samples: int, size: int, media: bytes, *, start: int = 0) -> bytes:
    def moof(offset: int) -> bytes:
        header = box("tfhd", struct.pack(">II", 0x020000, 1)) + box("tfdt", struct.pack(">II", 0, start))
        run = struct.pack(">IIi", 0x201, samples, offset) + struct.pack(">I", size) * samples
        return box("moof", box("mfhd", bytes(8)) + box("traf", header + box("trun", run)))

    return moof(len(moof(0)) + 8) + box("mdat", media)


def test_a_fragment_of_default_durations_and_own_sizes() -> None:
    (fragment,) = read_segment(segment(3, 4, bytes(12), start=50), INIT)
    assert (fragment.decode_start_ticks, fragment.duration_ticks, fragment.sample_count) == (50, 3, 3)
    assert fragment.sync
    assert fragment.first_sample == bytes(4)
    assert fragment.range_start == 0


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (segment(3, 4, bytes(12))[:-1], "the mdat box"),
        (segment(3, 4, bytes(11)), "outside its mdat"),
        (segment(3, 4, bytes(12))[:-20], "no mdat follows"),
        (box("styp", bytes(8)), "no movie fragment"),
        (segment(0, 4, b""), "no sample"),
        (b"\x00\x00", "header of a box"),
        (struct.pack(">I4s", 4, b"free"), "promises 4 bytes"),
    ],
)
def test_what_is_not_whole_says_where(content: bytes, said: str) -> None:
    with pytest.raises(BoxError, match=said):
        read_segment(content, INIT)


def test_an_init_segment_needs_its_boxes() -> None:
    with pytest.raises(BoxError, match="has no moov box"):
        read_init(box("ftyp", b"iso6"))


def test_large_sizes_are_read() -> None:
    content = struct.pack(">I4sQ", 1, b"mdat", 20) + bytes(4)
    assert [(found.start, found.end) for found in walk(content, 0, len(content))] == [(16, 20)]


@given(st.data())
def test_damage_is_told_and_never_crashes_the_check(data: st.DataObject) -> None:
    content = bytearray(segment(3, 4, bytes(12)))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    del content[data.draw(st.integers(0, len(content))) :]
    for read in (lambda: read_segment(bytes(content), INIT), lambda: read_init(bytes(content))):
        with contextlib.suppress(BoxError):
            read()
