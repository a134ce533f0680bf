import datetime as dt
from dataclasses import dataclass

import pytest

from playback_api.domain.home.rows import PageRequest, build_rows
from playback_api.domain.home.shelf import stock_shelf
from playback_api.domain.served import prepare_served
from playback_api.profile import Preferences, ResumePosition, ViewerProfile, WatchedTitle
from playback_api.snapshot import SnapshotReader
from playback_api.snapshot.testing import NOON, make_content, publish_content

TODAY = dt.date(2026, 10, 1)


@dataclass(frozen=True)
class Pick:
    title_id: str
    reason: str = "trending"
    because_title_id: str | None = None


@pytest.fixture
def served(tmp_path):
    publish_content(tmp_path, make_content(title_count=60))
    return prepare_served(SnapshotReader(tmp_path).load())


def profile(*, watched=(), resume=()):
    return ViewerProfile(
        viewer_id="v-1",
        resume=[ResumePosition(title_id=t, position_s=10.0, duration_s=60.0, updated_at=NOON) for t in resume],
        recent=[
            WatchedTitle(title_id=t, completion=0.9, finished=t not in resume, watched_at=NOON)
            for t in (*watched, *resume)
        ],
        watch_list=[],
        preferences=Preferences(),
    )


def build(served, *, recommended=(), viewer=None, max_age=None, region_id="north"):
    shelf = stock_shelf(served, today=TODAY, max_age=max_age, region_id=region_id)
    request = PageRequest(
        shelf=shelf, profile=viewer or profile(), today=TODAY, recommended=recommended, exploration_share=0.0
    )
    return {row.row_id: row for row in build_rows(request)}


def ids(row):
    return [item.title.title_id for item in row.titles]


def test_no_title_stands_on_a_page_twice_and_nothing_watched_comes_back(served):
    viewer = profile(watched=["s-0001", "s-0002"], resume=["s-0003"])
    picks = [Pick(f"s-{number:04d}") for number in range(1, 12)]
    page = build(served, viewer=viewer, recommended=picks)
    shown = [title_id for row in page.values() for title_id in ids(row)]
    assert len(shown) == len(set(shown))
    assert not {"s-0001", "s-0002"} & set(shown)
    assert ids(page["continue-watching"]) == ["s-0003"]
    assert page["continue-watching"].titles[0].resume_position_s == 10.0
    assert ids(page["top-picks"]) == [f"s-{number:04d}" for number in range(4, 12)]


def test_without_the_model_popularity_of_the_region_is_the_main_row(served):
    north, south = build(served)["popular"], build(served, region_id="south")["popular"]
    assert ids(north)[0] == "s-0001"
    assert ids(south)[0] == "s-0060"
    assert "top-picks" not in build(served)


def test_what_the_model_says_beyond_the_main_row_fills_rows_that_say_why(served):
    first = [Pick(f"s-{number:04d}") for number in range(1, 21)]
    because = [Pick(f"s-{number:04d}", "because-watched", "s-0030") for number in (21, 22, 23)]
    page = build(served, viewer=profile(watched=["s-0030"]), recommended=[*first, *because])
    row = page["because-you-watched"]
    assert ids(row) == ["s-0021", "s-0022", "s-0023"]
    assert row.name == "Because you watched The Quiet Harbour 30"
    assert row.titles[0].reason == "because-watched:s-0030"


def test_new_releases_are_recent_and_newest_first(served):
    viewer = profile(watched=["s-0002"])
    page = build(served, viewer=viewer, recommended=[Pick("s-0020"), Pick("s-0021")], region_id="south")
    fresh = page["new-releases"].titles
    dates = [item.title.release_date for item in fresh]
    assert dates == sorted(dates, reverse=True)
    assert all(TODAY - dt.timedelta(days=90) <= date <= TODAY for date in dates)


def test_genres_that_the_viewer_watches_come_first(served):
    picks = [Pick("s-0001")]
    watched = ["s-0027", "s-0030", "s-0028"]  # drama twice, comedy once
    page = build(served, viewer=profile(watched=watched), recommended=picks)
    genre_rows = [row_id for row_id in page if row_id.startswith("genre-")]
    assert genre_rows[0] == "genre-drama"


def test_titles_that_may_not_be_shown_are_in_no_row(served):
    page = build(served, max_age=12, recommended=[Pick("s-0007")])
    assert "s-0007" not in {title_id for row in page.values() for title_id in ids(row)}


def test_titles_the_model_knows_and_the_snapshot_does_not_are_left_out(served):
    page = build(served, recommended=[Pick("gone"), Pick("s-0005", "because-watched", "gone-too")])
    assert ids(page["top-picks"]) == ["s-0005"]
