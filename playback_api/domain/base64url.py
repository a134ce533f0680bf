"""Base64url without padding (RFC 4648, 5), as tokens and ClearKey's key ids are written."""

from __future__ import annotations

import base64


def encode_base64url(content: bytes) -> str:
    """Bytes as text."""
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def decode_base64url(text: str) -> bytes:
    """The bytes of a text.

    Raises:
        ValueError: It is no base64url; a letter outside the alphabet is not passed over.
    """
    return base64.b64decode(text.encode() + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
