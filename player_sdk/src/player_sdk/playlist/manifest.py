"""Any manifest: finds out what a text is, and reads it."""

from __future__ import annotations

import re

from player_sdk.errors import PlaylistError
from player_sdk.playlist.dash import clock_source, parse_mpd
from player_sdk.playlist.hls import is_multivariant, parse_media, parse_multivariant
from player_sdk.playlist.model import UNDECLARED_BITRATE_BPS, ClockSource, Presentation, Track

_BEFORE = "\ufeff \t\r\n"
_MPD = re.compile(r"<([\w.-]+:)?MPD\b")


def clock_source_of(text: str, base_uri: str = "") -> ClockSource | None:
    """What has to be asked for the time before a manifest is read; None where it names nothing.

    Raises:
        PlaylistError: Not XML.
    """
    return clock_source(text.lstrip(_BEFORE), base_uri) if "UTCTiming" in text else None


def parse_manifest(text: str, base_uri: str = "", utc_s: float | None = None) -> Presentation:
    """Read an MPD, a multivariant playlist, or a bare media playlist (which becomes a ladder of one rung).

    Args:
        text: The manifest.
        base_uri: Its own URI or path, against which relative ones are resolved.
        utc_s: The time now, in seconds since 1970; only live MPDs depend on it.

    Raises:
        PlaylistError: None of the three, or one that cannot be played.
    """
    begun = text.lstrip(_BEFORE)
    if begun.startswith("<") and _MPD.search(begun):
        return parse_mpd(begun, base_uri, utc_s)
    if not begun.startswith("#EXTM3U"):  # such as the page on which a server wants people to log in
        raise PlaylistError(f"{base_uri or 'manifest'}: neither HLS nor DASH; it begins with {begun[:60]!a}")
    if is_multivariant(text):
        return parse_multivariant(text, base_uri)
    media = parse_media(text, base_uri)
    only = Track(
        kind="video",
        rung="only",
        bitrate_bps=UNDECLARED_BITRATE_BPS,
        peak_bitrate_bps=UNDECLARED_BITRATE_BPS,
        uri=base_uri or None,
        media=media,
    )
    return Presentation(video=(only,), duration_s=media.duration_s if media.ended else None)
