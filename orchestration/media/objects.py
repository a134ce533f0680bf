"""The record of a packaged title: which objects it is made of, how large they are and what they hash to.

``objects.json`` stands beside the manifests of a package (``media/<title_id>/p/<package_id>/objects.json``). Edges,
placement and the catalogue know media by this record alone; none of them reads a manifest.
"""

from __future__ import annotations

import datetime as dt
from typing import Literal

import msgspec

SCHEMA_VERSION = 1
MANIFEST_RUNG = "manifest"
ARTWORK_RUNG = "artwork"
PREFIX_GROUP = 0
"""Segment group 0 is the prefix: init segments and the first seconds, which every session asks for first."""
STORYBOARD_GROUP = 1
"""Of artwork: pictures to seek by, which no session needs to start."""


class Rendition(msgspec.Struct, frozen=True, kw_only=True):
    """One rung of a title: a video size, an audio track, or captions.

    Attributes:
        kind: ``text`` is one WebVTT file and has neither init segment nor bit rate worth the name.
        name: What a viewer reads when choosing a sound track or captions.
        role: What a sound track or captions are for; ``captions`` tell sounds too, ``forced`` only what is foreign.
        protection: How its segments are encrypted; those of ``aes-128`` are for HLS alone.
        key_id: Public name of the key, 32 hexadecimal digits; empty in the clear.
    """

    rendition_id: str
    rung: str
    kind: Literal["video", "audio", "text"]
    codecs: str
    bitrate_bps: int
    peak_bitrate_bps: int
    width: int = 0
    height: int = 0
    frame_rate: float = 0.0
    language: str = "und"
    name: str = ""
    role: Literal["main", "commentary", "description", "subtitles", "captions", "forced"] = "main"
    protection: Literal["none", "cenc", "cbcs", "aes-128"] = "none"
    key_id: str = ""


class MediaObject(msgspec.Struct, frozen=True, kw_only=True):
    """One immutable file of a title.

    Attributes:
        key: Path below ``media/<title_id>/``, such as ``r/<rendition_id>/seg-00001.m4s`` or
            ``p/<package_id>/master.m3u8``.
        rung: Name of the rung, or ``manifest`` or ``artwork``.
        segment_group: 0 for the prefix (init, first segments, manifests, poster and thumbnails), then 1, 2, ... in
            order of time; a storyboard is group 1 of the artwork.
    """

    key: str
    size_bytes: int
    sha256: str
    rung: str
    segment_group: int
    rendition_id: str = ""
    duration_s: float = 0.0


class PackageRecord(msgspec.Struct, frozen=True, kw_only=True):
    """``objects.json``.

    Attributes:
        complete: False for the first rungs of a title whose other rungs are still being made.
        hls_aes_128_key: The master playlist over whole-segment encryption; None where it is not made.
    """

    schema_version: int
    title_id: str
    package_id: str
    source_sha256: str
    duration_s: float
    segment_duration_s: float
    created_at: dt.datetime
    hls_key: str
    dash_key: str
    poster_key: str | None
    renditions: list[Rendition]
    objects: list[MediaObject]
    complete: bool = True
    hls_aes_128_key: str | None = None

    @property
    def size_bytes(self) -> int:
        """All bytes that an edge holds when it holds the whole title."""
        return sum(item.size_bytes for item in self.objects)


def media_prefix(title_id: str) -> str:
    """Where a title's objects stand in the store."""
    return f"media/{title_id}/"


def current_package_key(title_id: str) -> str:
    """The pointer file that names the package to serve; it alone is ever replaced."""
    return f"media/{title_id}/CURRENT"


def package_record_key(title_id: str, package_id: str) -> str:
    """Where the record of a package stands in the store."""
    return f"media/{title_id}/p/{package_id}/objects.json"
