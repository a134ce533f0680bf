"""What the tests of several stages make of the lake, and a tiny one for what plans and for what looks back on plans."""

import datetime as dt
from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

from orchestration.resources.warehouse import Warehouse

TODAY = dt.date(2026, 11, 22)
REGION = "eu-north"
TITLES = [f"t-{index:02d}" for index in range(20)]
RUNGS = {"240p": 100, "480p": 300, "1080p": 1200}


@pytest.fixture(scope="session")
def put_table() -> Callable[[Warehouse, str, pl.DataFrame], None]:
    """Makes or replaces a table of the lake, such as ``serving.srv_titles``."""

    def put(warehouse: Warehouse, table: str, frame: pl.DataFrame) -> None:
        schema, name = table.split(".")
        with warehouse.connection() as connection:
            connection.register("frame", frame.to_arrow())
            connection.execute(f"create schema if not exists lake.{schema}")
            connection.execute(f"create or replace table lake.{schema}.{name} as select * from frame")

    return put


def make_requests() -> pl.DataFrame:
    rng = np.random.default_rng(5)
    chance = 1.0 / np.arange(1, len(TITLES) + 1)
    rows = []
    for back in (3, 2, 1, 0):
        day = TODAY - dt.timedelta(days=back)
        for number in range(200):
            at = dt.datetime.combine(day, dt.time()) + dt.timedelta(seconds=400 * number)
            title = TITLES[rng.choice(len(TITLES), p=chance / chance.sum())]
            rung = str(rng.choice(list(RUNGS), p=[0.2, 0.5, 0.3]))
            rows.append((f"s-{back}-{number}", REGION, title, rung, float(min(rng.exponential(25), 68)), day, at))
    names = ["session_id", "region_id", "title_id", "rung", "seconds_watched", "event_day", "started_at"]
    return pl.DataFrame(rows, schema=names, orient="row")


@pytest.fixture(scope="session")
def objects() -> pl.DataFrame:
    rows = []
    for title in TITLES:
        for rung, size in RUNGS.items():
            rows += [(title, "p1", rung, group, size * (1 + (group > 0)), 1) for group in range(4)]
        rows += [(title, "p1", "audio-en", group, 20, 1) for group in range(4)]
        rows += [(title, "p1", "manifest", 0, 5, 3), (title, "p1", "artwork", 0, 9, 2)]
    names = ["title_id", "package_id", "rung", "segment_group", "size_bytes", "object_count"]
    return pl.DataFrame(rows, schema=names, orient="row")


@pytest.fixture(scope="session")
def sessions() -> pl.DataFrame:
    """Rows of ``srv_requests``: one region, twenty titles, four days, the last of them not complete."""
    return make_requests()


@pytest.fixture(scope="session")
def lake_of(tmp_path_factory, objects, put_table):
    """Makes a lake of some sessions."""
    return lambda requests: put_lake(
        Warehouse(lake_folder=str(tmp_path_factory.mktemp("lake"))), requests, objects, put_table
    )


@pytest.fixture(scope="session")
def warehouse(lake_of, sessions):
    """A lake that every test reads and none changes."""
    return lake_of(sessions)


def put_lake(warehouse: Warehouse, requests: pl.DataFrame, objects: pl.DataFrame, put_table) -> Warehouse:
    put_table(warehouse, "serving.srv_objects", objects)
    put_table(warehouse, "serving.srv_requests", requests)
    demand = requests.group_by("region_id", "title_id", "event_day").agg(sessions=pl.len().cast(pl.Int64))
    put_table(warehouse, "serving.srv_demand_daily", demand)
    put_table(
        warehouse,
        "serving.srv_rung_mix",
        pl.DataFrame({"region_id": [REGION] * 3, "rung": list(RUNGS), "share": [0.2, 0.5, 0.3]}),
    )
    licences = pl.DataFrame(
        {
            "title_id": TITLES,
            "name": TITLES,
            "kind": ["film"] * 20,
            "release_date": [dt.date(2020, 1, 1)] * 20,
            "genres": [["drama"]] * 20,
            "language": ["en"] * 20,
            "licence_start": [None] * 20,
            "licence_end": [dt.date(2026, 1, 1)] + [None] * 19,
        },
        schema_overrides={"licence_start": pl.Date, "licence_end": pl.Date},
    )
    put_table(warehouse, "serving.srv_titles", licences)
    return warehouse
