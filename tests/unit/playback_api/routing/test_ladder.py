import dataclasses

import pytest

from playback_api.routing import (
    Candidate,
    Holding,
    RoutingError,
    RoutingPolicy,
    Step,
    Viewing,
    expected_cost_s,
    rank_pathways,
    rendezvous_order,
    spill_share_of,
)

HELD = Holding(prefix=True, coverage=1.0)
ORIGIN = Candidate(pathway_id="origin", base_url="http://o", region_id="", latency_s=0.2)
ALWAYS_SPILL = RoutingPolicy(spill_share=1.0)
NEVER_SPILL = RoutingPolicy(spill_share=0.0)


def edge(edge_id, region_id="north", latency_s=0.01, **changes):
    return Candidate(
        pathway_id=edge_id, base_url=f"http://{edge_id}", region_id=region_id, latency_s=latency_s,
        upstream_latency_s=0.1, **changes,
    )  # fmt: skip


def viewing(session_id="session-1", **changes):
    return Viewing(session_id=session_id, title_id="t-1", region_id="north", **changes)


def ids(choices):
    return [choice.candidate.pathway_id for choice in choices]


def test_the_edge_that_holds_the_title_comes_first_whoever_owns_it_by_hash():
    for holder in ("n-1", "n-2"):
        edges = [edge(name, holding=HELD if name == holder else Holding()) for name in ("n-1", "n-2")]
        choices = rank_pathways(viewing(), [*edges, ORIGIN], NEVER_SPILL)
        assert ids(choices)[0] == holder
        assert choices[0].step is Step.PLACED


def test_a_title_that_is_nowhere_goes_to_its_owner_then_the_region_then_the_origin():
    choices = rank_pathways(viewing(), [edge("n-1"), edge("n-2"), ORIGIN], NEVER_SPILL)
    assert ids(choices)[:2] == rendezvous_order("t-1", {"n-1": 1.0, "n-2": 1.0})
    assert [choice.step for choice in choices] == [Step.HASHED, Step.REGION, Step.ORIGIN]


def test_all_sessions_of_a_cold_title_share_its_owner_and_a_hot_one_uses_two_edges():
    edges = [edge("n-1"), edge("n-2"), edge("n-3"), ORIGIN]
    cold = {ids(rank_pathways(viewing(f"s-{n}"), edges))[0] for n in range(50)}
    hot = {ids(rank_pathways(viewing(f"s-{n}", popularity=1.0), edges))[0] for n in range(50)}
    assert len(cold) == 1
    assert len(hot) == 2


def test_sessions_are_spread_over_placed_edges_of_equal_cost():
    edges = [edge("n-1", holding=HELD), edge("n-2", latency_s=0.011, holding=HELD), ORIGIN]
    firsts = [ids(rank_pathways(viewing(f"s-{n}"), edges))[0] for n in range(200)]
    assert 60 < firsts.count("n-1") < 140


def test_a_much_cheaper_placed_edge_wins_for_everybody():
    edges = [edge("n-1", holding=HELD), edge("n-2", latency_s=0.2, holding=HELD), ORIGIN]
    assert {ids(rank_pathways(viewing(f"s-{n}"), edges))[0] for n in range(50)} == {"n-1"}


def test_an_overloaded_edge_is_passed_over_but_kept_as_a_fallback():
    edges = [edge("n-1", holding=HELD, load=0.95), edge("n-2", holding=HELD), ORIGIN]
    assert ids(rank_pathways(viewing(), edges, NEVER_SPILL)) == ["n-2", "n-1", "origin"]


def test_edges_that_are_not_healthy_are_left_out():
    edges = [edge("n-1", healthy=False, holding=HELD), edge("n-2"), ORIGIN]
    assert "n-1" not in ids(rank_pathways(viewing(), edges, ALWAYS_SPILL))


def test_the_nearest_neighbour_comes_between_the_region_and_the_origin():
    edges = [edge("n-1"), edge("s-1", "south", 0.22), edge("w-1", "west", 0.21), ORIGIN]
    assert ids(rank_pathways(viewing(), edges, ALWAYS_SPILL)) == ["n-1", "w-1", "origin"]


@pytest.mark.parametrize("changes", [{"load": 0.8}, {"latency_s": 0.5}, {"healthy": False}])
def test_a_busy_a_far_and_a_broken_neighbour_take_nobody(changes):
    neighbour = dataclasses.replace(edge("s-1", "south", 0.21), **changes)
    assert ids(rank_pathways(viewing(), [edge("n-1"), edge("n-2"), neighbour, ORIGIN], ALWAYS_SPILL))[2:] == ["origin"]


def test_a_region_that_is_down_sends_only_a_share_to_its_neighbour_and_nobody_when_half_the_network_is_down():
    network = [edge("n-1", healthy=False), *(edge(f"s-{n}", "south", 0.21) for n in range(9)), ORIGIN]
    firsts = [rank_pathways(viewing(f"v-{n}"), network)[0].step for n in range(1000)]
    assert 120 < firsts.count(Step.NEIGHBOUR) < 280
    assert set(firsts) == {Step.NEIGHBOUR, Step.ORIGIN}

    half_down = [dataclasses.replace(c, healthy=False) if c.pathway_id in {"s-0", "s-1", "s-2", "s-3"} else c
                 for c in network]  # fmt: skip
    assert {rank_pathways(viewing(f"v-{n}"), half_down)[0].step for n in range(300)} == {Step.ORIGIN}
    assert spill_share_of([c for c in half_down if not c.is_origin]) == 0.0


def test_a_running_session_stays_where_it_is_unless_a_better_step_appeared():
    plain = [edge("n-1"), edge("n-2"), ORIGIN]
    for current in ("n-1", "n-2"):
        assert ids(rank_pathways(viewing(current_pathway_id=current), plain))[0] == current
    holding = [edge("n-1", holding=HELD), edge("n-2"), ORIGIN]
    assert ids(rank_pathways(viewing(current_pathway_id="n-2"), holding))[0] == "n-1"
    assert ids(rank_pathways(viewing(current_pathway_id="gone"), plain))[0] in {"n-1", "n-2"}


def test_a_session_does_not_stay_on_an_overloaded_edge():
    edges = [edge("n-1", load=0.95), edge("n-2"), ORIGIN]
    assert ids(rank_pathways(viewing(current_pathway_id="n-1"), edges))[0] == "n-2"


@pytest.mark.parametrize("candidates", [[edge("n-1")], [ORIGIN, dataclasses.replace(ORIGIN, pathway_id="o-2")]])
def test_a_topology_without_exactly_one_origin_is_refused(candidates):
    with pytest.raises(RoutingError, match="origin"):
        rank_pathways(viewing(), candidates)


def test_cost_grows_with_distance_load_and_what_is_missing():
    base = edge("n-1", holding=HELD)
    assert expected_cost_s(edge("n-1", latency_s=0.05, holding=HELD)) > expected_cost_s(base)
    assert expected_cost_s(edge("n-1", load=0.8, holding=HELD)) > expected_cost_s(base)
    assert expected_cost_s(edge("n-1")) > expected_cost_s(base)
