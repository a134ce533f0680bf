import datetime as dt

import pytest

from orchestration.sample import WorldSize, make_world

NOW = dt.datetime(2026, 5, 14, 9, 30, tzinfo=dt.UTC)  # a Thursday
MEDIA = ["animation", "motorway", "lake"]


@pytest.fixture(scope="session")
def world():
    """A world of the default size."""
    return make_world(seed=11, now=NOW, media_title_ids=MEDIA)


@pytest.fixture(scope="session")
def viewing(world):
    return world.viewing()


@pytest.fixture(scope="session")
def small_world():
    size = WorldSize(titles=40, viewers=60, history_days=7, sessions=600)
    return make_world(seed=3, now=NOW, media_title_ids=MEDIA, size=size)


@pytest.fixture(scope="session")
def middling_world():
    """Large enough for shares, small enough to look at every session."""
    size = WorldSize(titles=120, viewers=500, history_days=14, sessions=10_000)
    return make_world(seed=5, now=NOW, media_title_ids=MEDIA, size=size)


@pytest.fixture(scope="session")
def durations_s(world):
    return {title_id: 20.0 + index % 40 for index, title_id in enumerate(world.title_ids)}
