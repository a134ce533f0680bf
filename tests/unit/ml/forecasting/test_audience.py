import datetime as dt

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from ml.forecasting import DemandInputError, deal_to_age_bands, stand_out
from ml.forecasting.audience import AUDIENCE_SCHEMA

DAYS = [dt.date(2026, 11, 22), dt.date(2026, 11, 23)]
TITLES = pl.DataFrame(
    {"title_id": ["cartoon", "drama", "fresh-cartoon"], "genres": [["animation"], ["drama"], ["animation", "family"]]}
)


def ahead(*rows):
    made = [(region, title, day, sessions) for region, title, sessions in rows for day in DAYS]
    return pl.DataFrame(made, schema=["region_id", "title_id", "day", "sessions"], orient="row")


def watched(*rows):
    schema = {"region_id": pl.String, "title_id": pl.String, "age_band": pl.String, "sessions": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


SEEN = watched(
    ("eu", "cartoon", "young", 900.0),
    ("eu", "cartoon", "old", 100.0),
    ("eu", "drama", "young", 100.0),
    ("eu", "drama", "old", 900.0),
)


def shares(dealt, region="eu"):
    rows = dealt.filter((pl.col("region_id") == region) & (pl.col("day") == DAYS[0]))
    sums = {title: rows.filter(pl.col("title_id") == title)["sessions"].sum() for title in rows["title_id"].unique()}
    return {(title, band): value / sums[title] for _, title, _, band, value in rows.iter_rows()}


def test_bands_add_up_and_a_title_goes_to_those_who_watch_it():
    forecast = ahead(("eu", "cartoon", 10.0), ("eu", "drama", 4.0), ("eu", "fresh-cartoon", 6.0))
    dealt = deal_to_age_bands(forecast, SEEN, TITLES)
    assert dealt.schema == AUDIENCE_SCHEMA
    sums = dealt.group_by("region_id", "title_id", "day").agg(pl.col("sessions").sum()).sort("title_id", "day")
    assert_frame_equal(sums, forecast.sort("title_id", "day"), check_column_order=False)
    share = shares(dealt)
    assert share["cartoon", "young"] > 0.85
    assert share["drama", "young"] < 0.15
    assert share["fresh-cartoon", "young"] > 0.7, "nobody saw it yet, but others of its genre"


def test_a_few_sessions_move_little_and_a_region_without_any_goes_by_all():
    few = watched(*SEEN.iter_rows(), ("eu", "fresh-cartoon", "old", 1.0))
    titles = TITLES.with_columns(genres=pl.lit(None, pl.List(pl.String)))
    forecast = ahead(("eu", "fresh-cartoon", 5.0), ("new", "drama", 5.0))
    dealt = deal_to_age_bands(forecast, few, titles)
    assert shares(dealt)["fresh-cartoon", "old"] == pytest.approx(0.5, abs=0.02)
    assert shares(dealt, "new")["drama", "old"] > 0.85


def test_titles_that_a_band_favours_stand_out():
    forecast = ahead(("eu", "cartoon", 10.0), ("eu", "drama", 10.0), ("eu", "fresh-cartoon", 10.0))
    found = stand_out(deal_to_age_bands(forecast, SEEN, TITLES), 1)
    assert found.select("age_band", "title_id").rows() == [("old", "drama"), ("young", "cartoon")]
    assert (found["more"] > 0).all()
    assert (found["more"] < found["sessions"]).all()


def test_without_any_viewing_there_is_nothing_to_deal_by_and_a_missing_column_is_named():
    forecast = ahead(("eu", "cartoon", 10.0))
    assert deal_to_age_bands(forecast, SEEN.clear(), TITLES).is_empty()
    assert deal_to_age_bands(forecast.clear(), SEEN, TITLES).is_empty()
    with pytest.raises(DemandInputError, match="age_band"):
        deal_to_age_bands(forecast, SEEN.drop("age_band"), TITLES)
