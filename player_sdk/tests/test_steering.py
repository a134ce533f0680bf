import asyncio

import httpx
import pytest
from player_sdk.testing import FakeOrigin, FakeTitle, fake_player

from player_sdk import PathwayLink, PathwaySwitched, PlaybackSettings

LONG = FakeTitle(duration_s=120.0)


def play(origin, steer=None, **player):
    """Play; ``steer(clock_s)`` may change the order while it does. Returns switches with their times, and the polls."""

    async def run():
        switches = []
        async with fake_player(origin, **player) as one:
            session = await one.play("film")
            async for event in session.events():
                if steer is not None:
                    steer(one.clock.now())
                if isinstance(event, PathwaySwitched):
                    switches.append((event.new_id, event.reason))
            assert session.report.end_reason == "completed"
            return switches

    switches = asyncio.run(run())
    polls = [request for request in origin.requests if request.url.path.startswith("/v1/steering/")]
    return switches, polls


def test_the_server_moves_a_session_and_is_asked_by_ttl():
    origin = FakeOrigin([LONG])
    origin.steering = ["nowhere", "origin", "edge-1"]
    switches, polls = play(origin)
    assert switches == [("origin", "steering")]
    assert 9 <= len(polls) <= 10  # from 30 s on, every 10 s, until 120 s
    assert polls[0].url.params["_HLS_pathway"] == "edge-1"
    assert polls[1].url.params["_HLS_pathway"] == "origin"
    assert int(polls[0].url.params["_HLS_throughput"]) > 1_000_000
    assert polls[0].url.params["token"] == "token"


def test_dash_asks_by_its_own_names():
    origin = FakeOrigin([LONG])
    _, polls = play(origin, settings=PlaybackSettings(protocol="dash"))
    assert polls[0].url.params["_DASH_pathway"] == "edge-1"


def test_410_ends_the_questions():
    origin = FakeOrigin([LONG])
    origin.steering = 410
    assert len(play(origin)[1]) == 1


def test_429_waits_as_long_as_the_server_says():
    origin = FakeOrigin([LONG])
    origin.steering = 429
    assert 4 <= len(play(origin)[1]) <= 5  # every 20 s from 30 s on


@pytest.mark.parametrize(
    "answer", [httpx.Response(500), httpx.Response(200, content=b"no json"), httpx.Response(200, json={"VERSION": 2})]
)
def test_a_server_that_makes_no_sense_changes_nothing(answer):
    origin = FakeOrigin([LONG], fault=lambda request: answer if "steering" in request.url.path else None)
    switches, polls = play(origin)
    assert switches == []
    assert len(polls) == 1


def test_steering_does_not_send_a_player_back_to_a_pathway_that_has_just_failed():
    origin = FakeOrigin([LONG])
    down = {"edge-1.test": PathwayLink(outages=((0.0, 1e6),), connect_timeout_s=1.0)}
    switches, _ = play(origin, pathways=down)
    assert switches[0] == ("origin", "failure")
    assert switches.count(("edge-1", "steering")) <= 2, "at most once for each time its penalty of 60 s runs out"


def test_reload_uri_is_asked_next():
    asked = []

    def fault(request):
        if "steering" not in request.url.path:
            return None
        asked.append(request.url.path)
        return httpx.Response(
            200, json={"VERSION": 1, "TTL": 20, "RELOAD-URI": "other", "PATHWAY-PRIORITY": ["edge-1"]}
        )

    play(FakeOrigin([LONG], fault=fault))
    assert asked[:2] == ["/v1/steering/session-1", "/v1/steering/other"]
