"""The adapter in front of a really published model: what it passes on and what it gives back."""

import datetime as dt

import numpy as np
import polars as pl
import pytest

from ml.recommender import publish, read_interactions, read_title_facts
from ml.recommender.affinity import fit_affinity
from ml.recommender.top_n import Recipe, fit_top_n
from playback_api.domain.home.recommender import open_recommender
from playback_api.domain.served import RecommenderUnavailable, Watched

START = dt.datetime(2026, 9, 1, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two camps of viewers: even ones watch even titles, odd ones odd titles."""
    generator = np.random.default_rng(0)
    viewing = [
        {
            "session_id": f"b-{viewer}-{place}", "viewer_id": f"v-{viewer:03d}", "title_id": f"s-{title:04d}",
            "region_id": "north", "completion": 0.9, "started_at": START + dt.timedelta(days=place),
        }
        for viewer in range(40)
        for place, title in enumerate(generator.permutation(np.arange(viewer % 2, 20, 2))[:6].tolist())
    ]  # fmt: skip
    titles = pl.DataFrame(
        {
            "title_id": [f"s-{number:04d}" for number in range(20)],
            "package_id": ["p"] * 20,
            "genres": [["drama"]] * 20,
            "release_date": [dt.date(2020, 1, 1)] * 20,
        }
    )
    facts = read_title_facts(titles)
    interactions = read_interactions(pl.DataFrame(viewing), title_ids=facts.title_ids)
    target = tmp_path_factory.mktemp("published") / "model"
    model, affinity = fit_top_n(interactions, Recipe()), fit_affinity(interactions, seed=0)
    publish(target, model, affinity, interactions, facts, model_version="top-n-1")
    return target


def numbers(scored):
    return [int(item.title_id.removeprefix("s-")) for item in scored]


def test_a_viewer_who_is_new_is_known_by_what_the_profile_says(folder):
    recommender = open_recommender(folder)
    assert recommender.model_version == "top-n-1"
    nobody = recommender.recommend(viewer_id="v-new", recent=[], exclude=(), region_id="north", k=4)
    assert list(nobody) == []

    recent = [
        Watched(title_id=f"s-{title:04d}", completion=0.9, watched_at=START + dt.timedelta(days=30, hours=title))
        for title in (1, 3)
    ]
    odd = recommender.recommend(viewer_id="v-new", recent=recent, exclude=(), region_id="north", k=4)
    assert all(number % 2 for number in numbers(odd))
    assert not {1, 3} & set(numbers(odd))
    assert odd[0].because_title_id in {"s-0001", "s-0003"}


def test_affinities_are_between_one_and_five(folder):
    affinities = open_recommender(folder).affinity("v-001", ["s-0001", "s-0002", "unknown"])
    assert set(affinities) == {"s-0001", "s-0002"}
    assert all(1.0 <= value <= 5.0 for value in affinities.values())


def test_a_folder_that_is_no_model_is_named(tmp_path):
    (tmp_path / "index.msgpack").write_bytes(b"nonsense")
    with pytest.raises(RecommenderUnavailable, match="cannot be opened"):
        open_recommender(tmp_path)
