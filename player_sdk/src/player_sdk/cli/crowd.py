"""Many viewers of one URL in one process: what servers get to carry, and what the viewers got."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence

import httpx
import msgspec

from player_sdk.client import Player
from player_sdk.clock import Clock
from player_sdk.playback_settings import PlaybackSettings
from player_sdk.report import SessionReport


class CrowdSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What became of all sessions.

    Attributes:
        failure: Why the first one failed of those that did, None where none did.
        startup_p50_s, startup_p95_s: Of those that started; None where none did.
        rebuffer_ratio: Stalled seconds of all over stalled and played ones.
        mean_bitrate_bps: Of all that was played, weighted by time.
        received_bps: Bits a second over the whole time, of all viewers together.
    """

    viewers: int
    started: int
    failed: int
    failure: str | None
    startup_p50_s: float | None
    startup_p95_s: float | None
    rebuffer_ratio: float
    mean_bitrate_bps: float
    size_bytes: int
    received_bps: float


async def watch_together(
    url: str,
    *,
    viewers: int,
    ramp_s: float,
    watch_s: float | None,
    settings: PlaybackSettings,
    clock: Clock,
    open_transport: Callable[[], httpx.AsyncBaseTransport],
) -> CrowdSummary:
    """Let viewers come evenly over ``ramp_s`` and watch, each over a transport of their own."""
    begun_s = clock.now()

    async def watch(number: int) -> SessionReport:
        await clock.sleep(ramp_s * number / viewers)
        async with (
            open_transport() as transport,
            Player(transport=transport, clock=clock, settings=settings) as player,
        ):
            return await player.open_url(url).watch(watch_s)

    reports = await asyncio.gather(*(watch(number) for number in range(viewers)))
    return summary_of(reports, duration_s=clock.now() - begun_s)


def summary_of(reports: Sequence[SessionReport], *, duration_s: float) -> CrowdSummary:
    """The sums of sessions that took so long together."""
    startups_s = sorted(report.startup_s for report in reports if report.startup_s is not None)
    played_s = sum(report.played_s for report in reports)
    stalled_s = sum(report.rebuffer_s for report in reports)
    size_bytes = sum(report.size_bytes for report in reports)
    failures = [report.errors[-1] for report in reports if report.end_reason == "failed"]
    bits = sum(report.mean_bitrate_bps * report.played_s for report in reports)
    return CrowdSummary(
        viewers=len(reports),
        started=len(startups_s),
        failed=len(failures),
        failure=next(iter(failures), None),
        startup_p50_s=_percentile(startups_s, 0.5),
        startup_p95_s=_percentile(startups_s, 0.95),
        rebuffer_ratio=stalled_s / (played_s + stalled_s) if played_s + stalled_s > 0 else 0.0,
        mean_bitrate_bps=bits / played_s if played_s > 0 else 0.0,
        size_bytes=size_bytes,
        received_bps=size_bytes * 8.0 / duration_s if duration_s > 0 else 0.0,
    )


def _percentile(ordered: Sequence[float], share: float) -> float | None:
    """The nearest rank."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else None
