"""The core: clear H.264 in every player, by HLS and by DASH. The full matrix is in `test_matrix.py`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

UNTIL_S = 7.0
SEGMENTS = 4


@pytest.mark.parametrize(
    ("player", "manifest"), [("hlsjs", "hls"), ("shaka", "hls"), ("shaka", "dash"), ("dashjs", "dash")]
)
def test_a_clear_package_plays_and_changes_its_rung(
    browser: Any, package_of: Callable[..., Any], require_played: Callable[..., None], player: str, manifest: str
) -> None:
    package = package_of()
    key = package.record.hls_key if manifest == "hls" else package.record.dash_key
    report = browser.play(package, key, player, until_s=UNTIL_S, captions=True)
    require_played(report, UNTIL_S)
    names = {path.rpartition("/")[2] for path in browser.site.asked if path.endswith(".m4s")}
    assert len(names) == SEGMENTS


def test_a_package_with_a_lost_segment_does_not_pass(browser: Any, package_of: Callable[..., Any]) -> None:
    """These tests must be able to fail."""
    package = package_of(crf=40)
    for item in package.record.objects:
        if item.key.endswith("seg-00003.m4s"):
            (package.store / "media" / "film" / item.key).unlink()
    with pytest.raises(AssertionError, match=r"seg-00003\.m4s"):
        browser.play(package, package.record.hls_key, "hlsjs", until_s=UNTIL_S)
