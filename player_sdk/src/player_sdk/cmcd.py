"""Common Media Client Data (CTA-5004, version 1): what a player tells caches with each request, as headers."""

from __future__ import annotations

from dataclasses import dataclass

_OBJECT_TYPES = {"manifest": "m", "video": "v", "audio": "a", "init": "i", "key": "k"}
_FORMATS = {"hls": "h", "dash": "d"}


@dataclass(frozen=True, kw_only=True, slots=True)
class CmcdRequest:
    """What is known about a request; None leaves a key out.

    Attributes:
        object_type: ``manifest``, ``video``, ``audio`` or ``init``.
        streaming_format: ``hls`` or ``dash``.
        startup: The answer is needed to start.
        starved: Playback stands still.
    """

    session_id: str
    content_id: str
    object_type: str
    streaming_format: str
    bitrate_bps: float | None = None
    top_bitrate_bps: float | None = None
    duration_s: float | None = None
    buffer_s: float | None = None
    throughput_bps: float | None = None
    startup: bool = False
    starved: bool = False


def cmcd_headers(request: CmcdRequest) -> dict[str, str]:
    """The four headers, keys in alphabetical order, rounded as the standard says (hundreds of ms and kbit/s)."""
    groups: dict[str, dict[str, str | bool | None]] = {
        "CMCD-Object": {
            "br": _kilo(request.bitrate_bps),
            "d": None if request.duration_s is None else str(round(request.duration_s * 1000)),
            "ot": _OBJECT_TYPES.get(request.object_type, "o"),
            "tb": _kilo(request.top_bitrate_bps),
        },
        "CMCD-Request": {
            "bl": None if request.buffer_s is None else str(round(request.buffer_s * 10) * 100),
            "mtp": None if request.throughput_bps is None else str(round(request.throughput_bps / 1e5) * 100),
            "su": request.startup,
        },
        "CMCD-Session": {
            "cid": _quoted(request.content_id),
            "sf": _FORMATS.get(request.streaming_format, "o"),
            "sid": _quoted(request.session_id),
            "st": "v",
        },
        "CMCD-Status": {"bs": request.starved},
    }
    headers = {name: _join(keys) for name, keys in groups.items()}
    return {name: value for name, value in headers.items() if value}


def _join(keys: dict[str, str | bool | None]) -> str:
    parts = [
        key if value is True else f"{key}={value}" for key, value in sorted(keys.items()) if value not in (None, False)
    ]
    return ",".join(parts)


def _kilo(bitrate_bps: float | None) -> str | None:
    return None if bitrate_bps is None else str(round(bitrate_bps / 1000))


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped[:64]}"'
