import datetime as dt

import numpy as np
import polars as pl
import pytest
from scipy.stats import poisson

from ml.forecasting.nowcast import (
    MIN_EXCESS_SESSIONS,
    foretell_a_day_ahead,
    hold_against_band,
    measure_pace,
    renew,
    share_of_day,
)

DAY = dt.datetime(2026, 11, 21)


def forecast_of(means):
    means = np.asarray(means, dtype=np.float64)
    return pl.DataFrame(
        {
            "title_id": [f"t-{index:03d}" for index in range(len(means))],
            "sessions": means,
            "q10": poisson.ppf(0.1, means).astype(np.float64),
            "q90": poisson.ppf(0.9, means).astype(np.float64),
        }
    )


def seen_of(**counts):
    rows = [(name.replace("_", "-"), count) for name, count in counts.items()]
    return pl.DataFrame(rows, schema={"title_id": pl.String, "sessions": pl.Int64}, orient="row")


def test_the_share_of_a_day_is_that_of_the_days_before_and_even_without_any():
    evening = pl.Series([DAY + dt.timedelta(hours=20, minutes=minute % 60) for minute in range(400)])
    assert share_of_day(evening, dt.time(12)) < 0.05
    assert share_of_day(evening, dt.time(23)) > 0.95
    assert share_of_day(evening.clear(), dt.time(6)) == pytest.approx(0.25)


def test_a_day_that_goes_as_forecast_stays_within_the_band():
    rng = np.random.default_rng(3)
    means = 60.0 / np.arange(1, 301)
    forecast = forecast_of(means)
    above = []
    for share in (0.1, 0.35, 0.6, 0.9) * 10:
        seen = forecast.select("title_id", pl.Series("sessions", rng.poisson(means * share)))
        pace = measure_pace(forecast, seen, share)
        assert not pace.leaves_band, pace.describe()
        assert pace.expected == pytest.approx(means.sum() * share)
        above.append((pace.titles["excess"] > 0).mean())
    assert np.mean(above) < 0.1, "of 10 titles at most one is above its 90 % quantile by chance"


def test_a_title_that_nobody_foretold_takes_the_region_out_of_its_band():
    pace = measure_pace(forecast_of([10.0, 5.0]), seen_of(t_000=5, t_001=2, new=40), 0.5)
    assert pace.leaves_band
    assert pace.titles.row(0, named=True).items() >= {"title_id": "new", "forecast": 0.0, "excess": 40.0}.items()
    assert "outside the band: 47 sessions, 7.5 expected, 40 above" in pace.describe()


def test_few_sessions_prove_nothing_and_a_small_share_of_many_neither():
    few = measure_pace(forecast_of([1.0]), seen_of(t_000=int(MIN_EXCESS_SESSIONS) + 1), 0.5)
    assert not few.leaves_band
    many = measure_pace(forecast_of([100_000.0]), seen_of(t_000=50_000, new=2_000), 0.5)
    assert many.excess >= 2_000
    assert not many.leaves_band


def test_an_empty_house_leaves_nothing_to_bring():
    pace = measure_pace(forecast_of([100.0]), seen_of(), 0.5)
    assert pace.absent == 37  # the 10 % quantile of the day is 87: 43.5 of them by now, less 6 for chance
    assert not pace.leaves_band


def test_only_what_left_its_band_is_renewed():
    forecast = forecast_of([10.0, 4.0])
    pace = measure_pace(forecast, seen_of(t_000=5, t_001=12), 0.5)
    renewed = {row["title_id"]: row for row in renew(forecast, pace).iter_rows(named=True)}
    assert renewed["t-000"]["sessions"] == 10.0
    assert renewed["t-001"]["sessions"] == pytest.approx((4.0 + 12) / 1.5)
    assert renewed["t-001"]["q90"] == pytest.approx((4.0 + 12) / 1.5)
    # what a plan was made from is what the next look goes by
    again = hold_against_band(renew(forecast, pace), seen_of(t_001=12), 0.5)
    assert again.filter(pl.col("title_id") == "t-001")["excess"].item() < 12 - 5


def test_a_day_ahead_is_the_rest_of_this_one_and_the_first_part_of_the_next():
    pace = measure_pace(forecast_of([10.0]), seen_of(t_000=2), 0.25)
    ahead = foretell_a_day_ahead(forecast_of([10.0]), forecast_of([20.0]), pace)
    assert ahead.rows() == [("t-000", 0.75 * 10.0 + 0.25 * 20.0)]
