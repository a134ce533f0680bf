"""Common Media Client Data (CTA-5004): what a player tells caches with each request, and a collector by events.

Version 1 goes out as headers. Version 2 (CTA-5004-B) says the same with more keys, bit rates and buffers by kind of
object, and has events, one line each, for a collector: ``cmcd_reporter`` sends them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

CmcdVersion = Literal[1, 2]
PlayerState = Literal[
    "starting", "playing", "paused", "seeking", "rebuffering", "preloading", "ended", "failed", "quit"
]
Value = str | bool | None

_OBJECT_TYPES = {"manifest": "m", "video": "v", "audio": "a", "text": "c", "init": "i", "key": "k"}
_FORMATS = {"hls": "h", "dash": "d"}
_STATES: Mapping[PlayerState, str] = {
    "starting": "s",
    "playing": "p",
    "paused": "a",
    "seeking": "k",
    "rebuffering": "r",
    "preloading": "d",
    "ended": "e",
    "failed": "f",
    "quit": "q",
}
_TEXT_LIMITS: Mapping[CmcdVersion, int] = {1: 64, 2: 128}


@dataclass(frozen=True, kw_only=True, slots=True)
class CmcdPlayback:
    """What requests and events say of a playback; None leaves a key out.

    Attributes:
        streaming_format: ``hls`` or ``dash``.
        bitrate_bps: Of what is asked for, or of what plays.
        pathway_id: Where requests go.
    """

    session_id: str
    content_id: str
    streaming_format: str
    bitrate_bps: float | None = None
    buffer_s: float | None = None
    pathway_id: str | None = None
    live: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class CmcdRequest(CmcdPlayback):
    """What is known about a request; None leaves a key out.

    Attributes:
        object_type: ``manifest``, ``video``, ``audio``, ``text``, ``init`` or ``key``.
        startup: The answer is needed to start.
        starved: Playback stands still.
        version: Which version of the standard to write; the state and the pathway are of the second one only.
        state: What the player does.
    """

    object_type: str
    top_bitrate_bps: float | None = None
    duration_s: float | None = None
    throughput_bps: float | None = None
    startup: bool = False
    starved: bool = False
    version: CmcdVersion = 1
    state: PlayerState | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class CmcdResponse:
    """What a request brought, for an event of kind ``rr``."""

    url: str
    status_code: int
    first_byte_s: float
    last_byte_s: float


@dataclass(frozen=True, kw_only=True, slots=True)
class CmcdEvent(CmcdPlayback):
    """An event of version 2.

    Attributes:
        kind: ``ps`` the state changed, ``bc`` the bit rate did, ``e`` something failed, ``rr`` an answer came, ``t``
            time has passed.
        at_s: When, in seconds since 1970.
        error_code: What failed.
    """

    kind: Literal["ps", "bc", "e", "rr", "t"]
    at_s: float
    state: PlayerState
    position_s: float | None = None
    error_code: str | None = None
    response: CmcdResponse | None = None


def cmcd_headers(request: CmcdRequest) -> dict[str, str]:
    """The four headers, keys in alphabetical order, rounded as the standard says (hundreds of ms and kbit/s)."""
    kind = _OBJECT_TYPES.get(request.object_type, "o")
    two = request.version == 2

    def of_kind(value: str | None, kind: str = kind) -> str | None:
        return f"({value};{kind})" if two and value is not None else value

    groups: dict[str, dict[str, Value]] = {
        "CMCD-Object": {
            "br": of_kind(_kilo(request.bitrate_bps)),
            "d": _milliseconds(request.duration_s),
            "ot": kind,
            "tb": of_kind(_kilo(request.top_bitrate_bps), "v"),
        },
        "CMCD-Request": {
            "bl": of_kind(_hundreds_of_ms(request.buffer_s)),
            "mtp": of_kind(
                None if request.throughput_bps is None else str(round(request.throughput_bps / 1e5) * 100), "v"
            ),
            "sta": _STATES[request.state] if two and request.state else None,
            "su": request.startup,
        },
        "CMCD-Session": {
            "cid": _quoted(request.content_id, _TEXT_LIMITS[request.version]),
            "sf": _FORMATS.get(request.streaming_format, "o"),
            "sid": _quoted(request.session_id, 64),
            "st": "l" if request.live else "v",
            "v": "2" if two else None,
        },
        "CMCD-Status": {
            "bs": request.starved,
            "cdn": _quoted(request.pathway_id, 128) if two and request.pathway_id else None,
        },
    }
    headers = {name: _join(keys) for name, keys in groups.items()}
    return {name: value for name, value in headers.items() if value}


def cmcd_event_line(event: CmcdEvent) -> str:
    """An event as its line in a report."""
    response = event.response
    return _join(
        {
            "bl": None if event.buffer_s is None else f"({_hundreds_of_ms(event.buffer_s)};v)",
            "br": None if event.bitrate_bps is None else f"({_kilo(event.bitrate_bps)};v)",
            "cdn": _quoted(event.pathway_id, 128) if event.pathway_id else None,
            "cid": _quoted(event.content_id, 128),
            "e": event.kind,
            "ec": f"({_quoted(event.error_code, 128)})" if event.error_code else None,
            "pt": _milliseconds(event.position_s),
            "rc": str(response.status_code) if response else None,
            "sf": _FORMATS.get(event.streaming_format, "o"),
            "sid": _quoted(event.session_id, 64),
            "st": "l" if event.live else "v",
            "sta": _STATES[event.state],
            "ts": _milliseconds(event.at_s),
            "ttfb": _milliseconds(response.first_byte_s) if response else None,
            "ttlb": _milliseconds(response.last_byte_s) if response else None,
            "url": _quoted(response.url, 2048) if response else None,
            "v": "2",
        }
    )


def _join(keys: Mapping[str, Value]) -> str:
    parts = [
        key if value is True else f"{key}={value}" for key, value in sorted(keys.items()) if value not in (None, False)
    ]
    return ",".join(parts)


def _kilo(bitrate_bps: float | None) -> str | None:
    return None if bitrate_bps is None else str(round(bitrate_bps / 1000))


def _milliseconds(duration_s: float | None) -> str | None:
    return None if duration_s is None else str(round(duration_s * 1000))


def _hundreds_of_ms(duration_s: float | None) -> str | None:
    return None if duration_s is None else str(round(duration_s * 10) * 100)


def _quoted(text: str, limit: int) -> str:
    """A string of RFC 8941: printable ASCII, quotes and backslashes escaped."""
    plain = "".join(letter for letter in text[:limit] if " " <= letter <= "~")
    escaped = plain.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
