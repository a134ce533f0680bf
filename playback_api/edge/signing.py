"""Signatures of calls that change an edge: HMAC-SHA256 over time, method, path and body.

    X-Matinee-Signature: t=<unix seconds>,v1=<hex hmac-sha256 of "<t>.<method>.<path>." + body>

The callers' half stands in ``orchestration/edge/signing.py``; a contract test holds the two together.
"""

from __future__ import annotations

import hashlib
import hmac
import re

from playback_api.edge.errors import SignatureRefusedError

SIGNATURE_HEADER = "X-Matinee-Signature"
TOLERANCE_S = 300.0

_HEADER = re.compile(r"t=(\d{1,12}),v1=([0-9a-f]{64})\Z", re.ASCII)


def sign(secret: str, method: str, path: str, body: bytes, *, now: float) -> str:
    """The header's value for a call made at ``now`` (Unix seconds)."""
    signed_at = int(now)
    return f"t={signed_at},v1={_digest(secret, signed_at, method, path, body)}"


def verify(
    secret: str,
    header: str | None,
    method: str,
    path: str,
    body: bytes,
    *,
    now: float,
    tolerance_s: float = TOLERANCE_S,
) -> None:
    """Accept a call or say why not.

    Raises:
        SignatureRefusedError: The header is missing, malformed, too old or too new, or does not fit the call.
    """
    if not header:
        raise SignatureRefusedError(f"this call must be signed: send {SIGNATURE_HEADER}: t=<unix seconds>,v1=<hmac>")
    match = _HEADER.match(header)
    if match is None:
        raise SignatureRefusedError(
            f"{SIGNATURE_HEADER} cannot be read; it must be t=<unix seconds>,v1=<64 hex digits>"
        )
    signed_at = int(match[1])
    if abs(now - signed_at) > tolerance_s:
        raise SignatureRefusedError(
            f"the signature was made {now - signed_at:.0f} s ago and is good for {tolerance_s:.0f} s; "
            "sign again and check both clocks"
        )
    if not hmac.compare_digest(match[2], _digest(secret, signed_at, method, path, body)):
        raise SignatureRefusedError("the signature does not fit this call; caller and edge must share one secret")


def _digest(secret: str, signed_at: int, method: str, path: str, body: bytes) -> str:
    message = f"{signed_at}.{method}.{path}.".encode() + body
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()
