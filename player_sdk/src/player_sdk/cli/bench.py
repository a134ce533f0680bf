"""Policies beside each other on one title: its real bytes over emulated lines, in virtual time."""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from player_sdk.abr import Abr, BolaAbr, DefaultAbr, RobustMpcAbr, ThroughputAbr
from player_sdk.client import Player
from player_sdk.clock import VirtualClock
from player_sdk.errors import PlayerError
from player_sdk.playback_settings import PlaybackSettings
from player_sdk.report import SessionReport
from player_sdk.transports import EmulatedTransport, Link, http_transport

POLICIES: Mapping[str, Callable[[], Abr]] = {
    "default": DefaultAbr,
    "robust-mpc": RobustMpcAbr,
    "bola": BolaAbr,
    "throughput": ThroughputAbr,
}


class BenchRow(msgspec.Struct, frozen=True, kw_only=True):
    """One policy on one line."""

    line: str
    policy: str
    report: SessionReport


async def bench(
    url: str, lines: Mapping[str, Link], policies: Sequence[str], *, watch_s: float | None, settings: PlaybackSettings
) -> AsyncIterator[BenchRow]:
    """Play a URL once for each line and policy."""
    transport = http_transport()
    try:
        for name, link in lines.items():
            for policy in policies:
                clock = VirtualClock(dt.datetime.now(dt.UTC))
                emulated = EmulatedTransport(transport, clock=clock, link=link)
                async with Player(
                    transport=emulated, clock=clock, abr=POLICIES[policy], settings=settings, seed=0
                ) as player:
                    report = await player.open_url(url).watch(watch_s)
                yield BenchRow(line=name, policy=policy, report=report)
    finally:
        await transport.aclose()


def read_trace(path: Path, *, latency_s: float) -> Link:
    """A line from a CSV file with the columns ``duration_s`` and ``bandwidth_kbps``.

    Raises:
        PlayerError: There is no such file, or it is no trace.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = [(float(row["duration_s"]), 1000.0 * float(row["bandwidth_kbps"])) for row in csv.DictReader(file)]
        return Link(rows, latency_s=latency_s)
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise PlayerError(f"{path} is no trace (columns duration_s,bandwidth_kbps): {error}") from error
