"""Which pathway serves a session: pure functions over what is known of edges. No I/O, no clock, no web framework."""

from __future__ import annotations

from playback_api.routing.hashing import rendezvous_order, unit_hash
from playback_api.routing.inventory import EdgeInventory, Holding, find_holding, group_count
from playback_api.routing.ladder import (
    DEFAULT_POLICY,
    Choice,
    RoutingError,
    RoutingPolicy,
    Step,
    Viewing,
    rank_pathways,
    spill_share_of,
)
from playback_api.routing.score import Candidate, expected_cost_s

__all__ = [
    "DEFAULT_POLICY",
    "Candidate",
    "Choice",
    "EdgeInventory",
    "Holding",
    "RoutingError",
    "RoutingPolicy",
    "Step",
    "Viewing",
    "expected_cost_s",
    "find_holding",
    "group_count",
    "rank_pathways",
    "rendezvous_order",
    "spill_share_of",
    "unit_hash",
]
