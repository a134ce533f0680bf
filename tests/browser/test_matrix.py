"""Every variant that Debian's Chromium can decode, in every player that knows it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

UNTIL_S = 7.0
CODECS = ("avc1", "vp09", "av01")
PLAYERS = (("hlsjs", "hls"), ("shaka", "hls"), ("shaka", "dash"), ("dashjs", "dash"))

pytestmark = pytest.mark.long


@pytest.mark.parametrize(("player", "manifest"), PLAYERS)
@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("protection", ["none", "cenc", "cbcs"])
def test_a_shared_segment_set_plays(
    browser: Any,
    package_of: Callable[..., Any],
    require_played: Callable[..., None],
    protection: str,
    codec: str,
    player: str,
    manifest: str,
) -> None:
    package = package_of(codecs=("h264", "vp9", "av1"), protection=protection, hls_aes_128=protection == "none")
    key = package.record.hls_key if manifest == "hls" else package.record.dash_key
    before = browser.key_server.count("keys_served")
    report = browser.play(package, key, player, until_s=UNTIL_S, codec=codec, captions=True)
    require_played(report, UNTIL_S)
    assert (browser.key_server.count("keys_served") > before) == (protection != "none")


@pytest.mark.parametrize("player", ["hlsjs", "shaka"])
@pytest.mark.parametrize("codec", CODECS)
def test_whole_segments_under_aes_128_play(
    browser: Any, package_of: Callable[..., Any], require_played: Callable[..., None], codec: str, player: str
) -> None:
    package = package_of(codecs=("h264", "vp9", "av1"), protection="none", hls_aes_128=True)
    before = browser.key_server.count("keys_served")
    report = browser.play(package, package.record.hls_aes_128_key, player, until_s=UNTIL_S, codec=codec, captions=True)
    require_played(report, UNTIL_S)
    assert browser.key_server.count("keys_served") > before
