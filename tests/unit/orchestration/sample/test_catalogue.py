import datetime as dt
import re

import numpy as np
import polars as pl
import pytest

from orchestration.edge.topology import Region, read_network
from orchestration.sample import SampleWorldError
from orchestration.sample.catalogue import (
    AGE_BANDS,
    DEVICES,
    GENRES,
    NETWORK_CLASSES,
    TITLE_SCHEMA,
    VIEWER_SCHEMA,
    make_titles,
    make_viewers,
    write_catalogue_drop,
)
from orchestration.sample.names import make_names
from orchestration.sample.rhythm import Window

IDENTIFIER = re.compile(r"[a-z0-9-]{1,64}")
WINDOW = Window(first_day=dt.date(2026, 4, 2), days=42)


def titles(count=300, seed=1):
    return make_titles(np.random.default_rng(seed), count=count, window=WINDOW, media_title_ids=["a", "b"])


def viewers(count=1500, seed=1):
    return make_viewers(np.random.default_rng(seed), count=count, regions=read_network().regions, window=WINDOW)


def test_titles_keep_the_contract():
    frame = titles().frame

    assert frame.schema == TITLE_SCHEMA
    assert frame["title_id"].is_unique().all()
    assert all(IDENTIFIER.fullmatch(title_id) for title_id in frame["title_id"])
    assert frame["title_id"][0] == "s-0001"
    assert set(frame["kind"]) == {"film", "series"}
    assert set(frame["genres"].explode()) <= set(GENRES)
    assert set(frame["media_title_id"]) == {"a", "b"}
    assert frame["name"].is_unique().all()
    assert (frame["runtime_s"] > 0).all()
    for column in ("name", "genres", "language", "maturity_age", "release_date", "synopsis"):
        assert frame[column].null_count() == 0


def test_release_dates_lie_before_within_and_after_the_window():
    dates = titles().frame["release_date"]

    assert (dates < WINDOW.first_day).sum() > 200
    assert dates.is_between(WINDOW.first_day, WINDOW.end_day, closed="left").sum() >= 5
    upcoming = dates.filter(dates >= WINDOW.end_day)
    assert len(upcoming) >= 2
    assert upcoming.max() < WINDOW.end_day + dt.timedelta(days=14)


def test_what_is_not_released_has_no_licence_yet():
    frame = titles().frame.filter(pl.col("release_date") >= WINDOW.end_day)

    assert (frame["licence_start"] == frame["release_date"]).all()


def test_seasons_follow_each_other():
    plan = titles()
    first = np.flatnonzero(plan.next_in_series >= 0)
    assert len(first) > 10
    for index in first.tolist():
        season, following = plan.frame.row(index, named=True), plan.frame.row(
            int(plan.next_in_series[index]), named=True
        )  # fmt: skip
        assert season["name"].rpartition(",")[0] == following["name"].rpartition(",")[0]
        assert season["genres"] == following["genres"]
        assert season["release_date"] <= following["release_date"]


def test_a_catalogue_may_be_tiny_but_not_without_media():
    assert len(titles(count=1).frame) == 1
    with pytest.raises(SampleWorldError, match="package a master"):
        make_titles(np.random.default_rng(0), count=1, window=WINDOW, media_title_ids=[])


def test_viewers_keep_the_contract():
    frame = viewers()

    assert frame.schema == VIEWER_SCHEMA
    assert frame["viewer_id"][0] == "v-000001"
    assert frame["viewer_id"].is_unique().all()
    assert set(frame["region_id"]) == {region.region_id for region in read_network().regions}
    assert set(frame["age_band"]) == set(AGE_BANDS)
    assert set(frame["device"]) == set(DEVICES)
    assert set(frame["network_class"]) == set(NETWORK_CLASSES)
    assert frame["preferred_genres"].list.len().is_between(1, 3).all()
    assert frame["created_at"].max().date() < WINDOW.end_day
    assert 50 < (frame["created_at"].dt.date() >= WINDOW.first_day).sum() < 300


def test_networks_follow_the_profile_of_the_region():
    frame = viewers()
    fast = {
        region_id: (own["network_class"] == "fast").mean() for (region_id,), own in frame.group_by("region_id")
    }  # fmt: skip

    assert fast["eu-north"] > fast["sa-east"] > fast["ap-south"]


def test_an_unknown_network_profile_is_said():
    region = Region(
        region_id="moon", name="Moon", country="XX", time_zone="UTC", network_profile="lunar", fill_start_hour=2,
        fill_end_hour=6,
    )  # fmt: skip
    with pytest.raises(SampleWorldError, match="lunar"):
        make_viewers(np.random.default_rng(0), count=3, regions=[region], window=WINDOW)


def test_a_drop_is_the_same_bytes_for_the_same_seed(tmp_path):
    for name in ("one", "two"):
        write_catalogue_drop(tmp_path / name, titles(seed=5).frame, viewers(seed=5))
    write_catalogue_drop(tmp_path / "other", titles(seed=6).frame, viewers(seed=6))

    def content(name):
        return [(path.name, path.read_bytes()) for path in sorted((tmp_path / name).iterdir())]

    assert [name for name, _ in content("one")] == ["titles.parquet", "viewers.parquet"]
    assert content("one") == content("two")
    assert content("one") != content("other")
    assert pl.read_parquet(tmp_path / "one" / "titles.parquet").schema == TITLE_SCHEMA
    assert pl.read_parquet(tmp_path / "one" / "viewers.parquet").schema == VIEWER_SCHEMA


def test_names_never_repeat():
    names = make_names(np.random.default_rng(0), 3000)

    assert len(set(names)) == 3000
