"""Who gets a key, who does not, and how often."""

import base64
import datetime as dt
import json

import pytest

from playback_api.domain.counters import Counters
from playback_api.domain.errors import KeyRefused, KeysAskedTooOften
from playback_api.domain.keys.derivation import ContentKeys
from playback_api.domain.keys.packages import ProtectedPackages
from playback_api.domain.keys.schemas import LicenceRequest
from playback_api.domain.keys.services import MAX_KEYS_PER_WINDOW, WINDOW_S, KeyService
from playback_api.domain.playback.tokens import SessionClaims, TokenSigner

NOON = dt.datetime(2026, 11, 1, 12, tzinfo=dt.UTC)
PICTURE, SOUND = "00112233445566778899aabbccddeeff", "10112233445566778899aabbccddeeff"
OTHER = "ff112233445566778899aabbccddeeff"
KEYS = ContentKeys("secret")


class Server:
    """A key service over one protected package and one in the clear."""

    def __init__(self, folder):
        self.now, self.elapsed_s = NOON, 0.0
        self.counters = Counters()
        package = folder / "media" / "film" / "p" / "abc"
        package.mkdir(parents=True)
        (package / "protection.json").write_text(json.dumps({"key_ids": [PICTURE, SOUND]}))
        self.signer = TokenSigner("secret")
        self.service = KeyService(
            self.signer,
            KEYS,
            ProtectedPackages(folder),
            self.counters,
            clock=lambda: self.now,
            monotonic=lambda: self.elapsed_s,
        )

    def token(self, signer=None, **changes):
        claims = {
            "session_id": "one", "title_id": "film", "region_id": "north", "bandwidth_bps": 1e6, "max_height": 1080,
            "expires_at": NOON + dt.timedelta(hours=4), "package_id": "abc",
        } | changes  # fmt: skip
        return (signer or self.signer).sign(SessionClaims(**claims))


@pytest.fixture
def server(tmp_path):
    return Server(tmp_path)


def base64url(key_id):
    return base64.urlsafe_b64encode(bytes.fromhex(key_id)).rstrip(b"=").decode()


def test_a_session_gets_the_keys_of_what_it_plays(server):
    assert server.service.key(PICTURE, server.token()) == KEYS.key_of(bytes.fromhex(PICTURE))
    request = LicenceRequest(kids=[base64url(SOUND), base64url(PICTURE)], type="temporary")
    licence = server.service.licence(request, server.token())
    assert [key.kid for key in licence.keys] == request.kids
    assert [key.k for key in licence.keys] == [
        base64url(KEYS.key_of(bytes.fromhex(key_id)).hex()) for key_id in (SOUND, PICTURE)
    ]
    assert (licence.type, licence.keys[0].kty) == ("temporary", "oct")
    assert server.counters.value("keys_served") == 3


@pytest.mark.parametrize(
    "changes",
    [
        {"title_id": "another"},
        {"package_id": "of-another"},
        {"package_id": None},
        {"expires_at": NOON},
        {"signer": TokenSigner("another secret")},
    ],
)
def test_a_session_of_something_else_gets_none(server, changes):
    with pytest.raises(KeyRefused):
        server.service.key(PICTURE, server.token(**changes))
    assert server.counters.value("keys_refused", reason="KeyRefused") == 1
    assert server.counters.value("keys_served") == 0


@pytest.mark.parametrize("token", [None, "", "no-token", "a.b"])
def test_without_a_token_there_is_no_key(server, token):
    with pytest.raises(KeyRefused):
        server.service.key(PICTURE, token)


def test_a_licence_is_given_whole_or_not_at_all(server):
    request = LicenceRequest(kids=[base64url(PICTURE), base64url(OTHER)])
    with pytest.raises(KeyRefused, match="not one of what this session plays"):
        server.service.licence(request, server.token())


def test_a_session_that_asks_without_end_has_to_wait_and_disturbs_no_other(server):
    token = server.token()
    for _ in range(MAX_KEYS_PER_WINDOW):
        server.service.key(PICTURE, token)
    with pytest.raises(KeysAskedTooOften):
        server.service.key(PICTURE, token)
    assert server.service.key(PICTURE, server.token(session_id="two"))
    server.elapsed_s = WINDOW_S
    assert server.service.key(PICTURE, token)


def test_a_package_that_is_published_later_is_found(server, tmp_path):
    token = server.token(package_id="late")
    with pytest.raises(KeyRefused):
        server.service.key(OTHER, token)
    package = tmp_path / "media" / "film" / "p" / "late"
    package.mkdir()
    (package / "protection.json").write_text(json.dumps({"key_ids": [OTHER]}))
    assert server.service.key(OTHER, token)


def test_a_package_whose_key_ids_cannot_be_read_opens_nothing_and_it_is_said(server, tmp_path, caplog):
    path = tmp_path / "media" / "film" / "p" / "abc" / "protection.json"
    path.write_text("{")
    with pytest.raises(KeyRefused):
        server.service.key(PICTURE, server.token())
    assert str(path) in caplog.text
