import httpx
import pytest

from playback_api.domain.counters import Counters
from playback_api.domain.steering.fleet import EdgeFleet
from playback_api.snapshot import PathwayRecord
from playback_api.snapshot.testing import make_topology


class Edge:
    def __init__(self):
        self.generation = 1
        self.edge_id = None
        self.failure = None
        self.asked = []

    async def __call__(self, request):
        self.asked.append(request.url.path)
        if self.failure is not None:
            if isinstance(self.failure, httpx.Response):
                return self.failure
            raise self.failure
        if request.url.path == "/edge/stats":
            return httpx.Response(200, json={"load": 0.4})
        if request.url.params.get("since") == str(self.generation):
            return httpx.Response(304)
        name = self.edge_id or request.url.host.removesuffix(".test")
        return httpx.Response(200, json={"edge_id": name, "generation": self.generation, "plan_id": None, "new": 1})


@pytest.fixture
def edge():
    return Edge()


@pytest.fixture
def now():
    return [0.0]


@pytest.fixture
async def fleet(edge, now):
    client = httpx.AsyncClient(transport=httpx.MockTransport(edge))
    made = EdgeFleet(client, Counters(), poll_interval_s=2.0, clock=lambda: now[0])
    made.follow([pathway for pathway in make_topology().pathways if pathway.pathway_id in {"north-1", "origin"}])
    yield made
    await client.aclose()


def view(fleet):
    return fleet.views["north-1"]


async def test_the_origin_is_not_asked_and_an_edge_is_unknown_until_it_answers(fleet):
    assert set(fleet.views) == {"north-1"}
    assert not fleet.is_healthy(view(fleet))
    await fleet.poll()
    assert fleet.is_healthy(view(fleet))
    assert view(fleet).load == 0.4


async def test_an_unchanged_inventory_is_confirmed_without_being_sent(fleet, edge, now):
    await fleet.poll()
    first = view(fleet).inventory
    now[0] = 9.0
    await fleet.poll()
    assert view(fleet).inventory is first
    assert view(fleet).confirmed_at_s == 9.0
    edge.generation = 2
    await fleet.poll()
    assert view(fleet).inventory.generation == 2


async def test_an_old_answer_is_not_trusted(fleet, now):
    await fleet.poll()
    now[0] = 10.1
    assert not fleet.is_healthy(view(fleet))


@pytest.mark.parametrize(
    "failure",
    [
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("slow"),
        httpx.Response(500),
        httpx.Response(200, content=b"not json"),
        httpx.Response(200, content=b'{"edge_id": "\xff"}'),
        httpx.Response(200, json={"generation": "many"}),
        httpx.Response(304),
    ],
)
async def test_failures_of_every_kind_trip_the_breaker_and_are_told(fleet, edge, failure):
    edge.failure = failure
    await fleet.poll()
    await fleet.poll()
    assert view(fleet).problem
    assert view(fleet).breaker.state == "open"
    asked = len(edge.asked)
    await fleet.poll()
    assert len(edge.asked) == asked


async def test_an_edge_that_is_back_is_found_by_a_probe(fleet, edge, now):
    await fleet.poll()
    edge.failure = httpx.ConnectError("refused")
    await fleet.poll()
    await fleet.poll()
    assert not fleet.is_healthy(view(fleet))
    edge.failure = None
    now[0] = 5.0
    await fleet.poll()
    assert fleet.is_healthy(view(fleet))
    assert view(fleet).problem == ""


async def test_one_failed_poll_takes_nobody_out(fleet, edge):
    await fleet.poll()
    edge.failure = httpx.ConnectError("refused")
    await fleet.poll()
    assert fleet.is_healthy(view(fleet))


async def test_somebody_else_at_an_edges_address_is_not_that_edge(fleet, edge):
    edge.edge_id = "north-2"
    await fleet.poll()
    assert not fleet.is_healthy(view(fleet))
    assert "north-2" in view(fleet).problem


async def test_a_new_topology_keeps_what_is_known_of_an_unmoved_edge_and_forgets_a_moved_one(fleet):
    await fleet.poll()
    known = view(fleet).pathway
    fleet.follow([known])
    assert fleet.is_healthy(view(fleet))
    moved = PathwayRecord(pathway_id="north-1", base_url="http://elsewhere.test", region_id="north")
    fleet.follow([moved])
    assert not fleet.is_healthy(view(fleet))
    fleet.follow([])
    assert fleet.views == {}


async def test_who_asks_for_every_edge_is_not_kept_off_by_a_breaker(fleet, edge):
    edge.failure = httpx.ConnectError("refused")
    await fleet.poll()
    await fleet.poll()
    assert view(fleet).breaker.state == "open"
    edge.failure = None
    await fleet.poll(every_edge=True)
    assert fleet.is_healthy(view(fleet))
