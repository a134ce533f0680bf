"""Which keys protect a title: key ids, keys, initialisation vectors and what players are told of them. Pure.

Common Encryption (ISO/IEC 23001-7, ``cenc`` and ``cbcs``) is done by the packager while it cuts (`cmaf.py`),
whole-segment AES-128 in `aes128.py`. Key ids are public and follow from the master's content; keys follow from the key
id and a secret (HKDF, RFC 5869) and are written nowhere: the playback API derives them again for sessions that may have
them. A contract test holds the two derivations together.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from orchestration.media.errors import ProtectionError
from orchestration.media.settings import MediaSettings

Scheme = Literal["cenc", "cbcs", "aes-128"]
KeyGroup = Literal["video", "audio"]
KEY_GROUPS: tuple[KeyGroup, ...] = ("video", "audio")

PROTECTION_NAME = "protection.json"
COMMON_SYSTEM_ID = bytes.fromhex("1077efecc0b24d02ace33c1e52e2fb4b")
"""The W3C's common system of ``pssh`` boxes: it lists key ids, which is all that ClearKey needs."""
_KEY_SALT = b"matinee content key"
_KEY_BYTES = 16
_IV_BYTES = {"cenc": 8, "cbcs": 16}
"""In counter mode the upper half counts samples and the lower half blocks; cbcs starts every sample with all of it."""


@dataclass(frozen=True)
class ContentKeys:
    """The keys behind key ids, from one secret; nothing shows the secret by accident."""

    secret: str = field(repr=False)

    def key_of(self, key_id: str) -> bytes:
        """The 16-byte key of a key id (32 hexadecimal digits): HKDF-SHA256 of the secret with the id as context."""
        extracted = hmac.digest(_KEY_SALT, self.secret.encode(), "sha256")
        return hmac.digest(extracted, bytes.fromhex(key_id) + b"\x01", "sha256")[:_KEY_BYTES]

    def fingerprint_of(self, key_id: str) -> str:
        """What tells the key of a key id from the one that another secret gives: public, and no way back to the key."""
        return hmac.digest(self.key_of(key_id), b"matinee key fingerprint", "sha256").hex()[:16]


@dataclass(frozen=True, kw_only=True)
class Protection:
    """One scheme over the renditions of one master.

    Picture and sound have a key each, so that a player of sound alone never holds the picture's key.
    """

    scheme: Scheme
    source_sha256: str
    generation: int

    def key_id(self, group: KeyGroup) -> str:
        """The public name of a group's key: 32 hexadecimal digits."""
        return _digest("key id", self.source_sha256, self.scheme, group, str(self.generation))[:32]

    @staticmethod
    def group_of(kind: str) -> KeyGroup:
        """Which key a rendition of that kind is under."""
        return "audio" if kind == "audio" else "video"

    @property
    def key_ids(self) -> list[str]:
        """Of every group, sorted."""
        return sorted(self.key_id(group) for group in KEY_GROUPS)

    def rendition_id(self, encode_id: str, group: KeyGroup) -> str:
        """The id of a rendition under this protection, from the id of what was encoded; the key is no part of it."""
        return _digest("rendition", encode_id, self.scheme, self.key_id(group))[:16]

    def vector(self, rendition_id: str) -> bytes:
        """A rendition's initialisation vector: no two renditions share one, as they share a key."""
        if self.scheme == "aes-128":
            raise ProtectionError("aes-128 counts segments; it has no vector of its own")
        return bytes.fromhex(_digest("vector", rendition_id))[: _IV_BYTES[self.scheme]]


def require_keys(keys: ContentKeys | None) -> ContentKeys:
    """The keys of what is to be encrypted or decrypted.

    Raises:
        ProtectionError: There is no secret.
    """
    if keys is None:
        raise ProtectionError("there is no secret to derive keys from; set MATINEE_SECRET")
    return keys


def protections(settings: MediaSettings, source_sha256: str) -> list[Protection | None]:
    """The forms in which a title's renditions stand in the store: None is in the clear.

    The first form is what HLS and DASH share; AES-128 for HLS, where it is wanted, comes second.
    """

    def protection(scheme: Scheme) -> Protection:
        return Protection(scheme=scheme, source_sha256=source_sha256, generation=settings.key_generation)

    shared = None if settings.protection == "none" else protection(settings.protection)
    return [shared, *([protection("aes-128")] if settings.hls_aes_128 else [])]


def stored_ids(encode_id: str, group: KeyGroup, settings: MediaSettings, source_sha256: str) -> list[str]:
    """Under which ids an encoded rung stands in the store, in the order of `protections`."""
    return [
        encode_id if protection is None else protection.rendition_id(encode_id, group)
        for protection in protections(settings, source_sha256)
    ]


def common_pssh(key_ids: Iterable[str]) -> bytes:
    """A ``pssh`` box, version 1, of the common system: the key ids and no data (ISO/IEC 23001-7, 8.1)."""
    ids = [bytes.fromhex(key_id) for key_id in key_ids]
    body = b"\x01\x00\x00\x00" + COMMON_SYSTEM_ID + struct.pack(">I", len(ids)) + b"".join(ids) + struct.pack(">I", 0)
    return struct.pack(">I", len(body) + 8) + b"pssh" + body


def common_pssh_base64(key_ids: Iterable[str]) -> str:
    """The same as text, for a DASH manifest."""
    return base64.b64encode(common_pssh(key_ids)).decode()


def as_uuid(key_id: str) -> str:
    """A key id as DASH writes it: 8-4-4-4-12 digits."""
    return "-".join((key_id[:8], key_id[8:12], key_id[12:16], key_id[16:20], key_id[20:]))


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(("matinee", *parts)).encode()).hexdigest()
