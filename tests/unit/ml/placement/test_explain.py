import polars as pl
import pytest

from ml.placement import PlacementInputError, explain, plan


@pytest.fixture
def result(objects, demand, rung_mix, edges_of):
    return plan(objects, demand, rung_mix, edges_of(9_000.0, 9_000.0), region_id="eu")


def told_of(made, title_id, edge_id):
    return explain(made.candidates, {edge.edge_id: edge.cutoff for edge in made.edges}, title_id, edge_id)


def test_a_placed_title_is_above_the_cutoff(result):
    edge = result.rows.filter(pl.col("title_id") == "t-00")["edge_id"][0]
    told = told_of(result, "t-00", edge)
    assert told.placed
    assert told.score >= told.cutoff
    assert told.rungs["manifest"] == (1, 1)
    assert told.rungs["480p"][0] >= 1
    assert "placed as its home edge" in told.reason


def test_a_title_that_is_not_wanted_says_so(result, objects, demand, rung_mix, edges_of):
    unwanted = plan(objects, demand.filter(pl.col("title_id") != "t-05"), rung_mix, edges_of(9_000.0), region_id="eu")
    told = told_of(unwanted, "t-05", "e1")
    assert not told.placed
    assert "no session is expected" in told.reason


def test_a_title_below_the_cutoff_says_what_was_missing(objects, demand, rung_mix, edges_of):
    tight = plan(objects, demand, rung_mix, edges_of(1_000.0), region_id="eu")
    told = told_of(tight, "t-11", "e1")
    assert not told.placed
    assert told.score < told.cutoff
    assert "no room left" in told.reason


def test_unknown_names_are_refused(result):
    with pytest.raises(PlacementInputError, match="e9"):
        told_of(result, "t-00", "e9")
    with pytest.raises(PlacementInputError, match="nobody"):
        told_of(result, "nobody", "e1")
