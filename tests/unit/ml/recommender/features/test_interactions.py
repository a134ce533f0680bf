from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pytest

from ml.recommender.errors import ViewingCorrupt, ViewingInsufficient, ViewingSchemaError
from ml.recommender.features import leave_last_out, read_interactions

START = dt.datetime(2026, 9, 1, tzinfo=dt.UTC)


def sessions(*rows: tuple[str, str, float | None, int]) -> pl.DataFrame:
    """Rows of viewer, title, completion and day; sessions are numbered."""
    return pl.DataFrame(
        {
            "session_id": [str(number) for number in range(len(rows))],
            "viewer_id": [row[0] for row in rows],
            "title_id": [row[1] for row in rows],
            "region_id": ["north"] * len(rows),
            "completion": pl.Series([row[2] for row in rows], dtype=pl.Float64),
            "started_at": [START + dt.timedelta(days=row[3]) for row in rows],
        }
    )


def test_sessions_of_one_title_add_up_to_one_interaction_at_its_last_time():
    found = read_interactions(sessions(("v-1", "s-a", 0.5, 0), ("v-1", "s-b", 1.0, 1), ("v-1", "s-a", 0.5, 2)))
    assert [found.title_ids[title] for title in found.titles] == ["s-b", "s-a"]
    np.testing.assert_allclose(found.affinities, [4.5, 4.5])
    assert found.latest_at == START + dt.timedelta(days=2)


def test_a_session_that_arrives_twice_counts_once():
    once = sessions(("v-1", "s-a", 0.5, 0))
    found = read_interactions(pl.concat([once, once]))
    assert found.affinities.tolist() == [2.75]
    assert found.dropped == {"unusable": 0, "duplicate": 1, "of programs": 0}


def test_who_starts_more_titles_a_day_than_a_person_can_is_left_out():
    person = [("v-1", f"s-{number}", 0.9, 0) for number in range(100)]
    program = [("v-2", f"s-{number}", 0.9, 0) for number in range(101)]
    found = read_interactions(sessions(*person, *program))
    assert found.viewer_ids == ["v-1"]
    assert found.dropped["of programs"] == 101


def test_viewing_of_programs_alone_is_refused():
    with pytest.raises(ViewingInsufficient, match="more than 100 titles a day"):
        read_interactions(sessions(*(("v-2", f"s-{number}", 0.9, 0) for number in range(101))))


def test_a_few_unusable_rows_are_dropped_and_counted():
    good = [(f"v-{number}", "s-a", 0.9, 0) for number in range(9)]
    found = read_interactions(sessions(*good, ("v-9", "s-a", float("nan"), 0)))
    assert len(found) == 9
    assert found.dropped["unusable"] == 1


@pytest.mark.parametrize("broken", [float("nan"), None, -1.0, float("inf")])
def test_half_unusable_is_refused(broken):
    rows = [(f"v-{number}", "s-a", 0.9 if number % 2 else broken, 0) for number in range(10)]
    with pytest.raises(ViewingCorrupt, match="5 of 10 sessions"):
        read_interactions(sessions(*rows))


def test_no_rows_are_not_enough():
    with pytest.raises(ViewingInsufficient, match="no viewing yet"):
        read_interactions(sessions(("v-1", "s-a", 0.9, 0)).clear())


def test_a_missing_column_is_named():
    with pytest.raises(ViewingSchemaError, match="no column completion"):
        read_interactions(sessions(("v-1", "s-a", 0.9, 0)).drop("completion"))


@pytest.mark.parametrize(("column", "kind"), [("completion", "number"), ("started_at", "timestamp")])
def test_a_column_of_the_wrong_type_is_named(column, kind):
    frame = sessions(("v-1", "s-a", 0.9, 0)).with_columns(pl.lit("text").alias(column))
    with pytest.raises(ViewingSchemaError, match=f"column {column} .* not a {kind}"):
        read_interactions(frame)


def test_the_data_id_depends_on_content_and_not_on_row_order():
    rows = [("v-1", "s-a", 0.9, 0), ("v-2", "s-b", 0.4, 1)]
    frame = sessions(*rows)
    assert read_interactions(frame).data_id == read_interactions(frame.reverse()).data_id
    changed = sessions(rows[0], ("v-2", "s-b", 0.5, 1))
    assert read_interactions(frame).data_id != read_interactions(changed).data_id


def test_the_last_title_of_viewers_with_three_is_held_out():
    long = [("v-1", "s-a", 0.9, 0), ("v-1", "s-b", 0.9, 1), ("v-1", "s-c", 0.9, 2)]
    short = [("v-2", "s-c", 0.9, 0), ("v-2", "s-a", 0.9, 1)]
    interactions = read_interactions(sessions(*long, *short))
    remaining, held_out = leave_last_out(interactions)
    assert [interactions.viewer_ids[viewer] for viewer in held_out.viewers] == ["v-1"]
    assert [interactions.title_ids[title] for title in held_out.titles] == ["s-c"]
    assert len(remaining) == 4


def test_bounces_and_titles_that_nobody_else_watched_are_not_asked_for():
    bounced = [("v-1", "s-a", 0.9, 0), ("v-1", "s-b", 0.9, 1), ("v-1", "s-c", 0.01, 2)]
    unique = [("v-2", "s-a", 0.9, 0), ("v-2", "s-c", 0.9, 1), ("v-2", "s-only", 0.9, 2)]
    _, held_out = leave_last_out(read_interactions(sessions(*bounced, *unique)))
    assert len(held_out) == 0
