import datetime as dt

import numpy as np
import polars as pl
import pytest

from ml.forecasting import DemandInputError, Signals, fit, forecast
from ml.forecasting.features import feature_names, view_origin
from ml.forecasting.model import TrainingSettings
from ml.forecasting.panel import build_panel

QUICK = TrainingSettings(origins=4, rounds=20, max_rows=4000, horizon=3)


@pytest.fixture(scope="module")
def mentions(market) -> pl.DataFrame:
    """Talk that leads viewing by two days, one mention a session."""
    lead = market.demand.with_columns(day=pl.col("event_day") - dt.timedelta(days=2)).rename({"sessions": "mentions"})
    return lead.select("day", "region_id", "title_id", "mentions")


def panel_of(market, mentions, today=None):
    signals = Signals() if mentions is None else Signals(mentions=mentions)
    return build_panel(market.demand, market.titles, today=today or market.today, signals=signals)


def till(mentions, last_day):
    return mentions.filter(pl.col("day") <= last_day)


def test_mentions_stand_at_their_region_title_and_day(market, mentions):
    whole = pl.concat([mentions, mentions.filter(pl.col("day") == mentions["day"].max()).with_columns(
        day=pl.lit(market.today - dt.timedelta(days=1)))])  # fmt: skip
    panel = panel_of(market, whole)
    row = whole.row(-1, named=True)
    at = panel.regions.index(row["region_id"]), panel.titles.index(row["title_id"])
    assert panel.mentions is not None
    assert panel.mentions.shape == panel.values.shape
    assert panel.mentions[(*at, -1)] == row["mentions"]
    # the last day but one has no feed: that is an outage and not silence
    assert np.isnan(panel.mentions[:, :, -2]).all()


def test_what_is_said_from_the_origin_on_changes_nothing(market, mentions):
    """At an origin the features know the mentions of the days before it and of no later one."""
    origin = market.today - dt.timedelta(days=10)
    loud = mentions.with_columns(
        mentions=pl.when(pl.col("day") >= origin).then(pl.col("mentions") * 1000).otherwise(pl.col("mentions"))
    )
    quiet, shouted, silent = (
        view_origin(panel_of(market, said, origin)).by_pair
        for said in (mentions, loud, till(mentions, origin - dt.timedelta(days=1)))
    )
    for name in quiet:
        np.testing.assert_array_equal(quiet[name], shouted[name], err_msg=name)
        np.testing.assert_array_equal(quiet[name], silent[name], err_msg=name)
    louder_before = mentions.with_columns(mentions=pl.col("mentions") * 2)
    assert (view_origin(panel_of(market, louder_before, origin)).by_pair["mentions_now"] > quiet["mentions_now"]).any()


def test_without_a_feed_the_model_sees_what_it_always_saw(market, mentions):
    origin = market.today - dt.timedelta(days=10)
    names = set(feature_names(view_origin(panel_of(market, mentions, origin))))
    plain = set(feature_names(view_origin(panel_of(market, None, origin))))
    assert names - plain == {"mentions_now", "mentions_rise", "mentions_over_base", "mentions_elsewhere"}
    assert panel_of(market, mentions.clear(), origin).mentions is None


def test_a_feed_that_went_quiet_is_not_taken_for_silence(market, mentions):
    stale = till(mentions, market.today - dt.timedelta(days=5))
    panel = panel_of(market, stale)
    assert panel.mentions is None
    assert any("feed says nothing of the last complete day" in note for note in panel.notes)


def test_rows_of_other_titles_and_impossible_numbers_are_left_out(market, mentions):
    origin = market.today - dt.timedelta(days=10)
    odd = pl.DataFrame(
        {
            "day": [origin - dt.timedelta(days=1)] * 4,
            "region_id": ["eu-north", "atlantis", "eu-north", "eu-north"],
            "title_id": ["nobody", "t-001", "t-001", "t-001"],
            "mentions": [5.0, 5.0, float("nan"), -5.0],
        }
    )
    plain = panel_of(market, mentions, origin)
    with_odd = panel_of(market, pl.concat([mentions.cast({"mentions": pl.Float64}), odd]), origin)
    np.testing.assert_array_equal(plain.mentions, with_odd.mentions)
    with pytest.raises(DemandInputError, match="lacks"):
        panel_of(market, mentions.drop("day"))


def test_a_title_that_is_talked_about_is_forecast_higher(market, mentions):
    """Of two titles that come out tomorrow alike, the one that is talked about is expected to be watched more."""
    origin = market.today - dt.timedelta(days=10)
    settled = fit(market.demand, market.titles, today=origin, settings=QUICK, signals=Signals(mentions=mentions))
    assert settled.importance.filter(pl.col("feature").str.starts_with("mentions"))["sessions"].sum() > 0.02
    newcomers = ["new-a", "new-b"]
    titles = pl.concat(
        [
            market.titles,
            market.titles.filter(pl.col("title_id") == "t-004").head(1).join(
                pl.DataFrame({"title": newcomers}), how="cross"
            ).with_columns(title_id=pl.col("title"), release_date=pl.lit(origin)).drop("title"),
        ]
    )  # fmt: skip
    talk = pl.DataFrame(
        {
            "day": [origin - dt.timedelta(days=back) for back in (2, 1)] * 3,
            "region_id": np.repeat(["ap-south", "eu-north", "sa-east"], 2),
            "title_id": ["new-a"] * 6,
            "mentions": [200] * 6,
        }
    ).cast(mentions.schema)
    ahead = forecast(
        settled,
        market.demand,
        titles,
        today=origin,
        horizon_days=3,
        signals=Signals(mentions=pl.concat([mentions, talk])),
    )
    sums = dict(ahead.group_by("title_id").agg(pl.col("sessions").sum()).iter_rows())
    assert sums["new-a"] > 1.2 * sums["new-b"]


def test_a_model_that_knew_mentions_still_forecasts_on_a_day_without_them(market, mentions):
    origin = market.today - dt.timedelta(days=10)
    settled = fit(market.demand, market.titles, today=origin, settings=QUICK, signals=Signals(mentions=mentions))
    ahead = forecast(settled, market.demand, market.titles, today=origin, horizon_days=2)
    assert ahead["sessions"].is_finite().all()
    assert ahead["sessions"].sum() > 0
