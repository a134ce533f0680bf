"""The edges of this installation as a Dagster resource."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import dagster as dg

from orchestration.edge import EdgeClient, connect_edges


class EdgeFleet(dg.ConfigurableResource[None]):
    """Where the edges answer and what signs orders to them.

    Attributes:
        secret: Shared with every edge.
        urls: edge_id -> base URL, such as ``http://127.0.0.1:8811``.
    """

    secret: str
    urls: dict[str, str]

    @contextmanager
    def clients(self, edge_ids: Iterable[str] | None = None) -> Iterator[dict[str, EdgeClient]]:
        """Clients by edge, of all edges or of those named; ids without an address are left out."""
        wanted = sorted(self.urls if edge_ids is None else set(edge_ids) & set(self.urls))
        with connect_edges({edge_id: self.urls[edge_id] for edge_id in wanted}, self.secret) as clients:
            yield clients
