from collections.abc import Callable

import pytest

from orchestration.edge.topology import read_network
from orchestration.sample.wave import PlayedSession, ServingAddresses, outcome_of, pathway_links

ADDRESSES = ServingAddresses(
    control_url="http://127.0.0.1:1",
    collector_url="http://127.0.0.1:2",
    origin_url="http://127.0.0.1:3",
    edge_urls={
        "eu-north-1": "http://127.0.0.1:11",
        "eu-north-2": "http://127.0.0.1:12",
        "sa-east-1": "http://127.0.0.1:13",
        "ap-south-1": "http://127.0.0.1:14",
    },
)


def test_the_own_edge_is_near_and_everything_else_lies_behind_the_core() -> None:
    network = read_network()
    links = pathway_links(network, "eu-north", ADDRESSES)
    own, origin, far = links["127.0.0.1:11"], links["127.0.0.1:3"], links["127.0.0.1:14"]
    assert own.latency_s == pytest.approx(2 * 0.008)
    assert own.latency_s < origin.latency_s < far.latency_s
    assert len(links) == len(network.edges) + 1


def test_an_outcome_sums_bytes_and_seconds_before_it_divides(played: Callable[..., PlayedSession]) -> None:
    outcome = outcome_of(
        [
            played(startup_s=1.0, size_bytes_placed=100, first_segment_local=True),
            played(startup_s=3.0, size_bytes=300, size_bytes_cached=100, rebuffer_s=10.0),
            played(error="no API"),
        ]
    )
    assert outcome.sessions == 3
    assert outcome.failed == 1
    assert outcome.startup_s_mean == pytest.approx(2.0)
    assert outcome.edge_hit_ratio == pytest.approx(0.5)
    assert outcome.local_start_ratio == pytest.approx(0.5)
    assert outcome.rebuffer_ratio == pytest.approx(10 / 30)


def test_a_wave_without_a_report_has_an_outcome(played: Callable[..., PlayedSession]) -> None:
    outcome = outcome_of([played(error="no API")])
    assert (outcome.failed, outcome.edge_hit_ratio, outcome.startup_s_mean) == (1, 0.0, 0.0)
