import asyncio

import httpx
import pytest
from player_sdk.playlist import parse_mpd
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


def answering(answer, titles=(LONG,)):
    """An origin whose steering answers so."""
    return FakeOrigin(
        titles,
        fault=lambda request: httpx.Response(200, json=answer) if "steering" in request.url.path else None,
    )


def clone(pathway_id, base_id="edge-1", **replacement):
    return {"BASE-ID": base_id, "ID": pathway_id, "URI-REPLACEMENT": replacement}


AT_ONCE = PlaybackSettings(steering_after_s=0.0)


@pytest.mark.parametrize(("protocol", "on_media"), [("hls", False), ("dash", True)])
def test_a_clone_is_its_base_on_another_host_with_more_parameters(protocol, on_media):
    answer = {
        "VERSION": 1,
        "TTL": 10,
        "PATHWAY-PRIORITY": ["clone-2", "edge-1"],
        "PATHWAY-CLONES": [
            clone("clone-1", HOST="origin.test", PARAMS={"b": "2", "a": "1"}),
            clone("clone-2", base_id="clone-1", PARAMS={"b": "3"}),
            clone("edge-1", HOST="nowhere.test"),  # known already: stays what it is
        ],
    }
    origin = answering(answer)
    switches, _ = play(origin, settings=PlaybackSettings(steering_after_s=0.0, protocol=protocol))
    assert switches == [("clone-2", "steering")]
    there = [request for request in origin.requests if request.url.host == "origin.test"]
    assert len(there) > 50
    playlists = [request for request in there if request.url.path.endswith(".m3u8")]
    media = [request for request in there if request.url.path.endswith(".m4s")]
    assert {request.url.query for request in media} == ({b"a=1&b=3"} if on_media else {b""})
    assert {request.url.query for request in playlists} == (set() if on_media else {b"a=1&b=3"})


@pytest.mark.parametrize(
    "bad",
    [
        clone("x", base_id="nowhere", HOST="origin.test"),
        clone("x", HOST="origin.test/path"),
        clone("x", HOST="origin.test:99999"),
        clone("", HOST="origin.test"),
    ],
)
def test_a_clone_that_cannot_be_made_leaves_the_rest_of_the_order(bad):
    answer = {"VERSION": 1, "TTL": 60, "PATHWAY-PRIORITY": ["x", "origin"], "PATHWAY-CLONES": [bad]}
    assert play(answering(answer), settings=AT_ONCE)[0] == [("origin", "steering")]


def test_a_failed_pathway_is_left_alone_for_its_penalty_and_taken_again_after_it():
    origin = FakeOrigin([FakeTitle(duration_s=200.0)])
    down = {"edge-1.test": PathwayLink(outages=((0.0, 50.0),), connect_timeout_s=1.0)}
    switches, _ = play(origin, pathways=down, settings=PlaybackSettings(buffer_max_s=10.0))
    assert switches == [("origin", "failure"), ("edge-1", "steering")]


MASTER = """#EXTM3U
#EXT-X-CONTENT-STEERING:SERVER-URI="/v1/steering/x",PATHWAY-ID="B"
#EXT-X-STREAM-INF:BANDWIDTH=400000,CODECS="avc1.64000d",RESOLUTION=426x240,PATHWAY-ID="A"
http://edge-1.test/media/film/p/1/240p.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=400000,CODECS="avc1.64000d",RESOLUTION=426x240,PATHWAY-ID="B"
http://origin.test/media/film/p/1/240p.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=800000,CODECS="avc1.64000d",RESOLUTION=852x480,PATHWAY-ID="C"
http://origin.test/media/other.m3u8
"""


def test_pathways_and_steering_server_of_a_playlist_that_is_not_ours():
    asked = []

    def fault(request):
        if "steering" in request.url.path:
            asked.append(str(request.url))
            return httpx.Response(200, json={"VERSION": 1, "TTL": 30, "PATHWAY-PRIORITY": ["A", "B"]})
        return httpx.Response(200, text=MASTER) if request.url.path == "/m.m3u8" else None

    origin = FakeOrigin([FakeTitle(duration_s=60.0, ladder={"240p": 400_000}, audio_bps=0)], fault=fault)

    async def run():
        async with fake_player(origin) as player:
            session = player.open_url("http://cdn.test/m.m3u8")
            events = [event async for event in session.events()]
            return [(event.new_id, event.reason) for event in events if isinstance(event, PathwaySwitched)], events[-1]

    switches, ended = asyncio.run(run())
    assert (ended.report.end_reason, ended.report.errors) == ("completed", [])
    assert switches == [("B", "manifest"), ("A", "steering")]
    assert asked[0].startswith("http://cdn.test/v1/steering/x?_HLS_pathway=B")
    assert len(origin.paths("edge-1.test")) > 10


ONE_PATHWAY = """#EXTM3U
#EXT-X-CONTENT-STEERING:SERVER-URI="http://api.test/v1/steering/x"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="en",STABLE-RENDITION-ID="one",URI="{base}audio-en.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=400000,CODECS="avc1.64000d",AUDIO="a",STABLE-VARIANT-ID="one",PATHWAY-ID="cdn"
{base}240p.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=1200000,CODECS="avc1.64000d",AUDIO="a",STABLE-VARIANT-ID="two",PATHWAY-ID="cdn"
{base}480p.m3u8
"""
MOVED = {
    "PER-VARIANT-URIS": {
        "one": "http://edge-1.test/moved/240p.m3u8",
        "two": "http://edge-1.test/moved/v/480p.m3u8?v=2",
    },
    "PER-RENDITION-URIS": {"one": "http://edge-1.test/a/b/c/sound.m3u8"},
}


@pytest.mark.parametrize("base", ["", "http://origin.test/media/film/p/1/"])
@pytest.mark.parametrize("broken", [False, True])
def test_a_clone_may_have_single_playlists_elsewhere(base, broken):
    """What is asked for there is answered with what it stands for; the base is what there is when it is not there."""
    title = FakeTitle(duration_s=60.0, ladder={"240p": 400_000, "480p": 1_200_000})
    answer = {
        "VERSION": 1,
        "TTL": 30,
        "PATHWAY-PRIORITY": ["second", "cdn"],
        "PATHWAY-CLONES": [
            clone("first", base_id="cdn", HOST="nowhere.test", PARAMS={"k": "1"}, **MOVED),
            clone("second", base_id="first", HOST="edge-1.test", PARAMS={"k": "2"}),
        ],
    }
    there = {
        "/moved/v/480p.m3u8": "p/1/480p.m3u8",
        "/a/b/c/sound.m3u8": "p/1/audio-en.m3u8",
        "/a/r/audio-en/": "r/audio-en/",
        "/r/": "r/",
    }

    def fault(request):
        path = request.url.path
        if "steering" in path:
            return httpx.Response(200, json=answer)
        if path.endswith("master.m3u8"):
            return httpx.Response(200, text=ONE_PATHWAY.format(base=base))
        if request.url.host != "edge-1.test":
            return None
        known = next((one for one in there if path.startswith(one)), None)
        if known is None or (broken and path.endswith("seg-00008.m4s")):
            return httpx.Response(404)
        return httpx.Response(200, content=title.resource(path.replace(known, there[known]))[0])

    origin = FakeOrigin([title], fault=fault)

    async def run():
        async with fake_player(origin) as player:
            session = player.open_url("http://origin.test/media/film/p/1/master.m3u8")
            events = [event async for event in session.events()]
            return [(one.new_id, one.reason) for one in events if isinstance(one, PathwaySwitched)], events[-1].report

    switches, report = asyncio.run(run())
    assert report.end_reason == "completed"
    failover = [("cdn", "failure")] if broken else []
    assert switches == [("cdn", "manifest"), ("second", "steering"), *failover]
    asked = [request.url for request in origin.requests if request.url.host == "edge-1.test"]
    pictures = [url for url in asked if url.path.startswith("/r/") and "seg-" in url.path]
    assert len(pictures) == (8 if broken else 15)
    assert {str(url) for url in asked if url.path.endswith(".m3u8")} == {
        "http://edge-1.test/moved/v/480p.m3u8?v=2&k=2",
        "http://edge-1.test/a/b/c/sound.m3u8?k=2",
    }
    polls = [request.url for request in origin.requests if "steering" in request.url.path]
    assert polls[0].params["_HLS_pathway"] == "cdn", "as the playlist calls it"


def test_service_locations_of_an_mpd_are_pathways():
    title = parse_mpd(
        """<MPD mediaPresentationDuration="PT4S"><BaseURL serviceLocation="a">http://a.test/x/</BaseURL>
        <BaseURL serviceLocation="b">http://b.test/y/</BaseURL>
        <ContentSteering defaultServiceLocation="b">http://steer.test/</ContentSteering>
        <Period><AdaptationSet contentType="video"><Representation id="v" bandwidth="1">
        <BaseURL>v.mp4</BaseURL></Representation></AdaptationSet></Period></MPD>""",
        "/m.mpd",
    )
    assert [(one.pathway_id, one.base_url) for one in title.pathways] == [
        ("b", "http://b.test/y/"),
        ("a", "http://a.test/x/"),
    ]
    assert [one.uri for one in title.video[0].media.segments] == ["/v.mp4"]
    assert (title.steering_uri, title.steering_pathway) == ("http://steer.test/", "b")
