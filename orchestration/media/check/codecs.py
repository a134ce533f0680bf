"""Codec strings as manifests must state them, made from the configuration boxes of a sample entry.

RFC 6381 with ISO/IEC 14496-15 (AVC, HEVC), the VP9 and AV1 bindings to ISO BMFF, and ISO/IEC 14496-1 (esds).
"""

from __future__ import annotations

from collections.abc import Mapping

_DESCRIPTOR_ES, _DESCRIPTOR_CONFIG, _DESCRIPTOR_INFO = 0x03, 0x04, 0x05
_AUDIO_MPEG4 = 0x40


def codec_string(entry: bytes, boxes: Mapping[bytes, bytes]) -> str:
    """The codec of a sample entry; the entry's own name where its configuration is missing.

    Args:
        entry: Four-letter name, of the original format where it is encrypted.
        boxes: Payload of the boxes in the entry, by name.
    """
    name = entry.decode("latin-1")
    if entry in (b"avc1", b"avc3") and b"avcC" in boxes:
        return f"{name}.{boxes[b'avcC'][1:4].hex()}"
    if entry in (b"hvc1", b"hev1") and b"hvcC" in boxes:
        return f"{name}.{_hevc(boxes[b'hvcC'])}"
    if entry in (b"vp08", b"vp09") and b"vpcC" in boxes:
        return f"{name}.{_vp9(boxes[b'vpcC'])}"
    if entry == b"av01" and b"av1C" in boxes:
        return f"{name}.{_av1(boxes[b'av1C'])}"
    if entry == b"mp4a" and b"esds" in boxes:
        return f"{name}.{_mpeg4_audio(boxes[b'esds'])}"
    return name


def same_codec(declared: str, found: str) -> bool:
    """Whether a declared string says the same; VP9 and AV1 may leave out or add optional fields."""
    if declared.lower() == found.lower():
        return True
    ours, theirs = declared.split("."), found.split(".")
    return ours[0] == theirs[0] and ours[0] in ("vp09", "av01") and len(ours) >= 4 and ours[:4] == theirs[:4]


def nal_length_bytes(entry: bytes, boxes: Mapping[bytes, bytes]) -> int:
    """Size of the length field before each NAL unit; 0 for codecs without NAL units."""
    if entry in (b"avc1", b"avc3") and b"avcC" in boxes:
        return (boxes[b"avcC"][4] & 3) + 1
    if entry in (b"hvc1", b"hev1") and b"hvcC" in boxes:
        return (boxes[b"hvcC"][21] & 3) + 1
    return 0


def _hevc(configuration: bytes) -> str:
    first = configuration[1]
    space, tier, profile = first >> 6, first >> 5 & 1, first & 31
    compatibility = int(f"{int.from_bytes(configuration[2:6], 'big'):032b}"[::-1], 2)
    constraints = configuration[6:12].rstrip(b"\x00")
    parts = [
        f"{'' if space == 0 else chr(ord('A') + space - 1)}{profile}",
        f"{compatibility:X}",
        f"{'H' if tier else 'L'}{configuration[12]}",
        *(f"{byte:X}" for byte in constraints),
    ]
    return ".".join(parts)


def _vp9(configuration: bytes) -> str:
    profile, level, depth = configuration[4], configuration[5], configuration[6] >> 4
    return f"{profile:02d}.{level:02d}.{depth:02d}"


def _av1(configuration: bytes) -> str:
    profile, level = configuration[1] >> 5, configuration[1] & 31
    tier, high, twelve = configuration[2] >> 7, configuration[2] >> 6 & 1, configuration[2] >> 5 & 1
    depth = 12 if high and twelve else 10 if high else 8
    return f"{profile}.{level:02d}{'H' if tier else 'M'}.{depth:02d}"


def _mpeg4_audio(esds: bytes) -> str:
    """Object type, and audio object type where it is MPEG-4 audio."""
    position = 4
    while position + 2 <= len(esds):
        tag = esds[position]
        position += 1
        length = 0
        while True:
            byte = esds[position]
            position += 1
            length = length << 7 | byte & 127
            if not byte & 128:
                break
        if tag == _DESCRIPTOR_ES:
            position += 3
        elif tag == _DESCRIPTOR_CONFIG:
            object_type = esds[position]
            if object_type != _AUDIO_MPEG4:
                return f"{object_type:x}"
            position += 13
        elif tag == _DESCRIPTOR_INFO:
            kind = esds[position] >> 3
            if kind == 31:
                kind = 32 + ((esds[position] & 7) << 3 | esds[position + 1] >> 5)
            return f"40.{kind}"
        else:
            position += length
    return "40"
