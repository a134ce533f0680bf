"""Regions and edges as the platform's seeds declare them.

``dbt/seeds/regions.csv`` and ``edges.csv`` are the one source: dbt loads them into the warehouse, and this module reads
the same files for what has to know the network before a warehouse exists (edge processes, schedules, partitions).
What an edge really holds and how large its disk really is, it reports itself; see ``inventory``.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

SEEDS_FOLDER = Path(__file__).resolve().parents[2] / "dbt" / "seeds"


@dataclass(frozen=True, kw_only=True)
class Region:
    """A market: its time zone and the local hours of its off-peak window."""

    region_id: str
    name: str
    country: str
    time_zone: str
    network_profile: str
    fill_start_hour: int
    fill_end_hour: int


@dataclass(frozen=True, kw_only=True)
class Edge:
    """An edge node and the emulated distance to its viewers and to the origin.

    Attributes:
        failure_domain: What fails together; two copies of a title never share one.
        capacity_share: Disk size as a share of the catalogue's bytes.
        pull_reserve_share: Share of the disk that placements leave to pull-through.
        viewer_latency_s, viewer_rate_bps: One way to viewers of its own region.
        origin_latency_s, origin_rate_bps: To the origin.
        upstream_bytes_a_day: What a plan may let it take from upstream, fill and misses; infinite for any number.
    """

    edge_id: str
    region_id: str
    failure_domain: str
    port: int
    capacity_share: float
    pull_reserve_share: float
    viewer_latency_s: float
    viewer_rate_bps: float
    origin_latency_s: float
    origin_rate_bps: float
    upstream_bytes_a_day: float = float("inf")


@dataclass(frozen=True, kw_only=True)
class Network:
    """All regions and edges."""

    regions: tuple[Region, ...]
    edges: tuple[Edge, ...]

    def region(self, region_id: str) -> Region:
        """The region of that id.

        Raises:
            KeyError: The seeds know no such region.
        """
        for region in self.regions:
            if region.region_id == region_id:
                return region
        raise KeyError(f"no region {region_id!r}; regions.csv has {[r.region_id for r in self.regions]}")

    def edges_of(self, region_id: str) -> tuple[Edge, ...]:
        """The edges that stand in a region."""
        return tuple(edge for edge in self.edges if edge.region_id == region_id)


def read_network(seeds_folder: Path = SEEDS_FOLDER) -> Network:
    """Read the two seed files."""
    regions = tuple(
        Region(
            region_id=row["region_id"],
            name=row["name"],
            country=row["country"],
            time_zone=row["time_zone"],
            network_profile=row["network_profile"],
            fill_start_hour=int(row["fill_start_hour"]),
            fill_end_hour=int(row["fill_end_hour"]),
        )
        for row in _rows(seeds_folder / "regions.csv")
    )
    edges = tuple(
        Edge(
            edge_id=row["edge_id"],
            region_id=row["region_id"],
            failure_domain=row["failure_domain"],
            port=int(row["port"]),
            capacity_share=float(row["capacity_share"]),
            pull_reserve_share=float(row["pull_reserve_share"]),
            viewer_latency_s=float(row["viewer_latency_ms"]) / 1000,
            viewer_rate_bps=float(row["viewer_rate_mbps"]) * 1e6,
            origin_latency_s=float(row["origin_latency_ms"]) / 1000,
            origin_rate_bps=float(row["origin_rate_mbps"]) * 1e6,
            upstream_bytes_a_day=float(row["upstream_gb_a_day"] or "inf") * 1e9,
        )
        for row in _rows(seeds_folder / "edges.csv")
    )
    return Network(regions=regions, edges=edges)


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
