"""Whatever is asked, an answer holds what it promises."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.recommender import OnlineRecommender, RecentWatch, publish, read_interactions, read_title_facts
from ml.recommender.fold_in import REASONS
from ml.recommender.top_n import Recipe, fit_top_n

TITLE_IDS = [f"s-{number:02d}" for number in range(24)]
UNPLAYABLE = {"s-00", "s-01"}
START = dt.datetime(2026, 9, 1, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def recommender(tmp_path_factory) -> OnlineRecommender:
    rng = np.random.default_rng(0)
    rows = [
        (
            f"{viewer}-{place}",
            f"v-{viewer:02d}",
            TITLE_IDS[title],
            "north",
            float(rng.uniform()),
            START + dt.timedelta(place),
        )
        for viewer in range(20)
        for place, title in enumerate(rng.permutation(24)[: 1 + viewer % 12].tolist())
    ]
    columns = ["session_id", "viewer_id", "title_id", "region_id", "completion", "started_at"]
    titles = pl.DataFrame(
        {
            "title_id": TITLE_IDS,
            "package_id": [None if title_id in UNPLAYABLE else "p" for title_id in TITLE_IDS],
            "genres": [["drama"]] * 24,
            "release_date": [dt.date(2026, 8, 30)] * 24,
        }
    )
    facts = read_title_facts(titles)
    interactions = read_interactions(pl.DataFrame(rows, schema=columns, orient="row"), title_ids=TITLE_IDS)
    folder = tmp_path_factory.mktemp("published") / "model"
    publish(folder, fit_top_n(interactions, Recipe(neighbours=6)), None, interactions, facts, model_version="1")
    return OnlineRecommender.load(folder)


watches = st.builds(
    RecentWatch,
    title_id=st.sampled_from([*TITLE_IDS, "s-unknown"]),
    completion=st.floats(0, 1),
    watched_at=st.datetimes(dt.datetime(2026, 8, 1), dt.datetime(2026, 12, 1), timezones=st.just(dt.UTC)),
)
questions = st.fixed_dictionaries(
    {
        "viewer_id": st.none() | st.sampled_from([f"v-{number:02d}" for number in range(25)]) | st.text(max_size=6),
        "recent": st.lists(watches, max_size=8),
        "exclude": st.sets(st.sampled_from(TITLE_IDS)),
        "region_id": st.sampled_from([None, "north", "nowhere"]),
        "k": st.integers(0, 40),
    }
)


@settings(max_examples=150, deadline=None)
@given(question=questions)
def test_an_answer_is_short_enough_unique_playable_and_unseen(recommender, question):
    listed = recommender.recommend(**question).titles
    ids = [title.title_id for title in listed]
    assert len(ids) <= question["k"]
    assert len(set(ids)) == len(ids)
    assert not set(ids) & question["exclude"]
    assert not set(ids) & UNPLAYABLE
    assert not set(ids) & {watch.title_id for watch in question["recent"]}
    assert {title.reason for title in listed} <= set(REASONS)
    scores = [title.score for title in listed]
    assert scores == sorted(scores, reverse=True)
    assert recommender.recommend(**question).titles == listed


@settings(max_examples=50, deadline=None)
@given(question=questions, extra=st.sampled_from(TITLE_IDS))
def test_excluding_one_more_title_removes_only_that_one(recommender, question, extra):
    question["k"] = 40
    before = {title.title_id for title in recommender.recommend(**question).titles}
    question["exclude"] = question["exclude"] | {extra}
    after = {title.title_id for title in recommender.recommend(**question).titles}
    assert after == before - {extra}
