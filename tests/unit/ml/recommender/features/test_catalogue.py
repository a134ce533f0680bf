from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pytest

from ml.recommender.errors import RecommenderError
from ml.recommender.features import read_title_facts


def frame(**columns) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "title_id": ["s-b", "s-a", "s-c"],
            "genres": [["drama", "crime"], ["drama"], []],
            "package_id": ["p-b", None, "p-c"],
            "release_date": [dt.date(1970, 1, 11), None, dt.date(1970, 1, 2)],
        }
        | columns
    )


def test_facts_stand_in_order_of_title_with_unit_genre_rows():
    facts = read_title_facts(frame())
    assert facts.title_ids == ["s-a", "s-b", "s-c"]
    assert facts.recommendable.tolist() == [False, True, True]
    np.testing.assert_array_equal(facts.release_days, [np.nan, 10.0, 1.0])
    np.testing.assert_allclose(np.linalg.norm(facts.genres.astype(float), axis=1), [1.0, 1.0, 0.0], atol=1e-3)


def test_titles_without_facts_cannot_be_recommended():
    aligned = read_title_facts(frame()).aligned_to(["s-x", "s-c"])
    assert aligned.recommendable.tolist() == [False, True]


def test_a_title_that_stands_twice_is_refused():
    with pytest.raises(RecommenderError, match="twice"):
        read_title_facts(frame(title_id=["s-a", "s-a", "s-c"]))


def test_a_missing_column_is_named():
    with pytest.raises(RecommenderError, match="no column genres"):
        read_title_facts(frame().drop("genres"))
