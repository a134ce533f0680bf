"""Handing out keys: only to a session that plays what they open, not faster than any player asks, and on record."""

from __future__ import annotations

import datetime as dt
import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from playback_api.domain.base64url import decode_base64url, encode_base64url
from playback_api.domain.counters import Counters
from playback_api.domain.errors import KeyRefused, KeysAskedTooOften, SessionExpired, TokenInvalid
from playback_api.domain.keys.derivation import KEY_BYTES, ContentKeys
from playback_api.domain.keys.packages import ProtectedPackages
from playback_api.domain.keys.schemas import Licence, LicenceKey, LicenceRequest
from playback_api.domain.playback.tokens import SessionClaims, TokenSigner

logger = logging.getLogger(__name__)

MAX_KEYS_PER_WINDOW = 60
WINDOW_S = 60.0
MAX_SESSIONS_COUNTED = 65_536
"""Per process. A forgotten session starts a new window: the limit bends under many sessions and holds for each."""


@dataclass
class _Window:
    started_s: float
    keys: int = 0


class KeyService:
    """Derives keys for sessions."""

    def __init__(
        self,
        signer: TokenSigner,
        keys: ContentKeys,
        packages: ProtectedPackages,
        counters: Counters,
        *,
        clock: Callable[[], dt.datetime],
        monotonic: Callable[[], float],
    ) -> None:
        self._signer = signer
        self._keys = keys
        self._packages = packages
        self._counters = counters
        self._clock = clock
        self._monotonic = monotonic
        self._windows: OrderedDict[str, _Window] = OrderedDict()

    def key(self, key_id: str, token: str | None) -> bytes:
        """The bytes of one key, for whole-segment AES-128; the key id in 32 hexadecimal digits.

        Raises:
            KeyRefused: The token is missing, wrong or over, or the key is not of what its session plays.
            KeysAskedTooOften: More often than a player does.
        """
        return self._hand_out([bytes.fromhex(key_id)], token)[0]

    def licence(self, request: LicenceRequest, token: str | None) -> Licence:
        """A ClearKey licence with every key that was asked for; all of them or none.

        Raises:
            KeyRefused, KeysAskedTooOften: As for `key`.
        """
        key_ids = [_key_id_of(text) for text in request.kids]
        keys = self._hand_out(key_ids, token)
        answered = [
            LicenceKey(kid=encode_base64url(key_id), k=encode_base64url(key))
            for key_id, key in zip(key_ids, keys, strict=True)
        ]
        return Licence(keys=answered, type=request.type)

    def _hand_out(self, key_ids: Sequence[bytes], token: str | None) -> list[bytes]:
        try:
            claims = self._authorise(key_ids, token)
            self._count_against_limit(claims.session_id, len(key_ids))
        except (KeyRefused, KeysAskedTooOften) as error:
            self._counters.add("keys_refused", reason=type(error).__name__)
            logger.warning("no key %s: %s", ", ".join(key_id.hex() for key_id in key_ids), error)
            raise
        self._counters.add("keys_served", len(key_ids))
        logger.info(
            "session %s got %d keys of %s, package %s",
            claims.session_id, len(key_ids), claims.title_id, claims.package_id,
        )  # fmt: skip
        return [self._keys.key_of(key_id) for key_id in key_ids]

    def _authorise(self, key_ids: Sequence[bytes], token: str | None) -> SessionClaims:
        if not token:
            raise KeyRefused("keys are for playback sessions; send Authorization: Bearer <the session's token>")
        try:
            claims = self._signer.read(token, session_id=None, now=self._clock())
        except (TokenInvalid, SessionExpired) as error:
            raise KeyRefused(str(error)) from None
        allowed = self._packages.key_ids(claims.title_id, claims.package_id) if claims.package_id else frozenset()
        if not allowed.issuperset(key_ids):
            raise KeyRefused("the key is not one of what this session plays")
        return claims

    def _count_against_limit(self, session_id: str, keys: int) -> None:
        now_s = self._monotonic()
        window = self._windows.pop(session_id, None)
        if window is None or now_s - window.started_s >= WINDOW_S:
            window = _Window(started_s=now_s)
        self._windows[session_id] = window
        if len(self._windows) > MAX_SESSIONS_COUNTED:
            self._windows.popitem(last=False)
        if window.keys + keys > MAX_KEYS_PER_WINDOW:
            raise KeysAskedTooOften(
                f"a session gets {MAX_KEYS_PER_WINDOW} keys in {WINDOW_S:.0f} s; wait and keep the keys you have"
            )
        window.keys += keys


def _key_id_of(text: str) -> bytes:
    """A key id; the schema lets only base64url of the right length through."""
    try:
        key_id = decode_base64url(text)
    except ValueError:
        raise KeyRefused(f"{text!r} is no key id") from None
    if len(key_id) != KEY_BYTES:
        raise KeyRefused(f"{text!r} is no key id of {KEY_BYTES} bytes")
    return key_id
