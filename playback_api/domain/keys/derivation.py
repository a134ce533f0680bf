"""The key behind a key id: HKDF-SHA256 (RFC 5869) of the installation's secret, with the key id as context.

The half that encrypts stands in ``orchestration/media/protection.py``; a contract test holds the two together. No key
is stored anywhere.
"""

from __future__ import annotations

import hmac

KEY_BYTES = 16
_SALT = b"matinee content key"


class ContentKeys:
    """Derives keys from one secret."""

    def __init__(self, secret: str) -> None:
        self._extracted = hmac.digest(_SALT, secret.encode(), "sha256")

    def key_of(self, key_id: bytes) -> bytes:
        """The 16 bytes of a key."""
        return hmac.digest(self._extracted, key_id + b"\x01", "sha256")[:KEY_BYTES]
