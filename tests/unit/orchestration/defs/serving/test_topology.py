from orchestration.defs.serving.topology import make_topology
from orchestration.edge.topology import read_network

URLS = {"eu-north-1": "http://e1", "sa-east-1": "http://s1"}


def make():
    return make_topology(read_network(), edge_urls=URLS, origin_url="http://origin")


def test_edges_without_an_address_are_left_out_and_the_origin_stands_in_no_region():
    topology = make()
    assert [pathway.pathway_id for pathway in topology.pathways] == ["eu-north-1", "sa-east-1", "origin"]
    assert topology.pathways[-1].region_id == ""
    assert {region.region_id for region in topology.regions} == {"eu-north", "sa-east", "ap-south"}


def test_the_own_region_is_nearer_than_the_origin_and_the_origin_nearer_than_another_region():
    edges = {pathway.pathway_id: pathway.latency_s_by_region for pathway in make().pathways}
    assert edges["sa-east-1"]["sa-east"] < edges["origin"]["sa-east"] < edges["eu-north-1"]["sa-east"]
    assert edges["origin"]["sa-east"] == 0.19


def test_weight_follows_the_capacity_towards_viewers():
    weights = {pathway.pathway_id: pathway.weight for pathway in make().pathways}
    assert weights["eu-north-1"] == 2 * weights["sa-east-1"]
