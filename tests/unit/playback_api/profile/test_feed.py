import asyncio
import datetime as dt

import pytest

from playback_api.events import Beat
from playback_api.profile import ProfileError, ProfileFeed, Progress, SqliteProfileStore, progress_of

NOW = dt.datetime(2026, 5, 4, 20, tzinfo=dt.UTC)


def beat(**changes):
    fields = {
        "session_id": "s", "boot": 0, "seq": 0, "sent_at": NOW, "kind": "playing", "viewer_id": "v-000001",
        "title_id": "s-0001", "region": "eu-north", "duration_s": 60.0, "position_s": 20.0,
    }  # fmt: skip
    return Beat(**(fields | changes))


def progress(position_s, *, at_s=0, title_id="s-0001"):
    return Progress(
        viewer_id="v-000001", title_id=title_id, position_s=position_s, duration_s=60.0,
        seen_at=NOW + dt.timedelta(seconds=at_s),
    )  # fmt: skip


@pytest.mark.parametrize(
    "silent", [beat(kind="start"), beat(position_s=0.0), beat(duration_s=0.0), beat(kind="end", position_s=0.0)]
)
def test_a_beat_before_the_first_second_says_nothing(silent):
    assert progress_of([silent], NOW) == []


def test_a_clock_that_is_ahead_counts_as_now():
    ahead = beat(sent_at=NOW + dt.timedelta(hours=3))
    behind = beat(sent_at=NOW - dt.timedelta(hours=3))

    assert [item.seen_at for item in progress_of([ahead, behind], NOW)] == [NOW, NOW - dt.timedelta(hours=3)]


async def test_what_waits_is_coalesced_to_the_latest(tmp_path):
    feed = ProfileFeed(lambda: SqliteProfileStore(tmp_path / "p.sqlite"))
    feed.offer([progress(10), progress(30, at_s=20), progress(20, at_s=10)])
    feed.start()
    await feed.close()

    assert feed.recorded == 1
    store = SqliteProfileStore(tmp_path / "p.sqlite")
    assert store.resume("v-000001", "s-0001").position_s == 30
    store.close()


async def test_a_store_that_fails_is_counted_and_tried_again(tmp_path, caplog):
    attempts = []

    def open_store():
        attempts.append(1)
        if len(attempts) == 1:
            raise ProfileError("not now")
        return SqliteProfileStore(tmp_path / "p.sqlite")

    feed = ProfileFeed(open_store)
    feed.start()
    feed.offer([progress(10)])
    while not feed.dropped:
        await asyncio.sleep(0)
    feed.offer([progress(20, at_s=10)])
    await feed.close()

    assert (feed.dropped, feed.recorded) == (1, 1)
    assert "not now" in caplog.text


async def test_too_much_is_dropped_and_counted(tmp_path):
    feed = ProfileFeed(lambda: SqliteProfileStore(tmp_path / "p.sqlite"), max_waiting=2)
    feed.offer([progress(10, title_id=f"s-{n}") for n in range(5)])

    assert feed.dropped == 3
    feed.start()
    await feed.close()
    assert feed.recorded == 2
