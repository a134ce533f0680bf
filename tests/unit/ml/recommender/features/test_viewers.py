from __future__ import annotations

import polars as pl
import pytest

from ml.recommender.errors import RecommenderError
from ml.recommender.features import read_viewer_facts

VIEWERS = pl.DataFrame(
    {"viewer_id": ["c", "a", "b", "d"], "age_band": ["18-24", "55+", "unknown", None], "device": ["tablet"] * 4}
)


def test_viewers_of_a_known_age_are_sorted_and_numbered_by_band():
    facts = read_viewer_facts(VIEWERS)
    assert facts.viewer_ids == ["a", "c"]
    assert [facts.age_bands[band] for band in facts.bands] == ["55+", "18-24"]
    assert facts.bands_of(["c", "b", "nobody", "a"]).tolist() == [0, -1, -1, 1]


def test_nobody_of_a_known_age_is_no_error():
    facts = read_viewer_facts(VIEWERS.filter(pl.col("viewer_id") == "b"))
    assert (list(facts.viewer_ids), list(facts.age_bands), len(facts.bands)) == ([], [], 0)


def test_a_missing_column_and_a_viewer_twice_are_refused():
    with pytest.raises(RecommenderError, match="no column age_band"):
        read_viewer_facts(VIEWERS.drop("age_band"))
    with pytest.raises(RecommenderError, match="a viewer twice"):
        read_viewer_facts(pl.concat([VIEWERS, VIEWERS.head(1)]))


def test_an_id_that_the_api_does_not_take_stops_nobody_else(caplog):
    odd = pl.DataFrame({"viewer_id": ["zoë", None, "a"], "age_band": ["55+"] * 3})
    assert read_viewer_facts(odd).viewer_ids == ["a"]
    assert "2 viewers have no id" in caplog.text
