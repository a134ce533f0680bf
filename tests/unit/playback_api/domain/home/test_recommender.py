"""The adapter in front of a really published model: what it passes on and what it gives back."""

import datetime as dt

import pytest

from ml.recommender.online import COMPUTED, LIST_LENGTH, STORED
from playback_api.domain.home.recommender import open_recommender
from playback_api.domain.served import RecommenderUnavailable, Watched

START = dt.datetime(2026, 9, 1, tzinfo=dt.UTC)


def watched(*titles):
    return [
        Watched(title_id=f"s-{title:04d}", completion=0.9, watched_at=START + dt.timedelta(days=30, hours=title))
        for title in titles
    ]


def numbers(answer):
    return [int(item.title_id.removeprefix("s-")) for item in answer.titles]


def test_a_viewer_who_is_new_is_known_by_what_the_profile_says(small_model):
    recommender = open_recommender(small_model)
    assert recommender.model_version == "top-n-1"
    assert not recommender.recommend(viewer_id="v-new", recent=[], region_id="north").titles

    odd = recommender.recommend(viewer_id="v-new", recent=watched(1, 3), region_id="north")
    assert all(number % 2 for number in numbers(odd)[:4])
    assert not {1, 3} & set(numbers(odd))
    assert odd.titles[0].because_title_id in {"s-0001", "s-0003"}
    assert odd.origin == COMPUTED


@pytest.mark.parametrize("catalogue", ["small_model", "large_model"])
def test_a_page_of_a_viewer_with_nothing_new_asks_for_no_more_than_the_stored_list(catalogue, request):
    recommender = open_recommender(request.getfixturevalue(catalogue))
    stored = recommender.recommend(viewer_id="v-001", recent=[], region_id="north")
    assert stored.origin == STORED
    assert len(stored.titles) == {"small_model": 20 - 6, "large_model": LIST_LENGTH}[catalogue]
    assert recommender.recommend(viewer_id="v-001", recent=[], region_id="elsewhere").origin == COMPUTED
    assert recommender.recommend(viewer_id="v-001", recent=watched(0), region_id="north").origin == COMPUTED


def test_affinities_are_between_one_and_five(small_model):
    affinities = open_recommender(small_model).affinity("v-001", ["s-0001", "s-0002", "unknown"])
    assert set(affinities) == {"s-0001", "s-0002"}
    assert all(1.0 <= value <= 5.0 for value in affinities.values())


def test_a_folder_that_is_no_model_is_named(tmp_path):
    (tmp_path / "index.msgpack").write_bytes(b"nonsense")
    with pytest.raises(RecommenderUnavailable, match="cannot be opened"):
        open_recommender(tmp_path)
