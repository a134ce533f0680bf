import datetime as dt

import polars as pl
import pytest

from orchestration.defs.edge.pace import measure_region
from orchestration.defs.edge.planning import PlanConfig

DAY = dt.date(2026, 11, 22)
REGION = "eu-north"
FORECAST = pl.DataFrame(
    {"region_id": [REGION], "title_id": ["t-00"], "day": [DAY], "sessions": [4.0], "q10": [1.0], "q90": [8.0]}
)
REQUESTS = pl.DataFrame({"started_at": [dt.datetime(2026, 11, 22, hour) for hour in (0, 3, 6, 9)]}).select(
    pl.lit(REGION).alias("region_id"), pl.lit("t-00").alias("title_id"), "started_at"
)


def at(hour):
    return dt.datetime(2026, 11, 22, hour, tzinfo=dt.UTC)


@pytest.mark.parametrize(("known_at", "sessions"), [(None, 4), (at(3), 2), (at(9), 0)])
def test_what_the_plan_in_force_knew_is_not_held_against_its_forecast_again(known_at, sessions):
    assert measure_region(FORECAST, REQUESTS, REGION, at(9), known_at=known_at).sessions == sessions


def test_a_moment_is_told_with_its_offset_or_refused():
    assert PlanConfig(rebalance_at="2026-11-22T01:30:00+05:30").moment() == at(20) - dt.timedelta(days=1)
    assert PlanConfig(rebalance_at="2026-11-22T01:30:00+05:30").first_day() == dt.date(2026, 11, 21)
    with pytest.raises(ValueError, match="without its offset; write 2026-11-22T12:30:00"):
        PlanConfig(rebalance_at="2026-11-22T12:30:00").moment()
