import datetime as dt
import sqlite3
import subprocess
import sys

import pytest

from playback_api.profile import Preferences, ProfileError, Progress, SqliteProfileStore

NOON = dt.datetime(2026, 5, 4, 12, tzinfo=dt.UTC)


@pytest.fixture
def store(tmp_path):
    store = SqliteProfileStore(tmp_path / "profile" / "profile.sqlite")
    yield store
    store.close()


def progress(title_id="s-0001", position_s=30.0, *, at_s=0.0, viewer_id="v-000001", duration_s=100.0):
    return Progress(
        viewer_id=viewer_id, title_id=title_id, position_s=position_s, duration_s=duration_s,
        seen_at=NOON + dt.timedelta(seconds=at_s),
    )  # fmt: skip


def test_a_title_resumes_where_it_was_left(store):
    store.record_progress([progress(position_s=10), progress(position_s=42.5, at_s=10)])

    position = store.resume("v-000001", "s-0001")

    assert (position.position_s, position.duration_s) == (42.5, 100.0)
    assert position.updated_at == NOON + dt.timedelta(seconds=10)
    assert store.resume("v-000002", "s-0001") is None
    assert store.resume("v-000001", "s-0002") is None


def test_a_late_beat_moves_nothing_back(store):
    store.record_progress([progress(position_s=42, at_s=10)])
    store.record_progress([progress(position_s=10, at_s=0)])

    assert store.resume("v-000001", "s-0001").position_s == 42


def test_a_viewer_may_seek_back(store):
    store.record_progress([progress(position_s=42), progress(position_s=5, at_s=10)])

    assert store.resume("v-000001", "s-0001").position_s == 5
    assert store.recent("v-000001")[0].completion == pytest.approx(0.42)


@pytest.mark.parametrize(("position_s", "finished"), [(94.9, False), (95.0, True), (120.0, True)])
def test_near_the_end_is_finished(store, position_s, finished):
    store.record_progress([progress(position_s=50), progress(position_s=position_s, at_s=10)])

    assert (store.resume("v-000001", "s-0001") is None) is finished
    assert store.recent("v-000001")[0].finished is finished
    assert store.recent("v-000001")[0].completion <= 1.0


def test_a_late_end_after_a_second_viewing_changes_only_the_furthest_share(store):
    store.record_progress([progress(position_s=20, at_s=100)])
    store.record_progress([progress(position_s=99, at_s=0)])

    assert store.resume("v-000001", "s-0001").position_s == 20
    assert store.recent("v-000001")[0].completion == pytest.approx(0.99)


def test_the_titles_watched_last_come_newest_first(store):
    store.record_progress([progress(f"s-000{n}", at_s=n) for n in range(5)])
    store.record_progress([progress("s-0001", position_s=60, at_s=50), progress(viewer_id="v-000002")])

    assert [item.title_id for item in store.recent("v-000001", limit=3)] == ["s-0001", "s-0004", "s-0003"]


def test_a_profile_holds_everything(store):
    store.record_progress([progress("s-0001"), progress("s-0002", position_s=99, at_s=5)])
    store.add_to_watch_list("v-000001", "s-0003", added_at=NOON)
    store.add_to_watch_list("v-000001", "s-0004", added_at=NOON + dt.timedelta(hours=1))
    store.add_to_watch_list("v-000001", "s-0003", added_at=NOON + dt.timedelta(hours=2))
    store.set_preferences("v-000001", Preferences(caption_language="sv", maturity_age_limit=12))

    profile = store.profile("v-000001")

    assert [item.title_id for item in profile.resume] == ["s-0001"]
    assert [item.title_id for item in profile.recent] == ["s-0002", "s-0001"]
    assert profile.watch_list == ["s-0004", "s-0003"]
    assert profile.preferences == Preferences(caption_language="sv", maturity_age_limit=12)

    store.remove_from_watch_list("v-000001", "s-0004")
    store.remove_from_watch_list("v-000001", "s-0009")
    assert store.profile("v-000001").watch_list == ["s-0003"]


def test_a_viewer_who_was_never_seen_has_an_empty_profile(store):
    profile = store.profile("v-999999")

    assert (profile.resume, profile.recent, profile.watch_list) == ([], [], [])
    assert profile.preferences == Preferences()


_WRITING_PROCESS = """
import datetime as dt, sys
from pathlib import Path
from playback_api.profile import Progress, SqliteProfileStore

store = SqliteProfileStore(Path(sys.argv[1]))
for number in range(50):
    store.record_progress([
        Progress(viewer_id=sys.argv[2], title_id=f"s-{number:04d}", position_s=1.0, duration_s=9.0,
                 seen_at=dt.datetime(2026, 5, 4, tzinfo=dt.UTC))
    ])
"""


def test_several_processes_share_the_file(store):
    writers = [
        subprocess.Popen([sys.executable, "-c", _WRITING_PROCESS, str(store.path), f"v-{n}"]) for n in range(2)
    ]  # fmt: skip
    assert [writer.wait() for writer in writers] == [0, 0]

    assert [len(store.recent(f"v-{n}")) for n in range(2)] == [50, 50]


def test_another_version_is_refused(tmp_path):
    path = tmp_path / "profile.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("pragma user_version = 99")
    connection.close()

    with pytest.raises(ProfileError, match="schema version 99"):
        SqliteProfileStore(path)


def test_a_closed_store_says_so(tmp_path):
    store = SqliteProfileStore(tmp_path / "profile.sqlite")
    store.close()

    with pytest.raises(ProfileError, match="failed"):
        store.recent("v-000001")
    with pytest.raises(ProfileError):
        store.record_progress([progress()])
