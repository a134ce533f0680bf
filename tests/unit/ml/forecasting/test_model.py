from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from ml.forecasting import MODEL, TooLittleHistory, TrainingSettings, build_panel, fit, forecast
from ml.forecasting.features import view_origin
from ml.forecasting.model import DemandModel, predict, train

SMALL = TrainingSettings(origins=6, rounds=40, max_rows=8000)


@pytest.fixture(scope="module")
def model(market) -> DemandModel:
    return fit(market.demand, market.titles, today=market.today, settings=SMALL)


def test_the_forecast_has_every_pair_and_day_and_ordered_quantiles(market, model):
    ahead = forecast(model, market.demand, market.titles, today=market.today)
    assert len(ahead) == 3 * 60 * 7
    assert ahead.select("region_id", "title_id", "day").is_duplicated().sum() == 0
    assert ahead["model"].unique().to_list() == [MODEL]
    assert ahead["day"].min() == market.today
    assert ahead.select(pl.col("sessions", "q10", "q50", "q90").is_finite().all()).row(0) == (True,) * 4
    assert ahead.filter((pl.col("q10") > pl.col("q50")) | (pl.col("q50") > pl.col("q90"))).is_empty()


def test_the_forecast_total_is_near_the_actual_one(market_with_future, model):
    ahead = forecast(model, market_with_future.demand, market_with_future.titles, today=market_with_future.today)
    first, last = ahead["day"].min(), ahead["day"].max()
    actual = market_with_future.demand.filter(pl.col("event_day").is_between(first, last))["sessions"].sum()
    assert 0.85 < ahead["sessions"].sum() / actual < 1.15


def test_training_is_deterministic(market):
    first = fit(market.demand, market.titles, today=market.today, settings=SMALL)
    second = fit(
        market.demand.sample(fraction=1.0, shuffle=True, seed=5), market.titles, today=market.today, settings=SMALL
    )
    for one, other in zip(
        (*first.boosters, *first.chance_boosters), (*second.boosters, *second.chance_boosters), strict=True
    ):
        assert one.model_to_string() == other.model_to_string()
    assert_frame_equal(first.importance, second.importance)
    assert first.importance.select("sessions", "chance").sum().row(0) == pytest.approx((1.0, 1.0))


def test_members_differ_and_their_mean_is_the_forecast(market):
    settings = replace(SMALL, members=2)
    panel = build_panel(market.demand, market.titles, today=market.today)
    both = train(panel, settings)
    one, other = (member.model_to_string() for member in both.boosters)
    assert one != other
    view = view_origin(panel)
    apart = [
        predict(replace(both, boosters=both.boosters[of], chance_boosters=both.chance_boosters[of]), view, 3).chance
        for of in (slice(0, 1), slice(1, 2))
    ]
    assert np.abs(apart[0] - apart[1]).max() > 1e-3
    assert predict(both, view, 3).chance == pytest.approx((apart[0] + apart[1]) / 2)


def test_the_chance_tells_how_often_a_title_is_watched(market_with_future, model):
    today = market_with_future.today
    ahead = forecast(model, market_with_future.demand, market_with_future.titles, today=today)
    watched = market_with_future.demand.select(
        "region_id", "title_id", pl.col("event_day").alias("day"), came="sessions"
    )
    joined = ahead.join(watched, on=["region_id", "title_id", "day"], how="left").with_columns(pl.col("came") > 0)
    assert joined["chance"].is_between(0, 1).all()
    low, high = (
        joined.filter(pl.col("chance").is_between(*bounds))["came"].fill_null(value=False).mean()
        for bounds in ((0.0, 0.3), (0.7, 1.0))
    )
    assert low < 0.35
    assert high > 0.65


def test_later_days_change_nothing(market, market_with_future, model):
    """Causality: what happens from today on, new titles included, cannot reach a forecast."""
    surprise = pl.DataFrame(
        {"region_id": ["atlantis"], "title_id": ["zzz"], "event_day": [market.today], "sessions": [10**6]}
    )
    later = pl.concat([market_with_future.demand, surprise])
    again = fit(later, market.titles, today=market.today, settings=SMALL)
    assert again.boosters[0].model_to_string() == model.boosters[0].model_to_string()
    known = market.demand.filter(pl.col("event_day") < market.today)
    assert_frame_equal(
        forecast(again, later, market.titles, today=market.today),
        forecast(model, known, market.titles, today=market.today),
    )


def test_titles_are_not_watched_before_they_come_out(market, model):
    ahead = forecast(model, market.demand, market.titles, today=market.today).join(market.titles, on="title_id")
    early = ahead.filter(pl.col("day") < pl.col("release_date"))
    assert len(early) > 0
    assert early.select(pl.col("sessions", "q90").sum()).row(0) == (0.0, 0.0)


def test_fourteen_days_ahead_work(market, model):
    ahead = forecast(model, market.demand, market.titles, today=market.today, horizon_days=14)
    assert ahead["day"].n_unique() == 14
    assert np.isfinite(ahead["sessions"].to_numpy()).all()


def test_an_unseen_title_and_missing_metadata_are_forecast(market, model):
    titles = pl.concat([market.titles.select("title_id"), pl.DataFrame({"title_id": ["never-seen"]})])
    ahead = forecast(model, market.demand, titles, today=market.today)
    unseen = ahead.filter(pl.col("title_id") == "never-seen")
    assert len(unseen) == 21
    assert unseen["sessions"].is_finite().all()


def test_too_little_history_is_said(market):
    few = market.demand.filter(pl.col("event_day") >= pl.col("event_day").max().dt.offset_by("-5d"))
    with pytest.raises(TooLittleHistory, match="complete periods"):
        fit(few, market.titles, today=market.today)
