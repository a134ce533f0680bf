"""The calls beside playback, with and without an event loop."""

import asyncio
import inspect
import math

import pytest
from player_sdk.loader import LoadListener
from player_sdk.testing import API_HOST, START_UTC, FakeOrigin, FakeTitle, fake_player

from player_sdk import (
    Ended,
    PlaybackSettings,
    Player,
    PlayerError,
    Session,
    Started,
    SyncPlayer,
    TitleNotFound,
    Viewer,
    VirtualClock,
)

TITLES = [FakeTitle(title_id=f"film-{number}", duration_s=8.0) for number in range(7)]


def test_all_titles_come_page_by_page_as_they_are_wanted():
    origin = FakeOrigin(TITLES)

    async def run(wanted):
        async with fake_player(origin) as player:
            found = []
            async for title in player.titles(page_size=3):
                found.append(title.title_id)
                if len(found) == wanted:
                    break
            return found

    assert asyncio.run(run(None)) == [title.title_id for title in TITLES]
    assert len(origin.requests) == 3
    origin.requests.clear()
    assert len(asyncio.run(run(2))) == 2
    assert len(origin.requests) == 1, "nobody asked for more"


@pytest.fixture
def blocking():
    arguments = {
        "api_url": f"http://{API_HOST}",
        "viewer": Viewer(viewer_id="v-1", region_id="eu-north"),
        "transport": FakeOrigin(TITLES),
        "clock": VirtualClock(START_UTC),
    }
    with SyncPlayer(**arguments) as player:
        yield player


def test_the_blocking_player_lists_and_finds_the_same(blocking):
    assert [title.title_id for title in blocking.titles(page_size=2)] == [title.title_id for title in TITLES]
    assert blocking.title("film-3").name == "Film-3"
    assert blocking.search("film-6").titles[0].title_id == "film-6"
    with pytest.raises(TitleNotFound):
        blocking.title("nothing")


def test_the_blocking_player_plays_event_by_event(blocking):
    session = blocking.play("film-1", start_s=0.0)
    kinds = []
    for event in session.events():
        kinds.append(type(event))
        if isinstance(event, Started):
            session.seek(4.0)
    assert kinds[-1] is Ended
    assert session.report.end_reason == "completed"
    assert session.report.played_s < 8.0


def public_names(thing):
    return {name for name in dir(thing) if not name.startswith("_")}


def test_both_doors_have_the_same_calls(blocking):
    assert public_names(blocking) == public_names(Player())
    told_by_the_loader = public_names(LoadListener)
    assert public_names(blocking.play("film-1")) == public_names(Session) - told_by_the_loader | {"plan", "title_id"}


def test_the_blocking_session_prepares_and_hands_out_bytes(blocking):
    session = blocking.play("film-2", start_s=0.0)
    session.prepare()
    assert session.buffer_s > 0.0
    pieces = [(segment.kind, len(segment.content)) for segment in session.segments(watch_s=1.0)]
    assert {kind for kind, _ in pieces} == {"video", "audio"}
    assert all(size_bytes for _, size_bytes in pieces)
    assert session.report.played_s == pytest.approx(1.0)


def test_players_differ_unless_they_are_told_not_to():
    def name(**arguments):
        return Player(**arguments).open_url("http://a.test/m.m3u8").plan.session_id

    assert len({name() for _ in range(20)}) == 20
    assert name(seed=5) == name(seed=5)


def test_a_closed_player_says_so():
    player = fake_player(FakeOrigin(TITLES))

    async def close_and_call(call):
        await player.close()
        await call()

    async def open_url():
        player.open_url("http://edge-1.test/m.m3u8")

    for call in (player.home, lambda: player.play("film-1"), open_url):
        with pytest.raises(PlayerError, match="closed; open another one"):
            asyncio.run(close_and_call(call))


def test_the_blocking_player_says_where_it_cannot_wait(blocking):
    async def in_a_loop():
        blocking.home()

    with pytest.raises(PlayerError, match="use Player and await its calls"):
        asyncio.run(in_a_loop())
    assert blocking.home().items(), "and goes on elsewhere"


def test_a_blocking_player_may_be_closed_before_its_block_ends(blocking):
    with blocking:
        blocking.close()
    with pytest.raises(PlayerError, match="closed; open another one"):
        blocking.home()


def test_the_blocking_player_takes_the_same_arguments():
    assert inspect.signature(SyncPlayer) == inspect.signature(Player)


@pytest.mark.parametrize("settings", [{"buffer_max_s": 0.0}, {"buffer_max_bytes": -1}, {"slice_s": math.nan}])
def test_settings_that_would_never_load_anything_are_refused(settings):
    with pytest.raises(ValueError, match="must be above 0"):
        PlaybackSettings(**settings)
