import zoneinfo
from pathlib import Path

import pytest

from orchestration.edge.topology import read_network


def test_the_seeds_make_a_network_that_holds_together() -> None:
    network = read_network()
    assert len(network.regions) >= 3
    assert len(network.edges) >= 4
    regions = {region.region_id for region in network.regions}
    for region in network.regions:
        zoneinfo.ZoneInfo(region.time_zone)
        assert network.edges_of(region.region_id)
    for edge in network.edges:
        assert edge.region_id in regions
        assert 0 < edge.capacity_share <= 1
        assert 0 <= edge.pull_reserve_share < 1
        assert edge.origin_latency_s > edge.viewer_latency_s
    ports = [edge.port for edge in network.edges]
    assert len(set(ports)) == len(ports)


def test_units_are_seconds_and_bits(tmp_path: Path) -> None:
    (tmp_path / "regions.csv").write_text(
        "region_id,name,country,time_zone,network_profile,fill_start_hour,fill_end_hour\nx,X,XX,UTC,fast,2,6\n"
    )
    (tmp_path / "edges.csv").write_text(
        "edge_id,region_id,failure_domain,port,capacity_share,pull_reserve_share,"
        "viewer_latency_ms,viewer_rate_mbps,origin_latency_ms,origin_rate_mbps,upstream_gb_a_day\n"
        "x-1,x,x-a,1,0.5,0.1,8,400,45,200,1.5\n"
        "x-2,x,x-b,2,0.5,0.1,8,400,45,200,\n"
    )
    network = read_network(tmp_path)
    assert network.edges[0].viewer_latency_s == pytest.approx(0.008)
    assert network.edges[0].origin_rate_bps == pytest.approx(200e6)
    assert [edge.upstream_bytes_a_day for edge in network.edges] == [1.5e9, float("inf")]
    with pytest.raises(KeyError, match="no region 'y'"):
        network.region("y")
