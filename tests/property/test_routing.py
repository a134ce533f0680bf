"""What holds for every network, however it is built and whatever is broken in it."""

from hypothesis import given
from hypothesis import strategies as st

from playback_api.routing import Candidate, Holding, Step, Viewing, rank_pathways, rendezvous_order

REGIONS = ("north", "south", "west")


@st.composite
def networks(draw):
    origin = Candidate(pathway_id="origin", base_url="http://o", region_id="", latency_s=draw(st.floats(0.001, 0.5)))
    edges = [
        Candidate(
            pathway_id=f"e-{number}",
            base_url=f"http://e-{number}",
            region_id=draw(st.sampled_from(REGIONS)),
            latency_s=draw(st.floats(0.001, 0.5)),
            upstream_latency_s=draw(st.floats(0.0, 0.5)),
            weight=draw(st.floats(0.1, 10.0)),
            healthy=draw(st.booleans()),
            load=draw(st.floats(0.0, 1.5)),
            holding=Holding(prefix=draw(st.booleans()), coverage=draw(st.floats(0.0, 1.0))),
        )
        for number in range(draw(st.integers(0, 8)))
    ]
    return [*edges, origin]


@st.composite
def viewings(draw):
    return Viewing(
        session_id=draw(st.text("abc123", min_size=1, max_size=8)),
        title_id=draw(st.text("xyz", min_size=1, max_size=5)),
        region_id=draw(st.sampled_from((*REGIONS, "elsewhere"))),
        popularity=draw(st.floats(0.0, 1.0)),
        current_pathway_id=draw(st.sampled_from((None, "e-0", "e-1", "origin", "unknown"))),
    )


@given(viewings(), networks())
def test_the_origin_is_always_in_the_list_once_and_nothing_is_invented_or_repeated(viewing, network):
    ids = [choice.candidate.pathway_id for choice in rank_pathways(viewing, network)]
    assert ids.count("origin") == 1
    assert len(ids) == len(set(ids))
    assert set(ids) <= {candidate.pathway_id for candidate in network}


@given(viewings(), networks())
def test_an_unhealthy_edge_is_never_routed_to(viewing, network):
    assert all(choice.candidate.healthy for choice in rank_pathways(viewing, network))


@given(viewings(), networks())
def test_a_healthy_edge_of_the_region_comes_before_all_that_is_outside(viewing, network):
    steps = [choice.step for choice in rank_pathways(viewing, network)]
    inside = {Step.PLACED, Step.HASHED, Step.REGION}
    local = [c for c in network if c.region_id == viewing.region_id and c.healthy]
    assert all(step in inside for step in steps[: len(local)])
    assert not any(step in inside for step in steps[len(local) :])


@given(viewings(), networks(), st.randoms(use_true_random=False))
def test_the_result_is_stable_under_permutation(viewing, network, random):
    shuffled = list(network)
    random.shuffle(shuffled)
    assert rank_pathways(viewing, shuffled) == rank_pathways(viewing, network)


@given(viewings(), networks())
def test_at_most_one_foreign_edge_is_offered(viewing, network):
    steps = [choice.step for choice in rank_pathways(viewing, network)]
    assert steps.count(Step.NEIGHBOUR) <= 1


@given(st.integers(1, 8))
def test_a_new_edge_takes_about_one_share_of_the_titles_and_moves_no_other(count):
    before = {f"edge-{number}": 1.0 for number in range(count)}
    after = before | {"newcomer": 1.0}
    titles = [f"title-{number}" for number in range(600)]
    moved = 0
    for title in titles:
        old, new = rendezvous_order(title, before)[0], rendezvous_order(title, after)[0]
        if old != new:
            assert new == "newcomer"
            moved += 1
    share = 1 / (count + 1)
    assert abs(moved / len(titles) - share) < 4 * (share * (1 - share) / len(titles)) ** 0.5 + 0.01
