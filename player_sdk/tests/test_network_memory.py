"""What one player measured helps the next one, also after a restart."""

import asyncio
import datetime as dt

import msgspec
import pytest
from player_sdk.testing import START_UTC, FakeOrigin, fake_player

from player_sdk import Link, NetworkMemory, Started, VirtualClock


def play(memory, origin=None, *, rate_bps=10e6, at=START_UTC):
    """A player that plays one title by its URL and one by the API, and closes; the rung at which each starts."""
    origin = origin or FakeOrigin()

    async def run():
        clock, link = VirtualClock(at), Link.constant(rate_bps)
        async with fake_player(origin, clock=clock, link=link, memory=memory) as player:
            first = player.open_url("http://edge-1.test/media/film/p/1/master.m3u8")
            started = [event.rung async for event in first.events(9.0) if isinstance(event, Started)]
            await (await player.play("film")).watch(5.0)
            return started[0]

    return asyncio.run(run())


def test_the_next_player_starts_where_the_network_allows(tmp_path):
    memory = NetworkMemory(tmp_path / "state" / "networks.json", network="home")
    assert play(memory) == "240p", "nobody knows yet"
    assert memory.recall(START_UTC) == pytest.approx(10e6, rel=0.1)
    assert play(memory) == "1080p"
    other = NetworkMemory(tmp_path / "state" / "networks.json", network="train")
    assert play(other, rate_bps=1e6) == "240p"
    assert memory.recall(START_UTC) == pytest.approx(10e6, rel=0.1), "each network by itself"
    assert other.recall(START_UTC) == pytest.approx(1e6, rel=0.1)


def test_the_api_is_told_what_is_remembered(tmp_path):
    memory, origin = NetworkMemory(tmp_path / "networks.json", network="home"), FakeOrigin()
    memory.remember(3e6, START_UTC)

    async def run():
        async with fake_player(origin, memory=memory) as player:
            await player.play("film")

    asyncio.run(run())
    (asked,) = [one for one in origin.requests if one.url.path == "/v1/playback/sessions"]
    assert msgspec.json.decode(asked.content)["throughput_bps"] == 3e6


def test_measurements_are_mixed_and_forgotten(tmp_path):
    memory = NetworkMemory(tmp_path / "networks.json", network="home")
    memory.remember(1e6, START_UTC)
    memory.remember(4e6, START_UTC + dt.timedelta(days=5))
    assert memory.recall(START_UTC + dt.timedelta(days=11)) == pytest.approx(2e6)
    assert memory.recall(START_UTC + dt.timedelta(days=13)) is None


def test_a_file_that_makes_no_sense_is_begun_anew(tmp_path):
    path = tmp_path / "networks.json"
    path.write_bytes(b"\xff{")
    memory = NetworkMemory(path, network="home")
    assert memory.recall(START_UTC) is None
    memory.remember(1e6, START_UTC)
    assert memory.recall(START_UTC) == 1e6
    NetworkMemory(tmp_path / "networks.json" / "below", network="home").remember(1e6, START_UTC)  # logged, not raised
