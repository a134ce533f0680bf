import asyncio

import pytest

from playback_api.edge import LoadMeter


class World:
    """An edge whose requests last as long as the test wants."""

    def __init__(self, **capacity):
        self.now_s = 1000.0
        self.sent_bytes = 0
        self.meter = LoadMeter(lambda: self.sent_bytes, lambda: self.now_s, **{"max_in_flight": 10, **capacity})
        self._application = self.meter.measured(self._serve)

    async def _serve(self, scope, receive, send):
        await scope["gate"].wait()
        if scope.get("fails"):
            raise OSError("the client is gone")

    async def request(self, duration_s, *, count=1, fails=False):
        gate = asyncio.Event()
        running = [
            asyncio.create_task(self._application({"gate": gate, "fails": fails}, None, None)) for _ in range(count)
        ]
        await asyncio.sleep(0)
        self.now_s += duration_s
        gate.set()
        await asyncio.gather(*running, return_exceptions=True)


async def test_the_load_is_the_mean_number_of_requests_in_flight():
    world = World()
    assert world.meter.load == 0.0
    await world.request(10.0, count=5)
    assert world.meter.load == pytest.approx(0.5)
    world.now_s += 5.0
    assert world.meter.load == pytest.approx(0.25)
    world.now_s += 5.0
    assert world.meter.load == 0.0


async def test_many_short_requests_count_as_the_time_they_took():
    world = World()
    for _ in range(100):
        await world.request(0.02, count=8)
        world.now_s += 0.08
    assert world.meter.load == pytest.approx(0.16, abs=0.02)


async def test_a_pause_does_not_thin_out_what_comes_after_it():
    world = World()
    await world.request(1.0)
    world.now_s += 3600.0
    assert world.meter.load == 0.0
    world.now_s += 3600.0
    await world.request(5.0, count=10)
    assert world.meter.load == pytest.approx(0.5)


async def test_one_long_request_is_one_in_flight():
    world = World()
    await world.request(600.0)
    assert world.meter.load == pytest.approx(0.1)


async def test_a_request_that_fails_is_in_flight_no_longer():
    world = World()
    await world.request(1.0, count=10, fails=True)
    world.now_s += 20.0
    assert world.meter.load == 0.0


async def test_bytes_count_against_the_link_and_the_larger_share_wins():
    world = World(viewer_rate_bps=8000.0)
    await world.request(4.0)
    world.sent_bytes += 6000
    await world.request(6.0)
    assert world.meter.load == pytest.approx(0.6)
    await world.request(10.0, count=9)
    assert world.meter.load == pytest.approx(0.9)


async def test_an_edge_cannot_be_more_than_full():
    world = World(viewer_rate_bps=8.0)
    world.sent_bytes += 10**9
    world.now_s += 1.0
    assert world.meter.load == 1.0
