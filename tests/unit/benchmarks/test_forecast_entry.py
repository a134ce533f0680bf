"""The adapter is causal: no later rank reaches a forecast, and the calendar tells titles, not how they do."""

import datetime as dt
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from ml.forecasting import TrainingSettings

FIRST_WEEK = dt.date(2022, 1, 2)
WEEKS, ORIGIN = 26, 22
SMALL = TrainingSettings(horizon=2, min_periods=12, origins=4, origin_step=2, max_rows=8000, rounds=15)


def write_charts(path: Path, *, later_seed: int) -> None:
    """Six regions, two lists of ten; three titles come out a week. Ranks after the origin depend on the seed alone."""
    rows = []
    for week in range(WEEKS):
        for region in ("AA", "BB", "CC", "DD", "EE", "FF"):
            seed = [week, ord(region[0])] + ([later_seed] if week > ORIGIN else [])
            rng = np.random.default_rng(seed)
            for category in ("Films", "TV"):
                titles = [f"Name {born}-{n}: Season 1" for born in range(max(0, week - 5), week + 1) for n in range(3)]
                # one region lists every new title in its first week, whatever the seed: the calendar stays the same
                chosen = titles[-10:] if week > ORIGIN and region == "AA" else rng.permutation(titles)[:10]
                rows += [
                    (FIRST_WEEK + dt.timedelta(weeks=week), region, category, rank, title.split(":")[0], title)
                    for rank, title in enumerate(chosen, start=1)
                ]
    names = ["week", "region", "category", "rank", "show_title", "title"]
    pl.DataFrame(rows, schema=names, orient="row").write_parquet(path)


@pytest.mark.parametrize("calendar", [True, False])
def test_no_later_rank_changes_a_forecast(adapter, tmp_path, calendar):
    made = []
    for seed in (1, 2):
        write_charts(tmp_path / "charts.parquet", later_seed=seed)
        charts = adapter.read_charts(str(tmp_path / "charts.parquet"))
        origin = FIRST_WEEK + dt.timedelta(weeks=ORIGIN)
        made.append(adapter.forecast_charts(charts, [origin], [1, 2], calendar=calendar, settings=SMALL))
    assert_frame_equal(made[0], made[1])
    coming = set(charts.filter(pl.col("event_day") == origin + dt.timedelta(weeks=1))["name"]) - set(
        charts.filter(pl.col("event_day") <= origin)["name"]
    )
    forecast_titles = set(made[0].filter(pl.col("horizon") == 1)["title"])
    assert len(coming) >= 3
    assert bool(coming & forecast_titles) == calendar


def test_the_score_ranks_by_the_mean_what_the_median_calls_nothing(adapter, tmp_path):
    write_charts(tmp_path / "charts.parquet", later_seed=1)
    charts = adapter.read_charts(str(tmp_path / "charts.parquet"))
    origin = FIRST_WEEK + dt.timedelta(weeks=ORIGIN)
    made = adapter.forecast_charts(charts, [origin], [1], calendar=True, settings=SMALL)
    assert set(made["category"]) == {"Films", "TV"}
    assert (made["score"] > 0).all()
    assert (made["score"] - made["q50"]).max() < 0.01
