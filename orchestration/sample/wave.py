"""Plays a wave of planned sessions against a serving plane that is up, through the player SDK, as any client would.

Bytes move over real HTTP; time is virtual, so that what a viewer waits for is the emulated distance and never this
machine's load. Sessions of one region are played one after the other in the order of their starts, since they share
edges and the order decides what an edge holds; regions share none and are played side by side.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

from orchestration.edge.topology import Edge, Network
from orchestration.sample.network import NetworkTrace
from orchestration.sample.viewers import PlannedSession
from player_sdk import (
    EmulatedTransport,
    HeartbeatSettings,
    HomePage,
    Link,
    PathwayLink,
    Player,
    PlayerError,
    SessionReport,
    Viewer,
    VirtualClock,
    http_transport,
)

API_LATENCY_S = 0.03
"""What a call of the control API costs a viewer, both ways; it is close to everybody and the same for all."""


@dataclass(frozen=True, kw_only=True)
class PlayedSession:
    """What became of a planned session. ``error`` says why there is no report."""

    planned: PlannedSession
    report: SessionReport | None
    error: str = ""


@dataclass(frozen=True, kw_only=True)
class WaveOutcome:
    """Figures over a set of played sessions, as their players measured them."""

    sessions: int
    failed: int
    startup_s_mean: float
    startup_s_median: float
    startup_s_p95: float
    rebuffer_ratio: float
    mean_bitrate_bps: float
    edge_hit_ratio: float
    local_start_ratio: float


@dataclass(frozen=True, kw_only=True)
class ServingAddresses:
    """Where the serving plane answers."""

    control_url: str
    collector_url: str
    origin_url: str
    edge_urls: Mapping[str, str]


def play_wave(
    planned: Sequence[PlannedSession],
    *,
    network: Network,
    traces: Sequence[NetworkTrace],
    addresses: ServingAddresses,
    seed: int,
    on_played: Callable[[int, int], None] = lambda done, total: None,
) -> list[PlayedSession]:
    """Play every session of a wave to its planned end.

    A session that cannot be played is reported with its error; the others go on.

    Args:
        planned: The wave, in the order of its starts.
        network: Regions and edges.
        traces: The network traces that the plan names.
        addresses: Where the serving plane answers.
        seed: The same seed, plan and edges give the same outcome.
        on_played: Told how many of how many sessions are done.

    Returns:
        One entry for each planned session, region by region.
    """
    return asyncio.run(
        _Wave(network=network, traces=traces, addresses=addresses, seed=seed, on_played=on_played).play(planned)
    )


def outcome_of(played: Sequence[PlayedSession]) -> WaveOutcome:
    """Sum a set of sessions up. Ratios of bytes and seconds are over their sums, not means of ratios."""
    reports = [session.report for session in played if session.report is not None]
    startups = sorted(report.startup_s for report in reports if report.startup_s is not None)
    started = [report for report in reports if report.first_segment_local is not None]
    size_bytes = sum(report.size_bytes for report in reports)
    local_bytes = sum(report.size_bytes_placed + report.size_bytes_cached for report in reports)
    played_s = sum(report.played_s for report in reports)
    rebuffer_s = sum(report.rebuffer_s for report in reports)
    return WaveOutcome(
        sessions=len(played),
        failed=sum(1 for session in played if session.report is None or session.report.end_reason == "failed"),
        startup_s_mean=statistics.fmean(startups) if startups else 0.0,
        startup_s_median=statistics.median(startups) if startups else 0.0,
        startup_s_p95=startups[min(len(startups) - 1, int(0.95 * len(startups)))] if startups else 0.0,
        rebuffer_ratio=_ratio(rebuffer_s, played_s + rebuffer_s),
        mean_bitrate_bps=_ratio(sum(report.mean_bitrate_bps * report.played_s for report in reports), played_s),
        edge_hit_ratio=_ratio(local_bytes, size_bytes),
        local_start_ratio=_ratio(sum(1 for report in started if report.first_segment_local), len(started)),
    )


def pathway_links(network: Network, region_id: str, addresses: ServingAddresses) -> dict[str, PathwayLink]:
    """The way from a region's viewers to every edge and to the origin, by ``host:port``.

    Edges of other regions and the origin are reached over the region's own way to the origin.
    """
    own = network.edges_of(region_id)
    core_latency_s = min(edge.origin_latency_s for edge in own)
    core_rate_bps = min(edge.origin_rate_bps for edge in own)
    links = {
        _host(addresses.edge_urls[edge.edge_id]): _edge_link(edge, region_id, core_latency_s, core_rate_bps)
        for edge in network.edges
    }
    links[_host(addresses.origin_url)] = PathwayLink(latency_s=2 * core_latency_s, rate_bps=core_rate_bps)
    return links


class _Wave:
    """What all sessions of a wave share."""

    def __init__(
        self,
        *,
        network: Network,
        traces: Sequence[NetworkTrace],
        addresses: ServingAddresses,
        seed: int,
        on_played: Callable[[int, int], None],
    ) -> None:
        self._network = network
        self._traces = {trace.trace_id: trace for trace in traces}
        self._addresses = addresses
        self._seed = seed
        self._on_played = on_played
        self._done = 0
        self._free_hosts = (_host(addresses.control_url), _host(addresses.collector_url))

    async def play(self, planned: Sequence[PlannedSession]) -> list[PlayedSession]:
        inner = http_transport(http2=False)
        try:
            regions = [
                self._play_region(
                    region.region_id,
                    [(number, one) for number, one in enumerate(planned) if one.region_id == region.region_id],
                    total=len(planned),
                    inner=inner,
                )
                for region in self._network.regions
            ]
            return [session for sessions in await asyncio.gather(*regions) for session in sessions]
        finally:
            await inner.aclose()

    async def _play_region(
        self,
        region_id: str,
        planned: Sequence[tuple[int, PlannedSession]],
        *,
        total: int,
        inner: httpx.AsyncBaseTransport,
    ) -> list[PlayedSession]:
        links = pathway_links(self._network, region_id, self._addresses)
        played = []
        for number, session in planned:
            played.append(await self._play_session(session, links, inner=inner, seed=self._seed * 1_000_003 + number))
            self._done += 1
            self._on_played(self._done, total)
        return played

    async def _play_session(
        self,
        planned: PlannedSession,
        links: Mapping[str, PathwayLink],
        *,
        inner: httpx.AsyncBaseTransport,
        seed: int,
    ) -> PlayedSession:
        trace = self._traces[planned.trace_id]
        clock = VirtualClock(planned.starts_at.astimezone(dt.UTC))
        # Viewers who share a trace are at different places of it.
        link = Link(trace.steps, latency_s=2 * trace.latency_s, offset_s=seed % max(1, int(trace.duration_s)))
        transport = EmulatedTransport(
            inner,
            clock=clock,
            link=link,
            pathways=links,
            free_hosts=self._free_hosts,
            free_latency_s=API_LATENCY_S,
        )
        viewer = Viewer(
            viewer_id=planned.viewer_id,
            region_id=planned.region_id,
            device=planned.device,
            network_class=planned.network_class,
        )
        try:
            async with Player(
                api_url=self._addresses.control_url,
                viewer=viewer,
                transport=transport,
                clock=clock,
                beats=HeartbeatSettings(max_delay_s=30.0),
                seed=seed,
            ) as player:
                home = await player.home()
                # Everyone means to see a title from its beginning: the same wave must ask for the same bytes.
                session = await player.play(
                    planned.title_id, impression_id=_impression_of(home, planned.title_id), start_s=0.0
                )
                report = await session.watch(watch_s=planned.watch_s)
        except (PlayerError, httpx.HTTPError) as error:
            return PlayedSession(planned=planned, report=None, error=f"{type(error).__name__}: {error}")
        return PlayedSession(planned=planned, report=report)


def _impression_of(home: HomePage, title_id: str) -> str | None:
    """The page's impression, when the title was on it: only then was it picked there."""
    return home.impression_id if any(item.title_id == title_id for item in home.items()) else None


def _edge_link(edge: Edge, region_id: str, core_latency_s: float, core_rate_bps: float) -> PathwayLink:
    if edge.region_id == region_id:
        return PathwayLink(latency_s=2 * edge.viewer_latency_s, rate_bps=edge.viewer_rate_bps)
    return PathwayLink(
        latency_s=2 * (core_latency_s + edge.origin_latency_s), rate_bps=min(core_rate_bps, edge.origin_rate_bps)
    )


def _host(url: str) -> str:
    return urlsplit(url).netloc


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole > 0 else 0.0
