import datetime as dt

import polars as pl
import pytest

from orchestration.defs.catalogue.drop import (
    TITLE_COLUMNS,
    VIEWER_COLUMNS,
    DropUnreadable,
    add_descriptions,
    read_titles,
    read_viewers,
)
from orchestration.media.description import TitleDescription


def deliver(folder, rows, name="titles.parquet"):
    path = folder / name
    pl.DataFrame(rows).write_parquet(path)
    return path


def rejections(delivery):
    return {row: reason for row, _, reason in delivery.rejected.rows()}


def test_good_rows_enter_with_the_columns_of_the_lake(tmp_path):
    path = deliver(
        tmp_path,
        [{"title_id": "s-1", "name": "One", "genres": ["drama"], "release_date": "2026-01-05", "maturity_age": 7}],
    )

    delivery = read_titles(path)

    assert delivery.accepted.schema == pl.Schema(TITLE_COLUMNS)
    row = delivery.accepted.row(0, named=True)
    assert row["release_date"] == dt.date(2026, 1, 5)
    assert row["licence_end"] is None
    assert delivery.rejected.is_empty()
    (note,) = delivery.notes
    assert note.startswith("not delivered, taken as unknown: kind, language, runtime_s")


def test_bad_rows_stay_out_with_their_reason_and_the_others_enter(tmp_path):
    path = deliver(
        tmp_path,
        [
            {"title_id": "s-1", "name": "One", "licence_end": None},
            {"title_id": "Not An Id", "name": "Two", "licence_end": None},
            {"title_id": None, "name": "Three", "licence_end": None},
            {"title_id": "s-4", "name": " ", "licence_end": None},
            {"title_id": "s-5", "name": "Five", "licence_end": "someday"},
            {"title_id": "s-1", "name": "One again", "licence_end": None},
            {"title_id": "s-7", "name": "Seven", "licence_end": "2026-12-31"},
        ],
    )

    delivery = read_titles(path)

    assert delivery.accepted["title_id"].to_list() == ["s-1", "s-7"]
    assert delivery.accepted["name"].to_list() == ["One", "Seven"]
    reasons = rejections(delivery)
    assert list(reasons) == [1, 2, 3, 4, 5]
    assert "is not 1 to 64 of" in reasons[1]
    assert "is not 1 to 64 of" in reasons[2]
    assert reasons[3] == "name is missing"
    assert reasons[4] == "licence_end cannot be read"
    assert reasons[5] == "title_id was given before"


def test_a_repeated_id_is_good_where_the_first_was_refused(tmp_path):
    path = deliver(tmp_path, [{"title_id": "s-1", "name": ""}, {"title_id": "s-1", "name": "One"}])

    assert read_titles(path).accepted["name"].to_list() == ["One"]


def test_a_missing_file_is_an_empty_table_and_a_note(tmp_path):
    delivery = read_titles(tmp_path / "titles.parquet")

    assert delivery.accepted.is_empty()
    assert delivery.accepted.schema == pl.Schema(TITLE_COLUMNS)
    assert delivery.notes == [f"titles.parquet was not delivered to {tmp_path}"]


def test_a_file_that_is_no_table_is_refused_as_a_whole(tmp_path):
    path = tmp_path / "titles.parquet"
    path.write_bytes(b"not parquet")
    with pytest.raises(DropUnreadable, match="deliver it again"):
        read_titles(path)

    with pytest.raises(DropUnreadable, match="has no column title_id"):
        read_titles(deliver(tmp_path, [{"name": "One"}]))


def test_viewers_live_in_a_known_region(tmp_path):
    signed_up = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
    path = deliver(
        tmp_path,
        [
            {"viewer_id": "v-1", "region_id": "eu-north", "created_at": signed_up},
            {"viewer_id": "v-2", "region_id": "atlantis", "created_at": signed_up},
            {"viewer_id": "v-3", "region_id": None, "created_at": signed_up},
        ],
        "viewers.parquet",
    )

    delivery = read_viewers(path, {"eu-north"})

    assert delivery.accepted.schema == pl.Schema(VIEWER_COLUMNS)
    assert delivery.accepted.select("viewer_id", "created_at").rows() == [("v-1", dt.datetime(2026, 1, 1, 12))]
    assert rejections(delivery) == dict.fromkeys((1, 2), "region_id is no region of the seeds")


def test_a_description_beside_a_master_fills_in_what_the_drop_leaves_open(tmp_path):
    accepted = read_titles(deliver(tmp_path, [{"title_id": "a", "name": "Drop", "language": None}])).accepted
    described = {
        "a": TitleDescription(name="Sidecar", language="sv", genres=["war"]),
        "b": TitleDescription(name="Only beside", licence_end=dt.date(2030, 1, 1)),
    }
    merged = add_descriptions(accepted, described)
    assert merged.schema == pl.Schema(TITLE_COLUMNS)
    assert merged.select("title_id", "name", "language", "genres", "licence_end").rows() == [
        ("a", "Drop", "sv", ["war"], None),
        ("b", "Only beside", None, None, dt.date(2030, 1, 1)),
    ]
