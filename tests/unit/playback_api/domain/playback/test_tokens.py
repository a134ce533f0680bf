import datetime as dt

import msgspec
import pytest

from playback_api.domain.errors import SessionExpired, TokenInvalid
from playback_api.domain.playback.tokens import SessionClaims, TokenSigner
from playback_api.snapshot.testing import NOON

CLAIMS = SessionClaims(
    session_id="session-1", title_id="t", region_id="north", bandwidth_bps=1e6, max_height=720,
    expires_at=NOON + dt.timedelta(hours=1),
)  # fmt: skip


def test_what_was_signed_is_read_back():
    signer = TokenSigner("secret")
    assert signer.read(signer.sign(CLAIMS), session_id="session-1", now=NOON) == CLAIMS


@pytest.mark.parametrize("place", [0, 10, -1])
def test_any_change_is_noticed(place):
    signer = TokenSigner("secret")
    token = list(signer.sign(CLAIMS))
    token[place] = "A" if token[place] != "A" else "B"
    if place == -1:  # the last letter carries two unused bits
        token[place - 1] = "A" if token[place - 1] != "A" else "B"
    with pytest.raises(TokenInvalid):
        signer.read("".join(token), session_id="session-1", now=NOON)


def test_another_secret_and_another_session_are_refused():
    token = TokenSigner("secret").sign(CLAIMS)
    with pytest.raises(TokenInvalid, match="signature"):
        TokenSigner("other").read(token, session_id="session-1", now=NOON)
    with pytest.raises(TokenInvalid, match="another session"):
        TokenSigner("secret").read(token, session_id="session-2", now=NOON)


@pytest.mark.parametrize("token", ["", ".", "abc", "a.b", "%%%.%%%", "é.é"])
def test_nonsense_is_refused(token):
    with pytest.raises(TokenInvalid):
        TokenSigner("secret").read(token, session_id="session-1", now=NOON)


def test_a_session_ends_at_its_expiry():
    signer = TokenSigner("secret")
    token = signer.sign(CLAIMS)
    signer.read(token, session_id="session-1", now=CLAIMS.expires_at - dt.timedelta(seconds=1))
    with pytest.raises(SessionExpired):
        signer.read(token, session_id="session-1", now=CLAIMS.expires_at)


def test_a_token_from_before_packages_were_signed_is_read():
    old = {name: value for name, value in msgspec.structs.asdict(CLAIMS).items() if name != "package_id"}
    payload = msgspec.msgpack.encode(old)
    assert msgspec.msgpack.decode(payload, type=SessionClaims) == CLAIMS
