import datetime as dt

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from ml.forecasting import FALLBACK, MODEL, BacktestResult, TrainingSettings, backtest, choose
from ml.forecasting.backtest import EXAMPLES_SCHEMA, METHODS, PERSISTENCE

SMALL = TrainingSettings(origins=5, rounds=30, max_rows=6000)


@pytest.fixture(scope="module")
def result(market) -> BacktestResult:
    return backtest(market.demand, market.titles, today=market.today, settings=SMALL, origins=2, top_k=5)


def test_all_methods_are_scored_in_the_same_run(result):
    assert result.metrics.filter(pl.col("horizon") == 0)["method"].to_list() == list(METHODS)
    assert result.metrics.group_by("method").len()["len"].to_list() == [8, 8, 8]
    sessions = result.metrics.filter(pl.col("horizon") == 3)["sessions"].unique()
    assert len(sessions) == 1


def test_every_origin_has_all_its_horizons_on_complete_days(result, market):
    assert [(market.today - day).days for day in result.origins] == [11, 7]


def test_the_fallback_beats_persistence_where_titles_decay(result):
    assert result.metric(FALLBACK, "wape_total") < result.metric(PERSISTENCE, "wape_total")


def test_examples_show_actual_and_forecast(result):
    assert result.examples["region_id"].n_unique() == 3
    assert result.examples.filter(pl.col("actual") > 0).height > 0
    assert result.examples.select("region_id", "title_id", "day").is_duplicated().sum() == 0


def test_a_backtest_does_not_see_today_or_later(result, market_with_future):
    again = backtest(
        market_with_future.demand,
        market_with_future.titles,
        today=market_with_future.today,
        settings=SMALL,
        origins=2,
        top_k=5,
    )
    assert again.origins == result.origins
    assert_frame_equal(again.metrics, result.metrics)


def test_without_history_the_fallback_is_chosen_and_the_reason_said(market):
    few = market.demand.filter(pl.col("event_day") >= market.today - dt.timedelta(days=3))
    choice = choose(backtest(few, market.titles, today=market.today, settings=SMALL))
    assert choice.published == FALLBACK
    assert "no model" in choice.reason


def verdict_of(**wape: float) -> BacktestResult:
    rows = [{"method": method, "horizon": 0, "wape_total": value} for method, value in wape.items()]
    return BacktestResult(
        metrics=pl.DataFrame(rows), examples=pl.DataFrame(schema=EXAMPLES_SCHEMA), origins=(), top_k=5
    )


@pytest.mark.parametrize(
    ("persistence", "fallback", "model", "published"),
    [(0.5, 0.4, 0.3, MODEL), (0.3, 0.4, 0.35, FALLBACK), (0.5, 0.3, 0.4, FALLBACK), (0.4, 0.4, 0.4, FALLBACK)],
)
def test_the_model_is_published_only_if_it_beats_both(persistence, fallback, model, published):
    choice = choose(verdict_of(**{PERSISTENCE: persistence, FALLBACK: fallback, MODEL: model}))
    assert choice.published == published
    assert f"{model:.3f}" in choice.reason
