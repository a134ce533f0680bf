import datetime as dt

import numpy as np
import polars as pl
import pytest

from orchestration.sample import SampleWorldError, read_movielens_world
from orchestration.sample.catalogue import TITLE_SCHEMA, VIEWER_SCHEMA
from orchestration.sample.history import summary_beats
from orchestration.sample.movielens import COMPLETION_OF_RATING

NOW = dt.datetime(2026, 5, 14, 9, 30, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A tiny data set of the same form."""
    folder = tmp_path_factory.mktemp("ml")
    pl.DataFrame(
        {
            "movie_id": [1, 5, 9, 12],
            "title": ["Toy Story (1995)", "Matrix, The (1999)", "Laura (1944)", "Never Rated (2000)"],
            "genres": ["Animation|Children's|Comedy", "Action|Sci-Fi", "Crime|Film-Noir", "Horror"],
            "year": [1995, 1999, 1944, 2000],
        }
    ).write_parquet(folder / "movies.parquet")
    pl.DataFrame(
        {
            "user_id": list(range(1, 41)),
            "age_band": [1, 18, 25, 35, 45, 50, 56, 25] * 5,
            "zip_code": ["02139", "55117", "94110", "V3T1A"] * 10,
        }
    ).write_parquet(folder / "users.parquet")
    rng = np.random.default_rng(0)
    rows = [
        (user, movie, int(rng.integers(1, 6)), seq)
        for user in range(1, 41)
        for seq, movie in enumerate(rng.permutation([1, 5, 9]).tolist())
    ]
    pl.DataFrame(rows, schema=["user_id", "movie_id", "rating", "seq"], orient="row").sample(
        fraction=1.0, shuffle=True, seed=1
    ).write_parquet(folder / "ratings.parquet")
    return folder


@pytest.fixture(scope="module")
def movielens(folder):
    return read_movielens_world(folder, seed=1, now=NOW, media_title_ids=["a"], history_days=14)


def test_films_become_titles(movielens):
    assert movielens.titles.schema == TITLE_SCHEMA
    by_id = {row["title_id"]: row for row in movielens.titles.to_dicts()}
    assert set(by_id) == {"ml-1", "ml-5", "ml-9", "ml-12"}
    assert by_id["ml-5"]["name"] == "The Matrix"
    assert by_id["ml-1"]["genres"] == ["animation", "children", "comedy"]
    assert by_id["ml-5"]["genres"] == ["action", "science-fiction"]
    assert by_id["ml-9"]["release_date"].year == 1944
    assert by_id["ml-12"]["maturity_age"] == 18


def test_users_become_viewers(movielens):
    viewers = movielens.viewers
    assert viewers.schema == VIEWER_SCHEMA
    assert viewers["viewer_id"].to_list()[:2] == ["v-000001", "v-000002"]
    assert viewers["age_band"].to_list()[:7] == ["under-18", "18-24", "25-34", "35-44", "45-54", "45-54", "55+"]
    assert viewers["region_id"][0] == viewers["region_id"][4], "the same zip code is the same region"
    assert set(viewers["region_id"].to_list()[:3]) == {"eu-north", "sa-east", "ap-south"}
    assert (viewers["created_at"] < movielens.window.start).all()


def test_every_rating_is_a_session_and_the_order_of_each_user_is_kept(movielens, folder):
    viewing = movielens.viewing()
    ratings = pl.read_parquet(folder / "ratings.parquet").sort("user_id", "seq")
    order = np.lexsort((viewing.started_s, viewing.viewer))
    films = np.array([1, 5, 9, 12])

    assert (viewing.viewer[order] + 1).tolist() == ratings["user_id"].to_list()
    assert films[viewing.title[order]].tolist() == ratings["movie_id"].to_list()
    for stars, completion in zip(ratings["rating"], viewing.completion[order], strict=True):
        low, high = COMPLETION_OF_RATING[stars]
        assert low <= completion <= high


def test_every_session_plays_within_the_window(movielens):
    beats = list(summary_beats(movielens.session_columns(dict.fromkeys(movielens.title_ids, 40.0))))

    assert len(beats) == 120
    assert all(beat.startup_s is not None for beat in beats)
    assert {beat.sent_at.date() for beat in beats} <= set(movielens.window.dates)
    assert len({beat.sent_at.date() for beat in beats}) > 7
    assert {beat.end_reason for beat in beats} == {"completed", "stopped"}


def test_it_is_the_same_every_time(movielens, folder):
    again = read_movielens_world(folder, seed=1, now=NOW, media_title_ids=["a"], history_days=14)

    assert again.viewers.equals(movielens.viewers)
    np.testing.assert_array_equal(again.viewing().started_s, movielens.viewing().started_s)


def test_nobody_wants_again_what_they_have_rated(movielens):
    weights = movielens.taste.choice_weights(np.arange(40), NOW.date())

    assert (weights[:, :3] == 0).all()


@pytest.mark.parametrize("name", ["movies.parquet", "users.parquet", "ratings.parquet"])
def test_a_missing_file_is_said(folder, tmp_path, name):
    for path in folder.iterdir():
        if path.name != name:
            (tmp_path / path.name).write_bytes(path.read_bytes())

    with pytest.raises(SampleWorldError, match=name):
        read_movielens_world(tmp_path, seed=1, now=NOW, media_title_ids=["a"])


def test_a_missing_column_is_said(folder, tmp_path):
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    pl.read_parquet(folder / "ratings.parquet").drop("seq").write_parquet(tmp_path / "ratings.parquet")

    with pytest.raises(SampleWorldError, match="no column seq"):
        read_movielens_world(tmp_path, seed=1, now=NOW, media_title_ids=["a"])
