"""What starting and playing from a pathway is expected to cost a viewer, in seconds."""

from __future__ import annotations

from dataclasses import dataclass

from playback_api.routing.inventory import Holding

START_ROUND_TRIPS = 4
"""Connection, master playlist, media playlists, first segments."""
OVERLOAD = 0.9
"""Load from which an edge is passed over while another of its region has room."""
NOTHING_HELD = Holding()


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A pathway as one viewer's request finds it.

    Attributes:
        region_id: Where it stands; empty for the origin.
        latency_s: To the viewer's region.
        upstream_latency_s: What a miss adds: the way from there to the origin.
        weight: Its network capacity relative to the others.
        healthy: It answers, its breaker is closed and its inventory is known.
        load: Share of its capacity in use, 0-1; 0 while unknown.
        holding: What of the title it holds.
    """

    pathway_id: str
    base_url: str
    region_id: str
    latency_s: float
    upstream_latency_s: float = 0.0
    weight: float = 1.0
    healthy: bool = True
    load: float = 0.0
    holding: Holding = NOTHING_HELD

    @property
    def is_origin(self) -> bool:
        """Whether this is where everything comes from."""
        return not self.region_id

    @property
    def overloaded(self) -> bool:
        """Whether it should be passed over while another has room."""
        return self.load >= OVERLOAD


def expected_cost_s(candidate: Candidate) -> float:
    """Seconds lost on round trips, expected misses and queueing; lower is better.

    Queueing grows as load/(1-load), as in an M/M/1 queue, on top of one round trip.
    """
    misses = 1.0 - (0.5 * candidate.holding.prefix + 0.5 * candidate.holding.coverage)
    load = min(candidate.load, 0.98)
    queueing = candidate.latency_s * load / (1.0 - load)
    return START_ROUND_TRIPS * candidate.latency_s + misses * 2 * candidate.upstream_latency_s + queueing
