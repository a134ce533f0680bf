"""The network as routing and players see it, made from the seeds and the addresses of this installation."""

from __future__ import annotations

from collections.abc import Mapping

from orchestration.edge.topology import Edge, Network
from playback_api.snapshot import PathwayRecord, RegionRecord, Topology

ORIGIN_ID = "origin"
BITS_PER_WEIGHT = 100e6
"""An edge that reaches its viewers at 100 Mbit/s has weight 1."""


def make_topology(network: Network, *, edge_urls: Mapping[str, str], origin_url: str) -> Topology:
    """Regions, edges with an address, and the origin.

    Distances between regions are not measured; they are taken as the way through the origin, which is their upper
    bound. An edge without an address is left out: nobody can be sent there.
    """
    edges = [edge for edge in network.edges if edge.edge_id in edge_urls]
    to_origin = {region.region_id: _latency_to_origin_s(network, region.region_id) for region in network.regions}
    pathways = [
        PathwayRecord(
            pathway_id=edge.edge_id,
            base_url=edge_urls[edge.edge_id],
            region_id=edge.region_id,
            weight=edge.viewer_rate_bps / BITS_PER_WEIGHT,
            failure_domain=edge.failure_domain,
            latency_s_by_region={region_id: _latency_s(edge, region_id, to_origin) for region_id in to_origin},
        )
        for edge in edges
    ]
    origin = PathwayRecord(
        pathway_id=ORIGIN_ID, base_url=origin_url, region_id="", failure_domain=ORIGIN_ID, latency_s_by_region=to_origin
    )
    regions = [
        RegionRecord(region_id=region.region_id, name=region.name, time_zone=region.time_zone)
        for region in network.regions
    ]
    return Topology(regions=regions, pathways=[*pathways, origin])


def _latency_to_origin_s(network: Network, region_id: str) -> float:
    """Of the region's edge that is nearest to the origin; of the farthest edge anywhere for a region without one."""
    own = [edge.origin_latency_s for edge in network.edges_of(region_id)]
    return min(own) if own else max((edge.origin_latency_s for edge in network.edges), default=0.0)


def _latency_s(edge: Edge, region_id: str, to_origin: Mapping[str, float]) -> float:
    if edge.region_id == region_id:
        return edge.viewer_latency_s
    return round(edge.origin_latency_s + to_origin[region_id], 6)
