from __future__ import annotations

import polars as pl
import pytest

from ml.recommender.errors import RecommenderError
from ml.recommender.features import read_viewer_facts
from ml.recommender.model_files import MAX_GROUPS

VIEWERS = pl.DataFrame(
    {
        "viewer_id": ["c", "a", "b", "d", "e"],
        "age_band": ["18-24", "55+", "unknown", None, None],
        "preferred_genres": [["crime", "drama"], [], ["drama", None, "drama"], None, []],
        "device": ["tablet"] * 5,
    }
)


def groups_of(facts, viewer_id):
    (memberships,) = facts.of([viewer_id]).tolist()
    return {name for bit, name in enumerate(facts.groups) if memberships >> bit & 1}


def test_viewers_belong_to_their_age_and_to_those_who_picked_the_same_genres():
    facts = read_viewer_facts(VIEWERS)
    assert list(facts.groups) == ["age:18-24", "age:55+", "genre:crime", "genre:drama"]
    assert facts.viewer_ids == ["a", "b", "c"], "nothing is known of the others"
    assert groups_of(facts, "c") == {"age:18-24", "genre:crime", "genre:drama"}
    assert groups_of(facts, "a") == {"age:55+"}
    assert groups_of(facts, "b") == {"genre:drama"}
    assert groups_of(facts, "nobody") == set()


def test_nobody_of_whom_anything_is_known_is_no_error():
    facts = read_viewer_facts(VIEWERS.filter(pl.col("viewer_id").is_in(["d", "e"])))
    assert (list(facts.viewer_ids), list(facts.groups), len(facts.memberships)) == ([], [], 0)
    nothing_picked = VIEWERS.with_columns(preferred_genres=pl.lit(None))
    assert read_viewer_facts(nothing_picked).viewer_ids == ["a", "c"]


def test_of_too_many_groups_the_smallest_are_left_out_and_told(caplog):
    genres = [f"g{number:03d}" for number in range(MAX_GROUPS + 5)]
    viewers = pl.DataFrame(
        {"viewer_id": ["a", "b"], "age_band": ["55+", "55+"], "preferred_genres": [genres, genres[-MAX_GROUPS + 1 :]]}
    )
    facts = read_viewer_facts(viewers)
    assert len(facts.groups) == MAX_GROUPS
    assert (
        groups_of(facts, "a")
        == groups_of(facts, "b")
        == {"age:55+", *(f"genre:{g}" for g in genres[-MAX_GROUPS + 1 :])}
    )
    assert "6 of 70 groups of viewers are left out" in caplog.text


@pytest.mark.parametrize("column", ["age_band", "preferred_genres"])
def test_a_missing_column_and_a_viewer_twice_are_refused(column):
    with pytest.raises(RecommenderError, match=f"no column {column}"):
        read_viewer_facts(VIEWERS.drop(column))
    with pytest.raises(RecommenderError, match="a viewer twice"):
        read_viewer_facts(pl.concat([VIEWERS, VIEWERS.head(1)]))


def test_an_id_that_the_api_does_not_take_stops_nobody_else(caplog):
    odd = VIEWERS.head(3).with_columns(viewer_id=pl.Series(["zoë", None, "a"]))
    assert read_viewer_facts(odd).viewer_ids == ["a"]
    assert "2 viewers have no id" in caplog.text
