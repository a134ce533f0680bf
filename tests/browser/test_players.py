"""The core: H.264 in every player, by HLS and by DASH, clear and with keys. The full matrix is in `test_matrix.py`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from orchestration.media.objects import media_prefix

UNTIL_S = 7.0
SEGMENTS = 4


EVERY_PLAYER = pytest.mark.parametrize(
    ("player", "manifest"), [("hlsjs", "hls"), ("shaka", "hls"), ("shaka", "dash"), ("dashjs", "dash")]
)


@EVERY_PLAYER
def test_a_clear_package_plays_and_changes_its_rung(
    browser: Any, package_of: Callable[..., Any], require_played: Callable[..., None], player: str, manifest: str
) -> None:
    package = package_of()
    key = package.record.hls_key if manifest == "hls" else package.record.dash_key
    report = browser.play(package, key, player, until_s=UNTIL_S, captions=True)
    require_played(report, UNTIL_S)
    names = {path.rpartition("/")[2] for path in browser.site.asked if path.endswith(".m4s")}
    assert len(names) == SEGMENTS


@EVERY_PLAYER
def test_cbcs_plays_with_keys_of_the_key_server(
    browser: Any, package_of: Callable[..., Any], require_played: Callable[..., None], player: str, manifest: str
) -> None:
    package = package_of(protection="cbcs", hls_aes_128=True)
    key = package.record.hls_key if manifest == "hls" else package.record.dash_key
    before = browser.key_server.count("keys_served")
    report = browser.play(package, key, player, until_s=UNTIL_S, captions=True)
    require_played(report, UNTIL_S)
    assert browser.key_server.count("keys_served") >= before + len(package.key_ids)


@pytest.mark.parametrize("player", ["hlsjs", "shaka"])
def test_aes_128_plays_with_keys_of_the_key_server(
    browser: Any, package_of: Callable[..., Any], require_played: Callable[..., None], player: str
) -> None:
    package = package_of(protection="cbcs", hls_aes_128=True)
    before = browser.key_server.count("keys_served")
    report = browser.play(package, package.record.hls_aes_128_key, player, until_s=UNTIL_S, captions=True)
    require_played(report, UNTIL_S)
    assert browser.key_server.count("keys_served") >= before + 2  # picture and sound


@pytest.mark.parametrize("form", ["hls_key", "hls_aes_128_key"])
def test_a_session_of_another_title_gets_no_key(browser: Any, package_of: Callable[..., Any], form: str) -> None:
    package, other = package_of(protection="cbcs", hls_aes_128=True), package_of()
    served, refused = browser.key_server.count("keys_served"), browser.key_server.count("keys_refused")
    report = browser.play(package, getattr(package.record, form), "hlsjs", until_s=UNTIL_S, token=other.token)
    assert report["errors"] or report["fault"]
    assert report["played_s"] < 1.0
    assert browser.key_server.count("keys_served") == served
    assert browser.key_server.count("keys_refused") > refused


def test_a_package_with_a_lost_segment_does_not_pass(browser: Any, package_of: Callable[..., Any]) -> None:
    """These tests must be able to fail."""
    package = package_of(crf=40)
    for item in package.record.objects:
        if item.key.endswith("seg-00003.m4s"):
            browser.key_server.store.delete(media_prefix(package.record.title_id) + item.key)
    with pytest.raises(AssertionError, match=r"seg-00003\.m4s"):
        browser.play(package, package.record.hls_key, "hlsjs", until_s=UNTIL_S)
