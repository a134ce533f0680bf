"""Session tokens: what a session is, signed, so that any control process can steer it without asking another.

``<payload>.<signature>``, both base64url: a msgpack struct and its HMAC-SHA256.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac

import msgspec

from playback_api.domain.base64url import decode_base64url, encode_base64url
from playback_api.domain.errors import SessionExpired, TokenInvalid


class SessionClaims(msgspec.Struct, frozen=True, kw_only=True):
    """What steering has to know of a session.

    Attributes:
        bandwidth_bps: The viewer's network as it was estimated at the start.
        max_height: Of the viewer's screen.
        package_id: What is played of the title; None in tokens from before it was signed.
    """

    session_id: str
    title_id: str
    region_id: str
    bandwidth_bps: float
    max_height: int
    expires_at: dt.datetime
    package_id: str | None = None


class TokenSigner:
    """Signs and reads tokens with one secret."""

    def __init__(self, secret: str) -> None:
        self._key = hashlib.sha256(b"matinee session token\n" + secret.encode()).digest()

    def sign(self, claims: SessionClaims) -> str:
        """The token of a session."""
        payload = msgspec.msgpack.encode(claims)
        return f"{encode_base64url(payload)}.{encode_base64url(self._mac(payload))}"

    def read(self, token: str, *, session_id: str | None, now: dt.datetime) -> SessionClaims:
        """The claims of a token; ``session_id`` is None where the call names no session and the token alone counts.

        Raises:
            TokenInvalid: It was not signed here, or it belongs to another session.
            SessionExpired: It is over.
        """
        payload_text, _, signature_text = token.partition(".")
        try:
            payload, signature = decode_base64url(payload_text), decode_base64url(signature_text)
        except ValueError:
            raise TokenInvalid("this is no session token; start a playback session to get one") from None
        if not hmac.compare_digest(signature, self._mac(payload)):
            raise TokenInvalid("the token's signature does not match; start a new playback session")
        claims = msgspec.msgpack.decode(payload, type=SessionClaims)
        if session_id is not None and claims.session_id != session_id:
            raise TokenInvalid("the token belongs to another session")
        if now >= claims.expires_at:
            raise SessionExpired("the session is over; start a new one to be steered again")
        return claims

    def _mac(self, payload: bytes) -> bytes:
        return hmac.digest(self._key, payload, "sha256")
