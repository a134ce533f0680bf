"""The player SDK through the real edge and origin apps, in virtual time: what one says in headers, the other reads."""

import httpx
import pytest
from player_sdk.testing import START_UTC, FakeOrigin, FakeTitle

from playback_api.edge_node import create_edge_app
from playback_api.origin import create_origin_app
from playback_api.settings import EdgeSettings, OriginSettings
from player_sdk import EmulatedTransport, Link, PathwayLink, PathwaySwitched, Player, Viewer, VirtualClock

TITLE = FakeTitle(duration_s=24.0, ladder={"240p": 400_000, "480p": 1_200_000})
UPSTREAM_LATENCY_S = 0.3


class ByHost(httpx.AsyncBaseTransport):
    """One transport a host."""

    def __init__(self, transports):
        self.transports = transports

    async def handle_async_request(self, request):
        return await self.transports[request.url.host].handle_async_request(request)


async def nobody(request):
    raise httpx.ConnectError("nobody there", request=request)


@pytest.fixture
def store(tmp_path):
    """The media store with one title in it."""
    names = ["p/1/master.m3u8"]
    for track in (*TITLE.ladder, "audio-en"):
        names += [f"p/1/{track}.m3u8", f"r/{track}/init.mp4"]
        names += [f"r/{track}/seg-{number:05d}.m4s" for number in range(1, TITLE.segment_count + 1)]
    for name in names:
        path = tmp_path / "store" / "media" / TITLE.title_id / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(TITLE.resource(name)[0])
    return tmp_path / "store"


async def watch_twice(tmp_path, store, *, upstream):
    """Two viewers after each other: their reports, the first one's events, and the heartbeats of both."""
    origin = httpx.ASGITransport(app=create_origin_app(OriginSettings(store_folder=store)))
    edge = create_edge_app(
        EdgeSettings(
            edge_id="edge-1",
            folder=tmp_path / "disk",
            capacity_bytes=50_000_000,
            upstream_url="http://origin.test",
            upstream_latency_s=UPSTREAM_LATENCY_S,
            secret="test-secret",
        ),
        transport=upstream or origin,
    )
    platform = FakeOrigin([TITLE])
    hosts = {"edge-1.test": httpx.ASGITransport(app=edge), "origin.test": origin}
    servers = ByHost({"api.test": platform, "beats.test": platform, **hosts})
    reports, events = [], []
    async with edge.lifespan():
        for viewer_id in ("v-1", "v-2"):
            clock = VirtualClock(START_UTC)
            transport = EmulatedTransport(
                servers,
                clock=clock,
                link=Link.constant(8e6, latency_s=0.02),
                pathways={"origin.test": PathwayLink(latency_s=UPSTREAM_LATENCY_S)},
                free_hosts={"api.test", "beats.test"},
            )
            viewer = Viewer(viewer_id=viewer_id, region_id="eu-north")
            async with Player(
                api_url="http://api.test", viewer=viewer, transport=transport, clock=clock, seed=0
            ) as player:
                session = await player.play("film")
                events += [event async for event in session.events()]
                reports.append(session.report)
    return reports, events, platform.beats


async def test_what_one_viewer_pulled_to_the_edge_the_next_one_finds_there(tmp_path, store):
    (first, second), _, beats = await watch_twice(tmp_path, store, upstream=None)
    assert [(one.end_reason, one.errors, one.pathways) for one in (first, second)] == [
        ("completed", [], ["edge-1"])
    ] * 2
    assert (first.size_bytes_cached, second.size_bytes_cached) == (0, second.size_bytes)
    assert (first.first_segment_local, second.first_segment_local) == (False, True)
    assert first.startup_s - second.startup_s > 3 * UPSTREAM_LATENCY_S, "manifest, playlists and segments from afar"
    told = {"v-1": 0, "v-2": 0}
    for beat in beats:
        told[beat.viewer_id] += sum(delivery.size_bytes_cached for delivery in beat.deliveries)
    assert told == {"v-1": 0, "v-2": second.size_bytes}


async def test_an_edge_whose_upstream_is_gone_is_left_for_the_origin(tmp_path, store):
    (first, second), events, _ = await watch_twice(tmp_path, store, upstream=httpx.MockTransport(nobody))
    for report in (first, second):
        assert (report.end_reason, report.pathways, report.played_s) == ("completed", ["origin"], pytest.approx(24.0))
    switched = [event for event in events if isinstance(event, PathwaySwitched)]
    assert [(one.old_id, one.new_id, one.reason) for one in switched] == [("edge-1", "origin", "failure")] * 2
