"""What HLS says of keys, held against the media: every system is told, and none of another key (RFC 8216, 4.3.2.4)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Sequence

from orchestration.media.check.boxes import InitFacts
from orchestration.media.check.findings import Finding, error
from orchestration.media.check.playlist import Playlist

METHODS = {"cenc": "SAMPLE-AES-CTR", "cbcs": "SAMPLE-AES"}
"""Of fMP4 under Common Encryption; whole segments have AES-128."""
_KNOWN = frozenset({"NONE", "AES-128", *METHODS.values()})
_IN_THE_OPEN = "identity"


def check_keys(playlist: Playlist, session_keys: Sequence[dict[str, str]]) -> Iterator[Finding]:
    """The keys of one media playlist, without a look at its media.

    Args:
        playlist: Of any kind.
        session_keys: Attributes of each ``EXT-X-SESSION-KEY`` of the multivariant playlist.
    """
    methods = {named.get("METHOD", "") for named in playlist.keys}
    if not methods <= _KNOWN:
        yield error("key", playlist.key, f"EXT-X-KEY has the unknown method {', '.join(sorted(methods - _KNOWN))}")
    elif len(methods) > 1:
        yield error("key", playlist.key, f"segments have one encryption, EXT-X-KEY says {', '.join(sorted(methods))}")
    elif methods <= {"NONE"}:
        return
    elif not all(named.get("URI") for named in playlist.keys):
        yield error("key", playlist.key, "EXT-X-KEY names no key")
    elif any(named not in session_keys for named in playlist.keys):
        yield error("session-key", playlist.key, "the multivariant playlist has no EXT-X-SESSION-KEY like it")
    elif _systems(playlist.keys) != _systems(session_keys):
        yield error("key-systems", playlist.key, "has no key for a protection system that the others have one for")


def check_common_encryption(playlist: Playlist, init: InitFacts) -> Iterator[Finding]:
    """A playlist's keys against an init segment that was read, encrypted or clear."""
    expected = METHODS.get(init.scheme or "")
    said = None if playlist.method == "NONE" else playlist.method
    if said != expected:
        yield error("key", playlist.key, f"EXT-X-KEY says {said}, the media is {init.scheme or 'clear'}")
        return
    if expected is None:
        return
    for named in playlist.keys:
        system = named.get("KEYFORMAT", _IN_THE_OPEN)
        if system == _IN_THE_OPEN:
            message = "KEYFORMAT is identity: players take a key in the open first and decrypt no fMP4 with it"
            yield error("key-format", playlist.key, message)
        elif named.get("KEYID", "").lower() != f"0x{init.default_kid}":
            yield error("key-id", playlist.key, f"KEYID is {named.get('KEYID')}, the media's is 0x{init.default_kid}")
        elif bytes.fromhex(init.default_kid) not in _data(named.get("URI", "")):
            yield error("key-id", playlist.key, f"the data for {system} do not hold the key id {init.default_kid}")


def _systems(keys: Sequence[dict[str, str]]) -> set[str]:
    return {named.get("KEYFORMAT", _IN_THE_OPEN) for named in keys}


def _data(uri: str) -> bytes:
    """What a ``data:`` URI in base64 holds; nothing for another URI."""
    head, _, text = uri.partition(",")
    if not head.startswith("data:") or not head.endswith(";base64"):
        return b""
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return b""
