"""Signing calls to edges: HMAC-SHA256 over time, method, path and body.

    X-Matinee-Signature: t=<unix seconds>,v1=<hex hmac-sha256 of "<t>.<method>.<path>." + body>

The verifying half stands in ``playback_api/edge/signing.py``, which this side may not import; a contract test holds the
two together.
"""

from __future__ import annotations

import hashlib
import hmac

SIGNATURE_HEADER = "X-Matinee-Signature"


def sign(secret: str, method: str, path: str, body: bytes, *, now: float) -> str:
    """The header's value for a call made at ``now`` (Unix seconds)."""
    signed_at = int(now)
    message = f"{signed_at}.{method}.{path}.".encode() + body
    digest = hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()
    return f"t={signed_at},v1={digest}"
