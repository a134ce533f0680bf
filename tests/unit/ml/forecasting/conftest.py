"""A small market: three regions, some dozens of titles, weekdays, debuts and their decay."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import polars as pl
import pytest

REGIONS = ("ap-south", "eu-north", "sa-east")
TODAY = dt.date(2026, 11, 22)


@dataclass(frozen=True)
class Market:
    demand: pl.DataFrame
    titles: pl.DataFrame
    today: dt.date = TODAY


def make_market(
    *, days: int = 42, titles: int = 60, per_day: float = 900.0, seed: int = 3, future_days: int = 0
) -> Market:
    rng = np.random.default_rng(seed)
    start = TODAY - dt.timedelta(days=days)
    release = np.where(np.arange(titles) % 4 == 0, rng.integers(1, days + 6, titles), -400)
    popularity = rng.permutation(np.arange(1, titles + 1) ** -0.9)
    weekday = np.array([0.9, 0.9, 0.9, 0.95, 1.05, 1.2, 1.1])
    rows = []
    for region in REGIONS:
        taste = rng.lognormal(0, 0.5, titles)
        for day_index in range(days + future_days):
            draw = np.random.default_rng([seed, REGIONS.index(region), day_index])
            day = start + dt.timedelta(days=day_index)
            age = day_index - release
            rate = popularity * taste * np.where(age < 0, 0.0, 1 + 6 * np.exp(-np.maximum(age, 0) / 5))
            sessions = draw.poisson(rate / rate.sum() * per_day * weekday[day.weekday()])
            rows += [(region, f"t-{t:03d}", day, int(n)) for t, n in enumerate(sessions) if n]
    catalogue = pl.DataFrame(
        {
            "title_id": [f"t-{t:03d}" for t in range(titles)],
            "release_date": [start + dt.timedelta(days=int(r)) for r in release],
            "genres": [["drama"] if t % 2 else ["comedy", "family"] for t in range(titles)],
            "language": ["en" if t % 3 else "hi" for t in range(titles)],
            "kind": ["film" if t % 2 else "series" for t in range(titles)],
        }
    )
    demand = pl.DataFrame(rows, schema=["region_id", "title_id", "event_day", "sessions"], orient="row")
    return Market(demand=demand, titles=catalogue)


@pytest.fixture(scope="session")
def market() -> Market:
    return make_market()


@pytest.fixture(scope="session")
def market_with_future() -> Market:
    return make_market(future_days=8)
