"""Reading the response headers that matter to a player: who had the bytes, and when to come back."""

from __future__ import annotations

import datetime as dt
import email.utils
import math
from dataclasses import dataclass

import httpx


@dataclass(frozen=True, kw_only=True, slots=True)
class CacheOutcome:
    """What the cache nearest to the player did: a hit on placed bytes, a hit on pulled ones, or a forward."""

    hit: bool
    placed: bool = False


def cache_outcome(headers: httpx.Headers) -> CacheOutcome | None:
    """Read ``Cache-Status`` (RFC 9211); None when no cache spoke.

    The last member of the list is the cache nearest to the client.
    """
    value = headers.get("cache-status")
    if not value:
        return None
    parameters = [part.strip() for part in value.rsplit(",", 1)[-1].split(";")[1:]]
    hit = "hit" in parameters
    return CacheOutcome(hit=hit, placed=hit and "detail=placed" in parameters)


def upstream_s(headers: httpx.Headers) -> float:
    """Emulated seconds that an edge waited for its upstream: ``Server-Timing: upstream;dur=<ms>``, else 0."""
    for metric in headers.get("server-timing", "").split(","):
        name, *parameters = (part.strip() for part in metric.split(";"))
        if name == "upstream":
            for parameter in parameters:
                key, _, value = parameter.partition("=")
                if key == "dur":
                    return _finite(value.strip('"')) / 1000.0
    return 0.0


def retry_after_s(headers: httpx.Headers, utc_now: dt.datetime) -> float | None:
    """Read ``Retry-After`` (RFC 9110), in seconds or as a date; None when absent or unreadable."""
    value = headers.get("retry-after")
    if value is None:
        return None
    if value.strip().isdigit():
        return float(value)
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=dt.UTC)
    wait_s: float = (moment - utc_now).total_seconds()
    return max(0.0, wait_s)


def _finite(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return 0.0
    return value if math.isfinite(value) and value > 0 else 0.0
