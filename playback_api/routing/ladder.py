"""The order in which a session should try pathways.

The ladder, best first:

1. edges of the viewer's region that hold the title's prefix, cheapest first;
2. the region's edge that rendezvous hashing gives the title to, so that pull-through is sharded and not repeated;
3. the region's other edges;
4. the nearest edge of another region, for a bounded share of the sessions;
5. the origin.

Edges that are not healthy are left out. What leaves a region is capped on purpose: a region in trouble whose viewers
all moved to its neighbour would take the neighbour down too, so most of them go to the origin, and all of them when a
large part of the network has tripped.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from playback_api.routing.hashing import rendezvous_order, unit_hash
from playback_api.routing.score import Candidate, expected_cost_s


class RoutingError(Exception):
    """No route can be made from these candidates."""


class Step(StrEnum):
    """Why a pathway stands where it does."""

    PLACED = "placed"
    HASHED = "hashed"
    REGION = "region"
    NEIGHBOUR = "neighbour"
    ORIGIN = "origin"


@dataclass(frozen=True, kw_only=True)
class RoutingPolicy:
    """The numbers of the ladder.

    Attributes:
        hot_popularity: Popularity (1 is the region's top title) from which two edges share a title's pull-through.
        equal_cost_s: Placed edges whose costs differ by less share the sessions instead of queueing on one.
        spill_share: Largest share of a region's sessions that may go to another region's edge.
        spill_stop_share: Share of all edges out of order at which nobody is sent to another region any more.
        neighbour_max_load: A neighbour busier than this takes no foreign sessions.
        neighbour_max_detour: A neighbour may be this many times as far as the origin.
    """

    hot_popularity: float = 0.5
    equal_cost_s: float = 0.02
    spill_share: float = 0.25
    spill_stop_share: float = 0.5
    neighbour_max_load: float = 0.7
    neighbour_max_detour: float = 1.5


@dataclass(frozen=True, kw_only=True)
class Viewing:
    """What is asked for: who wants to play what, where.

    Attributes:
        popularity: 0-1, relative to the top title of the region.
        current_pathway_id: Where a running session is; it stays while that is no worse a step of the ladder.
    """

    session_id: str
    title_id: str
    region_id: str
    popularity: float = 0.0
    current_pathway_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One pathway of the answer."""

    candidate: Candidate
    step: Step


DEFAULT_POLICY = RoutingPolicy()


def rank_pathways(
    viewing: Viewing, candidates: Iterable[Candidate], policy: RoutingPolicy = DEFAULT_POLICY
) -> list[Choice]:
    """The pathways to try, best first; the origin is always among them. The order of ``candidates`` plays no role.

    Raises:
        RoutingError: There is not exactly one origin.
    """
    everything = sorted(candidates, key=lambda candidate: candidate.pathway_id)
    origins = [candidate for candidate in everything if candidate.is_origin]
    if len(origins) != 1:
        raise RoutingError(f"a route needs exactly one origin, and there are {len(origins)}; check the topology")
    edges = [candidate for candidate in everything if not candidate.is_origin]
    local = [edge for edge in edges if edge.region_id == viewing.region_id and edge.healthy]
    choices = [
        *_rank_region(viewing, local, policy),
        *_pick_neighbour(viewing, edges, origins[0], policy),
        Choice(candidate=origins[0], step=Step.ORIGIN),
    ]
    return _keep_current(viewing, choices)


def spill_share_of(edges: Iterable[Candidate], policy: RoutingPolicy = DEFAULT_POLICY) -> float:
    """Share of a region's sessions that may leave it, falling to 0 as more edges are out of order."""
    states = [edge.healthy for edge in edges]
    if not states:
        return 0.0
    tripped_share = states.count(False) / len(states)
    return policy.spill_share * max(0.0, 1.0 - tripped_share / policy.spill_stop_share)


def _rank_region(viewing: Viewing, edges: list[Candidate], policy: RoutingPolicy) -> list[Choice]:
    """Steps 1 to 3. Within a step, an overloaded edge comes after those with room."""
    if not edges:
        return []
    edge_by_id = {edge.pathway_id: edge for edge in edges}
    weight_by_id = {edge.pathway_id: edge.weight for edge in edges}
    owners = rendezvous_order(viewing.title_id, weight_by_id)
    if viewing.popularity >= policy.hot_popularity and len(owners) > 1:
        pair = {owner: weight_by_id[owner] for owner in owners[:2]}
        owners = [*rendezvous_order(viewing.session_id, pair), *owners[2:]]
    turn = {edge_id: place for place, edge_id in enumerate(rendezvous_order(viewing.session_id, weight_by_id))}
    placed = sorted(
        (edge for edge in edges if edge.holding.prefix),
        key=lambda edge: (
            edge.overloaded,
            math.floor(expected_cost_s(edge) / policy.equal_cost_s),
            turn[edge.pathway_id],
        ),
    )
    rest = sorted(
        (edge_by_id[edge_id] for edge_id in owners if not edge_by_id[edge_id].holding.prefix),
        key=lambda edge: edge.overloaded,
    )
    ranked = [Choice(candidate=edge, step=Step.PLACED) for edge in placed]
    for edge in rest:
        owned = edge.pathway_id == owners[0] and not edge.overloaded
        ranked.append(Choice(candidate=edge, step=Step.HASHED if owned else Step.REGION))
    return ranked


def _pick_neighbour(viewing: Viewing, edges: list[Candidate], origin: Candidate, policy: RoutingPolicy) -> list[Choice]:
    if unit_hash("spill", viewing.session_id) >= spill_share_of(edges, policy):
        return []
    fit = [
        edge
        for edge in edges
        if edge.region_id != viewing.region_id
        and edge.healthy
        and edge.load < policy.neighbour_max_load
        and edge.latency_s <= origin.latency_s * policy.neighbour_max_detour
    ]
    if not fit:
        return []
    nearest = min(fit, key=lambda edge: (edge.latency_s, unit_hash(viewing.session_id, edge.pathway_id)))
    return [Choice(candidate=nearest, step=Step.NEIGHBOUR)]


def _keep_current(viewing: Viewing, choices: list[Choice]) -> list[Choice]:
    """Leave a running session where it is unless the ladder has a better step for it: a switch is never free."""
    for choice in choices:
        candidate = choice.candidate
        if candidate.pathway_id == viewing.current_pathway_id:
            same_step = choice.step is choices[0].step or {choice.step, choices[0].step} == {Step.HASHED, Step.REGION}
            if same_step and not candidate.overloaded:
                return [choice, *(other for other in choices if other is not choice)]
    return choices
