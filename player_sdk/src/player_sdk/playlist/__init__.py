"""Manifests: HLS and DASH text in, one model out. No I/O happens here.

The door has the readers and what they return; the parts of that are in ``model``.
"""

from player_sdk.playlist.dash import parse_mpd
from player_sdk.playlist.hls import is_multivariant, parse_media, parse_multivariant
from player_sdk.playlist.manifest import clock_source_of, parse_manifest
from player_sdk.playlist.model import MediaPlaylist, Presentation, Segment, Track
from player_sdk.playlist.sidx import with_index

__all__ = [
    "MediaPlaylist",
    "Presentation",
    "Segment",
    "Track",
    "clock_source_of",
    "is_multivariant",
    "parse_manifest",
    "parse_media",
    "parse_mpd",
    "parse_multivariant",
    "with_index",
]
