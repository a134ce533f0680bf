"""Where the edges and the origin answer now, which may not be where they answered when the snapshot was published."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from playback_api.snapshot import PathwayRecord, Snapshot


@dataclass(frozen=True, kw_only=True)
class CurrentAddresses:
    """Base URLs that this process was told at start.

    Attributes:
        edge_urls: By edge id; an edge that is not here keeps the address of the snapshot, and one that only stands
            here is not routed to.
        origin_url: The origin's; None keeps the snapshot's.
    """

    edge_urls: Mapping[str, str] = field(default_factory=dict)
    origin_url: str | None = None

    def apply(self, snapshot: Snapshot) -> Snapshot:
        """The snapshot with these addresses in its topology, and with nothing else changed."""
        pathways = [self._move(pathway) for pathway in snapshot.topology.pathways]
        if pathways == snapshot.topology.pathways:
            return snapshot
        topology = msgspec.structs.replace(snapshot.topology, pathways=pathways)
        return dataclasses.replace(snapshot, topology=topology)

    def _move(self, pathway: PathwayRecord) -> PathwayRecord:
        url = self.edge_urls.get(pathway.pathway_id) if pathway.region_id else self.origin_url
        return pathway if url is None else msgspec.structs.replace(pathway, base_url=url.rstrip("/"))


AS_PUBLISHED = CurrentAddresses()
