import datetime as dt

import numpy as np
import polars as pl
import pytest

from ml.forecasting import FALLBACK, Signals, build_panel, forecast
from ml.forecasting.fallback import learn_level, persistence
from ml.forecasting.season import learn_movement

START = dt.date(2026, 11, 2)  # a Monday


def frame(rows):
    return pl.DataFrame(rows, schema=["region_id", "title_id", "event_day", "sessions"], orient="row")


def days(count):
    return [START + dt.timedelta(days=index) for index in range(count)]


NO_TITLES = pl.DataFrame({"title_id": []}, schema={"title_id": pl.String})


def test_a_steady_title_is_forecast_as_it_was():
    ahead = forecast(None, frame([("r", "a", day, 50) for day in days(21)]), NO_TITLES, today=days(22)[-1])
    assert ahead["model"].unique().to_list() == [FALLBACK]
    assert np.allclose(ahead["sessions"], 50, rtol=0.02)
    assert ahead["day"].to_list() == [START + dt.timedelta(days=21 + index) for index in range(7)]


def test_the_weekday_is_learned():
    rows = [("r", "a", day, 200 if day.weekday() == 5 else 100) for day in days(28)]
    ahead = forecast(None, frame(rows), NO_TITLES, today=days(29)[-1])
    saturday = ahead.filter(pl.col("day").dt.weekday() == 6)["sessions"].item()
    monday = ahead.filter(pl.col("day").dt.weekday() == 1)["sessions"].item()
    assert 1.6 < saturday / monday < 2.1


def test_demand_decays_with_age_as_past_titles_did():
    rows, titles = [("r", "old", day, 300) for day in days(28)], [{"title_id": "old", "release_date": None}]
    for index, out in enumerate([0, 4, 8, 12, 16, 20, 26]):
        titles.append({"title_id": f"n{index}", "release_date": START + dt.timedelta(days=out)})
        rows += [("r", f"n{index}", day, int(400 * 0.8**age)) for age, day in enumerate(days(28)[out:])]
    panel = build_panel(
        frame(rows), pl.DataFrame(titles, schema_overrides={"release_date": pl.Date}), today=days(29)[-1]
    )
    decay = learn_movement(panel).log_decay
    assert decay[3] < decay[2] < decay[1] < 0
    assert 0.45 < np.exp(decay[3]) < 0.75
    ahead = forecast(
        None, frame(rows), pl.DataFrame(titles, schema_overrides={"release_date": pl.Date}), today=days(29)[-1]
    )
    newest = ahead.filter(pl.col("title_id") == "n6").sort("day")["sessions"].to_list()
    assert newest[6] < 0.5 * newest[0]


def test_a_coming_release_is_forecast_from_past_debuts_and_nothing_before_its_day():
    titles = pl.DataFrame(
        {
            "title_id": ["old", "debut", "coming"],
            "release_date": [None, START + dt.timedelta(days=10), START + dt.timedelta(days=23)],
        }
    )
    rows = [("r", "old", day, 100) for day in days(21)] + [("r", "debut", day, 80) for day in days(21)[10:]]
    ahead = forecast(None, frame(rows), titles, today=days(22)[-1]).filter(pl.col("title_id") == "coming").sort("day")
    assert ahead["sessions"][:2].to_list() == [0.0, 0.0]
    assert ahead["sessions"][2] > 40


def test_a_region_without_history_takes_the_others_mean():
    rows = [(region, "a", day, 60) for day in days(14) for region in ("x", "y")]
    ahead = forecast(None, frame(rows), NO_TITLES, today=days(15)[-1], regions=["x", "y", "quiet"])
    quiet = ahead.filter(pl.col("region_id") == "quiet")["sessions"]
    assert len(quiet) == 7
    assert (quiet > 30).all()


def test_a_title_that_jumps_goes_by_its_last_days_and_a_steady_one_by_all():
    noise = np.random.default_rng(4).poisson(20, 28)
    rows = [("r", "jumps", day, 10 if index < 24 else 200) for index, day in enumerate(days(28))]
    rows += [("r", "steady", day, int(noise[index])) for index, day in enumerate(days(28))]
    ahead = forecast(None, frame(rows), NO_TITLES, today=days(29)[-1])
    mean = dict(ahead.group_by("title_id").agg(pl.col("sessions").mean()).iter_rows())
    assert mean["jumps"] > 120
    assert abs(mean["steady"] - 20) < 2.5


def test_a_title_that_nobody_watched_goes_by_the_other_regions_and_one_watched_much_by_itself():
    rows = [("x", "a", day, 10) for day in days(20)] + [("x", "b", day, 10) for day in days(20)]
    rows += [("y", "b", day, 100) for day in days(20)] + [("y", "c", day, 100) for day in days(20)]
    ahead = forecast(None, frame(rows), NO_TITLES, today=days(21)[-1])
    mean = dict(
        ahead.filter(pl.col("region_id") == "x").group_by("title_id").agg(pl.col("sessions").mean()).iter_rows()
    )
    assert 0 < mean["c"] < 2
    assert abs(mean["a"] - 10) < 1.5


def test_an_outage_is_not_taken_for_a_day_without_viewers():
    rows = [("r", "a", day, 50) for index, day in enumerate(days(21)) if index not in (15, 16, 17)]
    ahead = forecast(None, frame(rows), NO_TITLES, today=days(22)[-1])
    assert np.allclose(ahead["sessions"], 50, rtol=0.05)


def test_empty_history_gives_zeros_for_every_region_and_title():
    titles = pl.DataFrame({"title_id": ["a", "b"]})
    empty = frame([]).cast({"region_id": pl.String, "title_id": pl.String, "event_day": pl.Date, "sessions": pl.Int64})
    ahead = forecast(None, empty, titles, today=START, regions=["r"])
    assert len(ahead) == 14
    assert ahead["sessions"].sum() == 0.0


def test_three_days_of_history_are_enough():
    ahead = forecast(None, frame([("r", "a", day, 10) for day in days(3)]), NO_TITLES, today=days(4)[-1])
    assert np.allclose(ahead["sessions"], 10, rtol=0.1)


def test_persistence_is_the_mean_of_the_last_observed_week():
    panel = build_panel(
        frame([("r", "a", day, index) for index, day in enumerate(days(10), start=1)]), NO_TITLES, today=days(11)[-1]
    )
    assert persistence(panel)[0, 0] == np.mean(range(4, 11))
    assert learn_level(panel).sessions.shape == (1, 1)


TODAY = dt.date(2026, 11, 30)  # a Monday
HOLIDAYS = [TODAY - dt.timedelta(days=back) for back in (38, 30, 26, 18, 10)]


def festive_demand(today, days=42, lift=2.0):
    """Every day is like every other but the holidays, which only one region has."""
    rows = []
    for back in range(1, days + 1):
        day = today - dt.timedelta(days=back)
        rows += [("eu", f"t{title}", day, 20.0 * (lift if day in HOLIDAYS else 1.0)) for title in range(4)]
        rows += [("us", f"t{title}", day, 20.0) for title in range(4)]
    return pl.DataFrame(rows, schema=["region_id", "title_id", "event_day", "sessions"], orient="row")


def test_a_coming_holiday_has_what_past_ones_had_and_past_ones_raise_no_other_day():
    titles = pl.DataFrame({"title_id": [f"t{title}" for title in range(4)]})
    coming = TODAY + dt.timedelta(days=2)
    calendar = pl.DataFrame({"region_id": ["eu"] * 6, "day": [*HOLIDAYS, coming]})
    demand = festive_demand(TODAY)

    def ahead(holidays):
        made = forecast(None, demand, titles, today=TODAY, horizon_days=4, signals=Signals(holidays=holidays))
        table = made.group_by("region_id", "day").agg(pl.col("sessions").sum())
        return {(region, (day - TODAY).days): sessions for region, day, sessions in table.iter_rows()}

    told, untold = ahead(calendar), ahead(calendar.clear())
    assert told["eu", 2] > 1.5 * told["eu", 1]
    assert told["us", 2] == pytest.approx(told["us", 1], rel=0.05)
    assert [told["eu", day] for day in (0, 1, 3)] == pytest.approx([80.0] * 3, rel=0.1)
    assert untold["eu", 2] < 1.2 * untold["eu", 1]


def test_one_holiday_is_not_taken_at_its_word_and_none_changes_nothing():
    panel = build_panel(
        festive_demand(TODAY, days=12),
        pl.DataFrame({"title_id": ["t0"]}),
        today=TODAY,
        signals=Signals(holidays=pl.DataFrame({"region_id": ["eu"], "day": [HOLIDAYS[-1]]})),
    )
    assert 1.2 < learn_movement(panel).holiday_factor < 1.6
    elsewhere = build_panel(
        festive_demand(TODAY),
        pl.DataFrame({"title_id": ["t0"]}),
        today=TODAY,
        signals=Signals(holidays=pl.DataFrame({"region_id": ["moon"], "day": [TODAY]})),
    )
    assert learn_movement(elsewhere).holiday_factor == 1.0


def test_nothing_is_expected_of_a_title_outside_its_licence_and_its_absence_is_no_sign_of_dislike():
    demand = festive_demand(TODAY, lift=1.0).filter(
        (pl.col("title_id") != "t1") | (pl.col("event_day") >= TODAY - dt.timedelta(days=2))
    )
    titles = pl.DataFrame(
        {
            "title_id": ["t0", "t1", "t2", "t3"],
            "licence_start": [None, TODAY - dt.timedelta(days=2), None, TODAY + dt.timedelta(days=1)],
            "licence_end": [TODAY + dt.timedelta(days=1), None, None, None],
        }
    )
    made = forecast(None, demand, titles, today=TODAY, horizon_days=4).filter(pl.col("region_id") == "eu")
    by_day = {
        title: made.filter(pl.col("title_id") == title).sort("day")["sessions"].to_list()
        for title in titles["title_id"]
    }
    assert by_day["t0"][2:] == [0.0, 0.0]
    assert min(by_day["t0"][:2]) > 10
    assert by_day["t3"][0] == 0.0
    assert min(by_day["t3"][1:]) > 10
    assert by_day["t1"][0] > 0.7 * by_day["t2"][0], "it was watched every day of its licence"
    assert made.filter(pl.col("sessions") == 0).select("q50", "q90").sum().row(0) == (0.0, 0.0)


def test_a_region_without_history_goes_by_those_it_is_like_and_by_itself_once_it_has_some():
    taste = {"a": {"x": 90.0, "y": 10.0}, "b": {"x": 10.0, "y": 90.0}, "new": {"x": 10.0, "y": 90.0}}
    rows = [
        (region, title, TODAY - dt.timedelta(days=back), sessions)
        for back in range(1, 29)
        for region, likes in taste.items()
        for title, sessions in likes.items()
    ]
    demand = pl.DataFrame(rows, schema=["region_id", "title_id", "event_day", "sessions"], orient="row")
    likeness = pl.DataFrame({"region_id": ["new", "new"], "other_id": ["a", "b"], "likeness": [0.9, 0.1]})

    def share_of_x(opened, likeness=likeness):
        seen = demand.filter(
            (pl.col("region_id") != "new") | (pl.col("event_day") >= TODAY - dt.timedelta(days=opened))
        )
        level = learn_level(
            build_panel(seen, NO_TITLES, today=TODAY, regions=["a", "b", "new"], signals=Signals(likeness=likeness))
        )
        return level.pooled[2, 0] / level.pooled[2].sum()

    assert share_of_x(0) == pytest.approx(0.9 * 0.9 + 0.1 * 0.1, abs=0.02)
    assert share_of_x(0, likeness.clear()) == pytest.approx(0.5, abs=0.02)
    assert share_of_x(28) < 0.2, "what it watched is what the other region watches"
    nobody = likeness.with_columns(likeness=0.0)
    assert share_of_x(0, nobody) == pytest.approx(0.5, abs=0.02)
