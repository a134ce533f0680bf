import datetime as dt

import numpy as np
import polars as pl
import pytest

from ml.forecasting import DemandInputError, build_panel

DAY = dt.date(2026, 11, 10)


def demand(*rows):
    return pl.DataFrame(
        rows,
        schema={"region_id": pl.String, "title_id": pl.String, "event_day": pl.Date, "sessions": pl.Float64},
        orient="row",
    )


TITLES = pl.DataFrame({"title_id": ["a", "b"], "release_date": [DAY + dt.timedelta(days=3), None]})


def test_absent_days_are_zeros_and_today_is_not_history():
    panel = build_panel(
        demand(
            ("r", "b", DAY, 4.0),
            ("r", "b", DAY + dt.timedelta(days=2), 6.0),
            ("r", "b", DAY + dt.timedelta(days=3), 9.0),
        ),
        TITLES,
        today=DAY + dt.timedelta(days=3),
    )
    assert panel.values[0, panel.titles.index("b")].tolist() == [4.0, 0.0, 6.0]
    assert panel.observed.tolist() == [True, False, True]


def test_the_panel_ends_on_the_last_day_with_data():
    panel = build_panel(demand(("r", "b", DAY, 4.0)), TITLES, today=DAY + dt.timedelta(days=30))
    assert panel.day(panel.periods) == DAY + dt.timedelta(days=1)


def test_bad_rows_are_dropped_and_said():
    panel = build_panel(
        demand(("r", "b", DAY, float("nan")), ("r", "b", DAY, -3.0), (None, "b", DAY, 1.0), ("r", "b", DAY, 2.0)),
        TITLES,
        today=DAY + dt.timedelta(days=1),
    )
    assert panel.values.sum() == 2.0
    assert "3 of 4 demand rows dropped" in panel.notes[0]


def test_regions_without_history_and_titles_without_metadata_are_in_the_panel():
    panel = build_panel(
        demand(("r", "unlisted", DAY, 1.0)), TITLES, today=DAY + dt.timedelta(days=1), regions=["r", "quiet"]
    )
    assert panel.regions == ("quiet", "r")
    assert panel.titles == ("a", "b", "unlisted")
    assert np.isnan(panel.release_period[2])
    assert panel.release_period[0] == 3


def test_a_title_watched_before_its_release_date_came_out_when_first_watched():
    rows = demand(("r", "b", DAY, 1.0), ("r", "a", DAY + dt.timedelta(days=1), 1.0))
    panel = build_panel(rows, TITLES, today=DAY + dt.timedelta(days=2))
    assert panel.release_period[0] == 1
    assert panel.until(1).release_period[0] == 3


def test_a_missing_column_is_named():
    with pytest.raises(DemandInputError, match="sessions"):
        build_panel(pl.DataFrame({"region_id": ["r"], "title_id": ["a"], "event_day": [DAY]}), TITLES, today=DAY)
