"""What the media room encrypts with is what the control API hands out, and neither changes by accident."""

from orchestration.media.protection import PROTECTION_NAME, ContentKeys, Protection
from playback_api.domain.keys import derivation, packages

KEY_ID = "00112233445566778899aabbccddeeff"
SHA256 = "ab" * 32


def test_both_halves_derive_the_same_key():
    key = ContentKeys("secret").key_of(KEY_ID)
    assert key == derivation.ContentKeys("secret").key_of(bytes.fromhex(KEY_ID))
    assert key.hex() == "5f0f89ad9e1c1a8e13e33ab126f5dd5f"


def test_key_ids_of_what_is_published_stay_what_they_are():
    key_ids = {scheme: protection(scheme).key_id("video") for scheme in ("cenc", "cbcs", "aes-128")}
    assert key_ids == {
        "cenc": "3811b57a449c6f5e5af5669886363932",
        "cbcs": "7f1d4eef5a17d314c0a2723cf043a0a0",
        "aes-128": "ad497fb8345ad149a2cce19ae16859f2",
    }


def test_the_control_api_finds_the_key_ids_where_the_package_has_them(tmp_path):
    folder = tmp_path / "media" / "film" / "p" / "abc"
    folder.mkdir(parents=True)
    (folder / PROTECTION_NAME).write_text(f'{{"key_ids": ["{KEY_ID}"]}}')
    assert packages.ProtectedPackages(tmp_path).key_ids("film", "abc") == {bytes.fromhex(KEY_ID)}


def protection(scheme):
    return Protection(scheme=scheme, source_sha256=SHA256, generation=1)
