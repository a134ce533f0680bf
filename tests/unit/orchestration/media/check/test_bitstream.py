"""Headers of pictures, by hand: what starts a segment and what must not."""

import pytest

from orchestration.media.check.bitstream import starts_alone


def nal_units(*units: bytes) -> bytes:
    return b"".join(len(unit).to_bytes(4, "big") + unit for unit in units)


AVC_SPS, AVC_SEI, AVC_IDR, AVC_SLICE = b"\x67\x42", b"\x06\x05", b"\x65\x88", b"\x41\x9a"
HEVC_VPS, HEVC_IDR, HEVC_CRA, HEVC_TRAIL = b"\x40\x01", b"\x26\x01", b"\x2a\x01", b"\x02\x01"


@pytest.mark.parametrize(
    ("entry", "units", "alone"),
    [
        ("avc1", [AVC_SPS, AVC_SEI, AVC_IDR], True),
        ("avc1", [AVC_SEI, AVC_SLICE], False),
        ("avc1", [AVC_SLICE, AVC_IDR], False),
        ("avc1", [AVC_SPS], False),
        ("hvc1", [HEVC_VPS, HEVC_IDR], True),
        ("hvc1", [HEVC_VPS, HEVC_TRAIL], False),
        ("hvc1", [HEVC_CRA], False),
    ],
)
def test_nal_units(entry: str, units: list[bytes], alone: bool) -> None:
    assert starts_alone(nal_units(*units), entry, 4) is alone


def test_a_sample_that_is_cut_short_does_not_start_alone() -> None:
    assert not starts_alone(b"\x00\x00", "avc1", 4)
    assert not starts_alone(b"", "vp09", 0)
    assert not starts_alone(b"", "av01", 0)


@pytest.mark.parametrize(("first", "alone"), [(0b10_00_0_0_10, True), (0b10_00_0_1_10, False), (0b10_00_1_0_00, False)])
def test_vp9_frame_types(first: int, alone: bool) -> None:
    assert starts_alone(bytes([first, 0x49, 0x83, 0x42]), "vp09", 0) is alone


SEQUENCE = bytes([0x0A, 0x02, 0x00, 0x00])  # OBU type 1 with a size field


@pytest.mark.parametrize(
    ("sample", "alone"),
    [
        (SEQUENCE + bytes([0x32, 0x02, 0b0_00_1_0000, 0x00]), True),
        (SEQUENCE + bytes([0x32, 0x02, 0b0_01_1_0000, 0x00]), False),  # an inter frame
        (SEQUENCE + bytes([0x1A, 0x01, 0b1_00_0_0000]), False),  # an existing frame shown again
        (bytes([0x32, 0x02, 0b0_00_1_0000, 0x00]), False),  # no sequence header
        (SEQUENCE, False),
    ],
)
def test_av1_frame_types(sample: bytes, alone: bool) -> None:
    assert starts_alone(sample, "av01", 0) is alone


def test_sound_always_starts_alone() -> None:
    assert starts_alone(b"\x21\x00", "mp4a", 0)
