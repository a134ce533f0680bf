"""A purge by title: every edge gives up what it holds of some titles, and says so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orchestration.edge.client import EdgeClient
from orchestration.edge.errors import EdgeError


@dataclass(frozen=True, kw_only=True)
class EdgePurge:
    """What one edge answered.

    Attributes:
        problem: Why it has not acknowledged; empty when it has.
        removed_objects, removed_bytes: Placed and pulled ones; 0 when it held nothing, as after an earlier purge.
    """

    edge_id: str
    problem: str = ""
    removed_objects: int = 0
    removed_bytes: int = 0

    @property
    def is_acknowledged(self) -> bool:
        """Whether the edge holds nothing of the titles any more, by its own word."""
        return not self.problem


def purge_titles(
    clients: Mapping[str, EdgeClient], edge_ids: Sequence[str], title_ids: Sequence[str]
) -> list[EdgePurge]:
    """Have every edge remove what it holds of the titles, placed and pulled; may be sent again and again.

    An edge has acknowledged when it answered and its inventory then lists none of them. One that does not answer,
    refuses or has no address is told while the others go on.
    """
    return [_purge_edge(edge_id, clients.get(edge_id), title_ids) for edge_id in edge_ids]


def _purge_edge(edge_id: str, client: EdgeClient | None, title_ids: Sequence[str]) -> EdgePurge:
    if client is None:
        return EdgePurge(edge_id=edge_id, problem="this installation has no address for it")
    try:
        report = client.purge(title_ids=title_ids)
        left = sorted(set(title_ids) & set(client.inventory().complete))
    except EdgeError as error:
        return EdgePurge(edge_id=edge_id, problem=str(error))
    return EdgePurge(
        edge_id=edge_id,
        problem=f"it still lists {', '.join(left)}" if left else "",
        removed_objects=report.placed_objects + report.cached_objects,
        removed_bytes=report.placed_bytes + report.cached_bytes,
    )
