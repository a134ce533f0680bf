import asyncio
import datetime as dt

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from player_sdk.background import BACKGROUND_EXTENSION
from player_sdk.transports import SharedTransport

from player_sdk import EmulatedTransport, Link, PathwayLink, VirtualClock

START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def test_a_virtual_clock_moves_only_when_somebody_sleeps():
    clock = VirtualClock(START)
    asyncio.run(clock.sleep(3600.0))
    assert clock.now() == 3600.0
    assert clock.utc_now() == START + dt.timedelta(hours=1)
    with pytest.raises(ValueError, match="back"):
        clock.advance(-1.0)
    with pytest.raises(ValueError, match="aware"):
        VirtualClock(dt.datetime(2026, 1, 1))


def test_transfers_follow_the_trace_and_its_repetition():
    link = Link([(10.0, 8e6), (10.0, 0.8e6)])  # 10 MB, then 1 MB
    assert link.transfer_end_s(0.0, 5e6) == pytest.approx(5.0)
    assert link.transfer_end_s(0.0, 10.5e6) == pytest.approx(15.0)
    assert link.transfer_end_s(0.0, 12e6) == pytest.approx(21.0)
    assert link.transfer_end_s(0.0, 2e6, rate_cap_bps=4e6) == pytest.approx(4.0)
    assert Link([(10.0, 8e6), (10.0, 0.8e6)], offset_s=10.0).transfer_end_s(0.0, 1e6) == pytest.approx(10.0)


@given(
    trace=st.lists(st.tuples(st.floats(0.1, 30), st.floats(0, 5e7)), min_size=1, max_size=8),
    start_s=st.floats(0, 500),
    size=st.integers(0, 10**7),
)
def test_bytes_sent_until_the_end_of_a_transfer_are_the_bytes_asked_for(trace, start_s, size):
    link = Link(trace)
    end_s = link.transfer_end_s(start_s, size)
    assert end_s >= start_s - 1e-6
    assert link.transferred_bytes(start_s, end_s) == pytest.approx(size, rel=1e-3, abs=200)


@pytest.mark.parametrize("trace", [[], [(0.0, 1e6)], [(-1.0, 1e6)]])
def test_a_trace_without_time_is_refused(trace):
    with pytest.raises(ValueError, match="trace"):
        Link(trace)


def emulated(handler, **kwargs):
    clock = VirtualClock(START)
    transport = EmulatedTransport(httpx.MockTransport(handler), clock=clock, **kwargs)
    return clock, httpx.AsyncClient(transport=transport)


def test_a_request_costs_latency_upstream_and_bytes_over_the_rate():
    def handler(request):
        return httpx.Response(200, content=bytes(1_000_000), headers={"Server-Timing": "cache;dur=9, upstream;dur=250"})

    async def run():
        clock, http = emulated(
            handler,
            link=Link.constant(8e6, latency_s=0.1),
            pathways={"edge:81": PathwayLink(latency_s=0.05, rate_bps=4e6)},
        )
        pieces = []
        async with http.stream("GET", "http://edge:81/x") as response:
            head_s = clock.now()
            async for piece in response.aiter_raw():
                pieces.append((len(piece), round(clock.now() - head_s, 6)))
        return head_s, clock.now(), pieces

    head_s, end_s, pieces = asyncio.run(run())
    assert head_s == pytest.approx(0.1 + 0.05 + 0.25)
    assert end_s == pytest.approx(0.4 + 2.0)
    assert sum(size for size, _ in pieces) == 1_000_000
    assert pieces[0] == (125_000, 0.25)


def test_api_calls_cost_their_own_latency_and_background_requests_nothing():
    async def run():
        clock, http = emulated(
            lambda request: httpx.Response(200, content=bytes(10**6)),
            link=Link.constant(1e6, latency_s=1.0),
            free_hosts={"api"},
            free_latency_s=0.02,
        )
        await http.get("http://api/x")
        api_s = clock.now()
        await http.post("http://elsewhere/x", extensions={BACKGROUND_EXTENSION: True})
        return api_s, clock.now()

    assert asyncio.run(run()) == (0.02, 0.02)


def test_an_outage_times_out_in_virtual_time_without_reaching_the_server():
    asked = []

    async def run():
        clock, http = emulated(
            lambda request: asked.append(request) or httpx.Response(200),
            link=Link.constant(1e6),
            pathways={"edge": PathwayLink(outages=((0.0, 3.0),), connect_timeout_s=4.0)},
        )
        with pytest.raises(httpx.ConnectTimeout):
            await http.get("http://edge/x")
        assert (clock.now(), asked) == (4.0, [])
        await http.get("http://edge/x")

    asyncio.run(run())
    assert len(asked) == 1


def test_real_time_outs_do_not_reach_into_virtual_time():
    seen = {}

    async def run():
        _, http = emulated(
            lambda request: seen.update(request.extensions) or httpx.Response(200), link=Link.constant(1e6)
        )
        await http.get("http://edge/x", timeout=0.001)

    asyncio.run(run())
    assert seen["timeout"]["read"] >= 60


def test_a_lent_transport_stays_open():
    class Closing(httpx.MockTransport):
        closed = False

        async def aclose(self):
            self.closed = True

    async def run():
        inner = Closing(lambda request: httpx.Response(200))
        async with httpx.AsyncClient(transport=SharedTransport(inner)) as http:
            await http.get("http://x/")
        return inner.closed

    assert asyncio.run(run()) is False
