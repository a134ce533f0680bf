"""What edges have against what they should have. Routing believes in plan ∩ inventory, never in the plan alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import polars as pl

from orchestration.edge.client import EdgeClient
from orchestration.edge.errors import EdgeError
from orchestration.edge.orders import EdgeInventory


class PlacedGroup(NamedTuple):
    """A segment group of one rung of a title, as plans and inventories name it."""

    title_id: str
    rung: str
    segment_group: int


@dataclass(frozen=True, kw_only=True)
class PlacementState:
    """A plan beside an inventory.

    Attributes:
        present: Planned and complete: what may be routed to.
        missing: Planned and not complete.
        stale: Complete and not planned: left from an earlier plan.
    """

    present: frozenset[PlacedGroup]
    missing: frozenset[PlacedGroup]
    stale: frozenset[PlacedGroup]


@dataclass(frozen=True, kw_only=True)
class EdgeAnswer:
    """What an edge answered when asked for its inventory, or why it did not."""

    edge_id: str
    inventory: EdgeInventory | None
    problem: str = ""


def planned_groups(rows: pl.DataFrame) -> frozenset[PlacedGroup]:
    """The groups of some rows of a plan."""
    return frozenset(
        PlacedGroup(title_id, rung, int(segment_group))
        for title_id, rung, segment_group in rows.select("title_id", "rung", "segment_group").iter_rows()
    )


def complete_groups(inventory: EdgeInventory) -> frozenset[PlacedGroup]:
    """The groups that an edge has wholly."""
    return frozenset(
        PlacedGroup(title_id, rung, segment_group)
        for title_id, rungs in inventory.complete.items()
        for rung, segment_groups in rungs.items()
        for segment_group in segment_groups
    )


def compare(planned: frozenset[PlacedGroup], inventory: EdgeInventory) -> PlacementState:
    """Set a plan's groups beside an inventory."""
    complete = complete_groups(inventory)
    return PlacementState(present=planned & complete, missing=planned - complete, stale=complete - planned)


def as_placed_titles(groups: Iterable[PlacedGroup]) -> dict[str, dict[str, list[int]]]:
    """Groups as title_id -> rung -> segment groups, the form of inventories and of the serving snapshot."""
    placed: dict[str, dict[str, list[int]]] = {}
    for group in sorted(groups):
        placed.setdefault(group.title_id, {}).setdefault(group.rung, []).append(group.segment_group)
    return placed


def ask_edges(clients: Mapping[str, EdgeClient]) -> list[EdgeAnswer]:
    """Ask every edge for its inventory; one that does not answer is reported and does not stop the others."""
    answers = []
    for edge_id, client in sorted(clients.items()):
        try:
            answers.append(EdgeAnswer(edge_id=edge_id, inventory=client.inventory()))
        except EdgeError as error:
            answers.append(EdgeAnswer(edge_id=edge_id, inventory=None, problem=str(error)))
    return answers
