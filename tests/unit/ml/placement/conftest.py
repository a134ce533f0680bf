"""A small catalogue, two edges of one region, and sessions of a few days."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pytest

DAY = dt.date(2026, 11, 21)
RUNGS = {"240p": 100, "480p": 300, "1080p": 1200}


def make_objects(titles: int = 12, groups: int = 4, rungs: dict[str, int] | None = None) -> pl.DataFrame:
    rows = []
    for index in range(titles):
        name = f"t-{index:02d}"
        for rung, size in (rungs or RUNGS).items():
            rows += [(name, "p1", rung, group, size if group == 0 else 2 * size) for group in range(groups)]
        rows += [(name, "p1", "audio-en", group, 20) for group in range(groups)]
        rows += [(name, "p1", "manifest", 0, 5), (name, "p1", "artwork", 0, 50)]
        rows += [(name, "p1", "text-en", 0, 7)]
    return pl.DataFrame(rows, schema=["title_id", "package_id", "rung", "segment_group", "size_bytes"], orient="row")


def make_edges(*capacities: float, domains: tuple[str, ...] | None = None, reserve: float = 0.1) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "edge_id": [f"e{index + 1}" for index in range(len(capacities))],
            "region_id": ["eu"] * len(capacities),
            "failure_domain": list(domains or [f"d{index}" for index in range(len(capacities))]),
            "capacity_bytes": list(capacities),
            "pull_reserve_share": [reserve] * len(capacities),
        },
        schema_overrides={"capacity_bytes": pl.Float64},
    )


def make_demand(titles: int = 12, region: str = "eu") -> pl.DataFrame:
    return pl.DataFrame(
        {
            "region_id": [region] * titles,
            "title_id": [f"t-{index:02d}" for index in range(titles)],
            "sessions": [100.0 / (index + 1) for index in range(titles)],
        }
    )


def make_requests(titles: int = 12, per_day: int = 400, days: int = 3, seed: int = 1) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    chance = 1.0 / np.arange(1, titles + 1)
    rows = []
    for day in range(days):
        start = dt.datetime.combine(DAY - dt.timedelta(days=days - 1 - day), dt.time())
        for second in np.sort(rng.uniform(0, 86_399, per_day)):
            title = rng.choice(titles, p=chance / chance.sum())
            rung = rng.choice(list(RUNGS), p=[0.2, 0.5, 0.3])
            watched = float(min(rng.exponential(30), 68))
            rows.append(("eu", f"t-{title:02d}", str(rung), watched, start + dt.timedelta(seconds=float(second))))
    return pl.DataFrame(rows, schema=["region_id", "title_id", "rung", "seconds_watched", "started_at"], orient="row")


MIX = pl.DataFrame({"region_id": ["eu"] * 3, "rung": list(RUNGS), "share": [0.2, 0.5, 0.3]})


@pytest.fixture
def objects() -> pl.DataFrame:
    return make_objects()


@pytest.fixture
def demand() -> pl.DataFrame:
    return make_demand()


@pytest.fixture
def rung_mix() -> pl.DataFrame:
    return MIX


@pytest.fixture(scope="session")
def requests() -> pl.DataFrame:
    return make_requests()


@pytest.fixture
def edges() -> pl.DataFrame:
    return make_edges(20_000.0, 20_000.0)


@pytest.fixture
def edges_of():
    return make_edges


@pytest.fixture
def objects_of():
    return make_objects


@pytest.fixture
def day() -> dt.date:
    return DAY
