"""The loader against servers that break off, lie and ignore ranges."""

import asyncio
import datetime as dt
import random
import re

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from player_sdk.loader import PathwayLoader
from player_sdk.playlist.model import ByteRange

from player_sdk import DeliveryError, Pathway, RetrySettings, VirtualClock

FILM = bytes(range(256)) * 40


class Breaking(httpx.AsyncByteStream):
    """A body that breaks off after some bytes."""

    def __init__(self, body, breaks_after):
        self.body, self.breaks_after = body, breaks_after

    async def __aiter__(self):
        for at in range(0, min(len(self.body), self.breaks_after), 100):
            yield self.body[at : min(at + 100, self.breaks_after)]
        if self.breaks_after < len(self.body):
            raise httpx.ReadError("the connection broke")


class Servers(httpx.AsyncBaseTransport):
    """By host: after how many bytes each of its answers breaks off, and what is peculiar about it."""

    def __init__(self, breaks, *, ranges=True, bodies=None):
        self.breaks = {host: list(after) for host, after in breaks.items()}
        self.ranges, self.bodies = ranges, bodies or {}
        self.requests = []

    async def handle_async_request(self, request):
        host = request.url.host
        self.requests.append(request)
        body, status, headers = self.bodies.get(host, FILM), 200, {}
        total = len(body)
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("range", ""))
        if wanted and self.ranges:
            first = int(wanted[1])
            body = body[first : int(wanted[2]) + 1 if wanted[2] else None]
            status, headers = 206, {"Content-Range": f"bytes {first}-{first + len(body) - 1}/{total}"}
        after = self.breaks[host].pop(0) if self.breaks.get(host) else 10**9
        return httpx.Response(
            status, headers={**headers, "Content-Length": str(len(body))}, stream=Breaking(body, after)
        )


class Listener:
    def __init__(self):
        self.delivered_bytes, self.failures, self.switches = {}, [], []

    def still_wanted(self):
        return True

    def request_failed(self, pathway_id, code, message):
        self.failures.append((pathway_id, code))

    def pathway_switched(self, old_id, new_id, reason):
        self.switches.append((new_id, reason))

    def delivered(self, resource):
        self.delivered_bytes[resource.pathway_id] = (
            self.delivered_bytes.get(resource.pathway_id, 0) + resource.size_bytes
        )


def fetch(servers, *, path="film.mp4", byte_range=None, watcher=None, settings=RetrySettings(), hosts=("a", "b")):  # noqa: B008
    listener = Listener()

    async def run():
        async with httpx.AsyncClient(transport=servers) as http:
            loader = PathwayLoader(
                http=http,
                pathways=[Pathway(pathway_id=host, base_url=f"http://{host}/") for host in hosts],
                clock=VirtualClock(dt.datetime(2026, 1, 1, tzinfo=dt.UTC)),
                rng=random.Random(1),
                listener=listener,
                settings=settings,
            )
            return await loader.fetch(path, byte_range=byte_range, watcher=watcher)

    return asyncio.run(run()), listener


def ranges(servers):
    return [(request.url.host, request.headers.get("range")) for request in servers.requests]


def test_a_download_that_breaks_off_goes_on_at_the_next_pathway():
    servers = Servers({"a": [3000]})
    resource, listener = fetch(servers)
    assert resource.content == FILM
    assert ranges(servers) == [("a", None), ("b", "bytes=3000-")]
    assert listener.delivered_bytes == {"a": 3000, "b": len(FILM) - 3000}
    assert resource.size_bytes == len(FILM), "not a byte twice"
    assert (listener.failures, listener.switches) == ([("a", "network")], [("b", "failure")])


def test_the_same_within_a_range():
    servers = Servers({"a": [300]})
    resource, _ = fetch(servers, byte_range=ByteRange(offset=1000, length=700))
    assert resource.content == FILM[1000:1700]
    assert ranges(servers) == [("a", "bytes=1000-1699"), ("b", "bytes=1300-1699")]


def test_another_size_elsewhere_starts_again():
    other = bytes(5000)
    servers = Servers({"a": [3000]}, bodies={"b": other})
    resource, _ = fetch(servers, hosts=("a", "b"))
    assert resource.content in (FILM, other)
    assert ranges(servers)[:2] == [("a", None), ("b", "bytes=3000-")]
    assert ranges(servers)[2][1] is None


def test_servers_without_ranges_send_all_of_it_again():
    servers = Servers({"a": [3000]}, ranges=False)
    assert fetch(servers)[0].content == FILM
    wanted = ByteRange(offset=1000, length=700)
    assert fetch(Servers({}, ranges=False), byte_range=wanted)[0].content == FILM[1000:1700]


def test_a_range_beyond_the_end_is_a_failure_and_no_short_segment():
    with pytest.raises(DeliveryError, match="bytes came of"):
        fetch(Servers({}), byte_range=ByteRange(offset=len(FILM) - 10, length=20))


def test_an_absolute_url_fails_without_blaming_a_pathway():
    servers = Servers({"elsewhere": [0, 0]})
    resource, listener = fetch(servers, path="http://elsewhere/film.mp4")
    assert resource.content == FILM
    assert listener.switches == []


def test_the_watcher_sees_what_all_requests_brought():
    seen = []

    async def watcher(received_bytes, elapsed_s):
        seen.append(received_bytes)
        return received_bytes >= 6000

    resource, _ = fetch(Servers({"a": [3000]}), watcher=watcher)
    assert seen == sorted(seen)
    assert (resource.complete, len(resource.content)) == (False, 6000)


@settings(max_examples=50)
@given(
    breaks=st.lists(st.integers(0, len(FILM)), max_size=5),
    with_ranges=st.booleans(),
    wanted=st.none() | st.tuples(st.integers(0, len(FILM) - 1), st.integers(1, 2000)),
)
def test_wherever_it_breaks_the_content_is_whole(breaks, with_ranges, wanted):
    byte_range = None
    if wanted is not None:
        byte_range = ByteRange(offset=wanted[0], length=min(wanted[1], len(FILM) - wanted[0]))
    servers = Servers({"a": breaks[::2], "b": breaks[1::2]}, ranges=with_ranges)
    resource, listener = fetch(servers, byte_range=byte_range)
    first = byte_range.offset if byte_range else 0
    assert resource.content == FILM[first : first + byte_range.length if byte_range else None]
    assert sum(listener.delivered_bytes.values()) == resource.size_bytes


def test_of_the_pathways_that_are_added_for_ever_those_used_last_go_and_never_the_one_in_use():
    async def run():
        listener = Listener()
        async with httpx.AsyncClient(transport=Servers({})) as http:
            loader = PathwayLoader(
                http=http,
                pathways=[Pathway(pathway_id="plan", base_url="http://a/")],
                clock=VirtualClock(dt.datetime(2026, 1, 1, tzinfo=dt.UTC)),
                rng=random.Random(1),
                listener=listener,
                settings=RetrySettings(),
            )
            for number in range(200):
                loader.add_pathway(Pathway(pathway_id=f"{number}", base_url="http://b/"), params={"n": f"{number}"})
                loader.prioritise([f"{number}"])
            known = [number for number in range(200) if loader.pathway(f"{number}") is not None]
            return loader, known, listener.switches

    loader, known, switches = asyncio.run(run())
    assert len(switches) == 200
    assert loader.pathway("plan") is not None
    assert known == list(range(149, 200))
    assert (loader.params("100"), loader.params("199")) == ({}, {"n": "199"})
