"""The calls beside playback, with and without an event loop."""

import asyncio

import pytest
from player_sdk.testing import API_HOST, START_UTC, FakeOrigin, FakeTitle, fake_player

from player_sdk import Ended, Started, SyncPlayer, TitleNotFound, Viewer, VirtualClock

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
    for event in blocking.events(session):
        kinds.append(type(event))
        if isinstance(event, Started):
            session.seek(4.0)
    assert kinds[-1] is Ended
    assert session.report.end_reason == "completed"
    assert session.report.played_s < 8.0
