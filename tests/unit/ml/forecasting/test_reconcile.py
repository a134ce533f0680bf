import datetime as dt

import numpy as np
import polars as pl
import pytest

from ml.forecasting import build_panel, forecast, reconcile
from ml.forecasting.season import learn_movement

TODAY = dt.date(2026, 11, 30)  # a Monday


def panel_of(days=28):
    rows = [
        (
            region,
            "a",
            TODAY - dt.timedelta(days=back),
            count * (2 if (TODAY - dt.timedelta(days=back)).weekday() == 5 else 1),
        )
        for back in range(1, days + 1)
        for region, count in (("eu", 70), ("us", 7))
    ]
    demand = pl.DataFrame(rows, schema=["region_id", "title_id", "event_day", "sessions"], orient="row")
    titles = pl.DataFrame({"title_id": ["a"]})
    return build_panel(demand, titles, today=TODAY, regions=["eu", "new", "us"]), demand, titles


def test_a_region_as_a_whole_goes_on_as_in_its_last_week_and_by_weekday():
    panel, _, _ = panel_of()
    movement = learn_movement(panel)
    week = np.array([reconcile.expect_totals(panel, movement, horizon) for horizon in range(1, 8)])
    assert week.mean(axis=0) == pytest.approx([80.0, 0.0, 8.0])
    assert week[5, 0] > 1.5 * week[0, 0]


@pytest.mark.parametrize("opened", [1, 3, 6])
def test_a_region_that_opened_days_ago_is_taken_as_it_is_since(opened):
    panel, demand, titles = panel_of()
    since = TODAY - dt.timedelta(days=opened)
    late = demand.filter((pl.col("region_id") == "eu") | (pl.col("event_day") >= since))
    whole = build_panel(demand, titles, today=TODAY)
    panel = build_panel(late, titles, today=TODAY)
    expected = reconcile.expect_totals(panel, learn_movement(whole), 1)
    assert expected[1] == pytest.approx(expected[0] / 10, rel=0.15), "weekdays are known to within a prior alone"


def test_before_the_first_day_no_total_is_expected():
    panel = build_panel(panel_of()[1].clear(), pl.DataFrame({"title_id": ["a"]}), today=TODAY, regions=["eu", "us"])
    assert reconcile.expect_totals(panel, learn_movement(panel), 1).tolist() == [0.0, 0.0]


def test_sums_meet_half_way_and_titles_share_the_difference_in_proportion():
    expected = np.array([[6.0, 2.0], [6.0, 2.0], [0.0, 0.0]])
    made = reconcile.reconcile(expected, np.array([12.0, 0.0, 5.0]))
    assert made.tolist() == [[7.5, 2.5], [6.0, 2.0], [0.0, 0.0]], "unknown regions and silent titles stay as they are"


def test_what_is_published_is_reconciled(monkeypatch):
    _, demand, titles = panel_of()

    def sums_at(weight):
        monkeypatch.setattr(reconcile, "TOTALS_WEIGHT", weight)
        ahead = forecast(None, demand, titles, today=TODAY, regions=["eu", "new", "us"])
        return ahead.group_by("region_id", "day").agg(pl.col("sessions").sum()).sort("region_id", "day")["sessions"]

    alone, half, whole = (sums_at(weight).to_numpy() for weight in (0.0, 0.5, 1.0))
    assert half == pytest.approx((alone + whole) / 2)
    known = np.abs(alone - whole) > 1e-6
    assert known.reshape(3, 7).any(axis=1).tolist() == [True, False, True], (
        "of a new region nothing is known as a whole"
    )


def test_a_sum_of_next_to_nothing_is_not_believed_without_limit():
    made = reconcile.reconcile(np.array([[1e-6, 3e-6], [50.0, 50.0]]), np.array([400.0, 1e-3]))
    most = 1.0 + reconcile.TOTALS_WEIGHT * (reconcile.LARGEST_RATIO - 1.0)
    least = 1.0 + reconcile.TOTALS_WEIGHT * (1.0 / reconcile.LARGEST_RATIO - 1.0)
    assert made[0] == pytest.approx([1e-6 * most, 3e-6 * most])
    assert made[1] == pytest.approx([50.0 * least, 50.0 * least])
