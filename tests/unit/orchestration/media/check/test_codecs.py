"""Codec strings from configuration boxes; the expected strings are the ones of RFC 6381 and its codecs' documents."""

import pytest

from orchestration.media.check.codecs import codec_string, same_codec

HVCC = bytes.fromhex("01016000000090000000000078") + bytes(10)


@pytest.mark.parametrize(
    ("entry", "boxes", "expected"),
    [
        (b"avc1", {b"avcC": bytes.fromhex("0164002aff")}, "avc1.64002a"),
        (b"hvc1", {b"hvcC": HVCC}, "hvc1.1.6.L120.90"),
        (b"vp09", {b"vpcC": bytes.fromhex("01000000001f82")}, "vp09.00.31.08"),
        (b"av01", {b"av1C": bytes.fromhex("81054000")}, "av01.0.05M.10"),
        (b"av01", {b"av1C": bytes.fromhex("818d8000")}, "av01.4.13H.08"),
        (b"mp4a", {b"esds": bytes.fromhex("00000000031900000004114015" + "00" * 11 + "05021190")},
         "mp4a.40.2"),
        (b"Opus", {b"dOps": b""}, "Opus"),
        (b"avc1", {}, "avc1"),
    ],
)  # fmt: skip
def test_codec_strings(entry: bytes, boxes: dict[bytes, bytes], expected: str) -> None:
    assert codec_string(entry, boxes) == expected


@pytest.mark.parametrize(
    ("declared", "found", "same"),
    [
        ("avc1.64002A", "avc1.64002a", True),
        ("avc1.640028", "avc1.64002a", False),
        ("opus", "Opus", True),
        ("vp09.00.31.08.01.02.02.02.00", "vp09.00.31.08", True),
        ("vp09.00.41.08", "vp09.00.31.08", False),
        ("vp09", "vp09.00.31.08", False),
        ("avc1", "avc1.64002a", False),
    ],
)
def test_same_codec(declared: str, found: str, same: bool) -> None:
    assert same_codec(declared, found) is same
