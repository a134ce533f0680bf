"""Whether a picture can be decoded alone, from the coded bytes and not from the container's word.

It works on encrypted samples too: both Common Encryption schemes leave these headers clear.
"""

from __future__ import annotations

_AVC_SLICES, _AVC_IDR = frozenset({1, 2, 3, 4, 5}), 5
_HEVC_SLICES, _HEVC_IDR = frozenset(range(32)), frozenset({19, 20})
_OBU_FRAMES = frozenset({3, 6})
_OBU_SEQUENCE = 1


def starts_alone(sample: bytes, entry: str, nal_length_bytes: int) -> bool:
    """Whether the first picture of a sample is an IDR picture, or a key frame of VP9 or AV1.

    Args:
        sample: The beginning of the sample.
        entry: Sample entry, such as ``avc1``.
        nal_length_bytes: Size of the length before each NAL unit.
    """
    if entry in ("avc1", "avc3"):
        kinds = (sample[position] & 31 for position in _nal_units(sample, nal_length_bytes))
        return next((kind for kind in kinds if kind in _AVC_SLICES), None) == _AVC_IDR
    if entry in ("hvc1", "hev1"):
        kinds = (sample[position] >> 1 & 63 for position in _nal_units(sample, nal_length_bytes))
        return next((kind for kind in kinds if kind in _HEVC_SLICES), None) in _HEVC_IDR
    if entry == "vp09":
        return _is_vp9_key_frame(sample)
    if entry == "av01":
        return _is_av1_key_frame(sample)
    return True


def _nal_units(sample: bytes, length_bytes: int) -> list[int]:
    """Where NAL units begin, as far as the sample is there."""
    positions = []
    position = 0
    while position + length_bytes < len(sample):
        size = int.from_bytes(sample[position : position + length_bytes], "big")
        positions.append(position + length_bytes)
        position += length_bytes + size
    return positions


def _is_vp9_key_frame(sample: bytes) -> bool:
    """VP9 bitstream specification, 6.2: frame_marker, profile, show_existing_frame, frame_type."""
    if not sample:
        return False
    bits = f"{sample[0]:08b}"
    reserved = 1 if bits[2:4] == "11" else 0
    return bits[:2] == "10" and bits[4 + reserved : 6 + reserved] == "00"


def _is_av1_key_frame(sample: bytes) -> bool:
    """AV1 bitstream specification, 5.3 and 5.9: a sequence header, then a frame header of type KEY_FRAME."""
    position, has_sequence = 0, False
    while position < len(sample):
        header = sample[position]
        kind = header >> 3 & 15
        position += 2 if header & 4 else 1
        size = len(sample) - position
        if header & 2:
            size, position = _leb128(sample, position)
        if kind == _OBU_SEQUENCE:
            has_sequence = True
        elif kind in _OBU_FRAMES:
            return has_sequence and position < len(sample) and sample[position] & 0b1110_0000 == 0
        position += size
    return False


def _leb128(content: bytes, position: int) -> tuple[int, int]:
    value = 0
    for index in range(8):
        if position >= len(content):
            break
        byte = content[position]
        position += 1
        value |= (byte & 127) << 7 * index
        if not byte & 128:
            break
    return value, position
