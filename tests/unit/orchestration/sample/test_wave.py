import datetime as dt

import pytest

from orchestration.edge.topology import read_network
from orchestration.sample.viewers import PlannedSession
from orchestration.sample.wave import PlayedSession, ServingAddresses, outcome_of, pathway_links
from player_sdk import SessionReport

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


def _planned() -> PlannedSession:
    return PlannedSession(
        viewer_id="v-1",
        region_id="eu-north",
        device="mobile",
        network_class="fast",
        title_id="t",
        watch_s=10.0,
        trace_id="fast-0",
        starts_at=dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
    )


def _played(
    *,
    startup_s: float | None = 1.0,
    size: int = 100,
    placed: int = 0,
    cached: int = 0,
    local: bool | None = False,
    rebuffer_s: float = 0.0,
) -> PlayedSession:
    report = SessionReport(
        session_id="s",
        title_id="t",
        startup_s=startup_s,
        played_s=10.0,
        rebuffer_s=rebuffer_s,
        rebuffer_ratio=0.0,
        mean_bitrate_bps=1e6,
        switches=0,
        stalls=0,
        size_bytes=size,
        size_bytes_placed=placed,
        size_bytes_cached=cached,
        first_segment_local=local,
        pathways=["eu-north-1"],
        end_reason="completed",
        errors=[],
    )
    return PlayedSession(planned=_planned(), report=report)


def test_the_own_edge_is_near_and_everything_else_lies_behind_the_core() -> None:
    network = read_network()
    links = pathway_links(network, "eu-north", ADDRESSES)
    own, origin, far = links["127.0.0.1:11"], links["127.0.0.1:3"], links["127.0.0.1:14"]
    assert own.latency_s == pytest.approx(2 * 0.008)
    assert own.latency_s < origin.latency_s < far.latency_s
    assert len(links) == len(network.edges) + 1


def test_an_outcome_sums_bytes_and_seconds_before_it_divides() -> None:
    outcome = outcome_of(
        [
            _played(startup_s=1.0, size=100, placed=100, local=True),
            _played(startup_s=3.0, size=300, cached=100, local=False, rebuffer_s=10.0),
            PlayedSession(planned=_planned(), report=None, error="no API"),
        ]
    )
    assert outcome.sessions == 3
    assert outcome.failed == 1
    assert outcome.startup_s_mean == pytest.approx(2.0)
    assert outcome.edge_hit_ratio == pytest.approx(0.5)
    assert outcome.local_start_ratio == pytest.approx(0.5)
    assert outcome.rebuffer_ratio == pytest.approx(10 / 30)


def test_a_wave_without_a_report_has_an_outcome() -> None:
    outcome = outcome_of([PlayedSession(planned=_planned(), report=None, error="no API")])
    assert (outcome.failed, outcome.edge_hit_ratio, outcome.startup_s_mean) == (1, 0.0, 0.0)
