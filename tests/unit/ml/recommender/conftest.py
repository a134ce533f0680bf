"""A small world with structure to find: two camps of viewers, each with its own half of the catalogue."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

START = dt.datetime(2026, 9, 1, tzinfo=dt.UTC)


def make_viewing(*, viewers: int = 80, titles: int = 30, per_viewer: int = 8, seed: int = 0) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    rows = []
    for viewer in range(viewers):
        camp = viewer % 2
        own = rng.permutation(np.arange(camp, titles, 2))[:per_viewer]
        for place, title in enumerate(own.tolist()):
            rows.append(
                {
                    "session_id": f"b-{viewer}-{place}",
                    "viewer_id": f"v-{viewer:06d}",
                    "title_id": f"s-{title:04d}",
                    "region_id": "north" if viewer < viewers // 2 else "south",
                    "completion": float(rng.uniform(0.5, 1.0)),
                    "started_at": START + dt.timedelta(days=place, seconds=viewer),
                }
            )
    return pl.DataFrame(rows)


def make_titles(*, titles: int = 30) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "title_id": [f"s-{number:04d}" for number in range(titles)],
            "package_id": [f"p-{number}" for number in range(titles)],
            "genres": [["drama"] if number % 2 else ["comedy"] for number in range(titles)],
            "release_date": [dt.date(2020, 1, 1)] * titles,
        }
    )


@pytest.fixture(scope="session")
def build_viewing() -> Callable[..., pl.DataFrame]:
    return make_viewing


@pytest.fixture(scope="session")
def build_titles() -> Callable[..., pl.DataFrame]:
    return make_titles


@pytest.fixture(scope="session")
def viewing() -> pl.DataFrame:
    return make_viewing()


@pytest.fixture(scope="session")
def titles() -> pl.DataFrame:
    return make_titles()
