"""Content types of what a package is made of."""

from __future__ import annotations

MEDIA_TYPES = {
    "m3u8": "application/vnd.apple.mpegurl",
    "mpd": "application/dash+xml",
    "m4s": "video/iso.segment",
    "mp4": "video/mp4",
    "m4a": "audio/mp4",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "png": "image/png",
    "webp": "image/webp",
    "vtt": "text/vtt; charset=utf-8",
    "json": "application/json",
}
DEFAULT_MEDIA_TYPE = "application/octet-stream"


def media_type_of(key: str) -> str:
    """The content type by the key's suffix; the pointer file is text."""
    name = key.rpartition("/")[2]
    if name == "CURRENT":
        return "text/plain; charset=utf-8"
    return MEDIA_TYPES.get(name.rpartition(".")[2].lower(), DEFAULT_MEDIA_TYPE)
