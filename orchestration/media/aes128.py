"""Whole-segment AES-128 encryption for HLS (RFC 8216, 4.3.2.4): AES-CBC with PKCS7 padding over segments that are cut.

The vector is the segment's media sequence number, as players assume where none is given. The init segment stays clear:
it holds no picture, and is announced before the key. There are no key frame ranges, for a part of a segment cannot be
decrypted alone.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7

from orchestration.media.cmaf import average_bitrate_bps, peak_bitrate_bps
from orchestration.media.protection import ContentKeys, Protection
from orchestration.media.renditions import INIT_NAME, RenditionRecord, Segment
from orchestration.store import file_sha256

RUNG_SUFFIX = "-aes-128"
_BLOCK_BYTES = 16


def encrypt_rendition(
    record: RenditionRecord, clear: Path, target: Path, protection: Protection, keys: ContentKeys
) -> RenditionRecord:
    """Write the encrypted form of a rendition in the clear from folder ``clear`` into ``target``, and describe it.

    Args:
        record: Of the clear rendition.
        clear: Its folder.
        target: Made here.
        protection: Of scheme ``aes-128``.
        keys: Where the key comes from.
    """
    rendition = record.rendition
    group = protection.group_of(rendition.kind)
    key_id = protection.key_id(group)
    key = keys.key_of(key_id)
    target.mkdir(parents=True)
    (target / INIT_NAME).hardlink_to(clear / INIT_NAME)
    segments = [_encrypt_segment(segment, number, clear, target, key) for number, segment in enumerate(record.segments)]
    sizes_bytes = [segment.size_bytes for segment in segments]
    durations_s = [record.segment_duration_s(segment) for segment in segments]
    return msgspec.structs.replace(
        record,
        rendition=msgspec.structs.replace(
            rendition,
            rendition_id=protection.rendition_id(rendition.rendition_id, group),
            rung=rendition.rung + RUNG_SUFFIX,
            bitrate_bps=average_bitrate_bps(sizes_bytes, durations_s),
            peak_bitrate_bps=peak_bitrate_bps(sizes_bytes, durations_s),
            protection="aes-128",
            key_id=key_id,
        ),
        segments=segments,
        key_frames=[],
        keyframe_peak_bps=0,
        keyframe_average_bps=0,
    )


def encrypt_segment(content: bytes, key: bytes, sequence_number: int) -> bytes:
    """One segment, encrypted."""
    padder = PKCS7(8 * _BLOCK_BYTES).padder()
    encryptor = Cipher(AES(key), CBC(sequence_number.to_bytes(_BLOCK_BYTES, "big"))).encryptor()
    return encryptor.update(padder.update(content) + padder.finalize()) + encryptor.finalize()


def _encrypt_segment(segment: Segment, number: int, clear: Path, target: Path, key: bytes) -> Segment:
    file = target / segment.name
    file.write_bytes(encrypt_segment((clear / segment.name).read_bytes(), key, number))
    return msgspec.structs.replace(segment, size_bytes=file.stat().st_size, sha256=file_sha256(file))
