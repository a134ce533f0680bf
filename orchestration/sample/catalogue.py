"""The catalogue drop of a made-up world: ``titles.parquet`` and ``viewers.parquet``, as docs/contracts.md says."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from orchestration.edge.topology import Region
from orchestration.sample.demand import HOME_LANGUAGES, SHARED_LANGUAGE
from orchestration.sample.errors import SampleWorldError
from orchestration.sample.names import make_names, make_synopsis
from orchestration.sample.rhythm import Window

TITLE_SCHEMA = pl.Schema(
    {
        "title_id": pl.String(),
        "name": pl.String(),
        "kind": pl.String(),
        "genres": pl.List(pl.String()),
        "language": pl.String(),
        "maturity_age": pl.Int64(),
        "release_date": pl.Date(),
        "runtime_s": pl.Float64(),
        "synopsis": pl.String(),
        "media_title_id": pl.String(),
        "licence_start": pl.Date(),
        "licence_end": pl.Date(),
    }
)
VIEWER_SCHEMA = pl.Schema(
    {
        "viewer_id": pl.String(),
        "region_id": pl.String(),
        "age_band": pl.String(),
        "device": pl.String(),
        "network_class": pl.String(),
        "preferred_genres": pl.List(pl.String()),
        "created_at": pl.Datetime("us", "UTC"),
    }
)

GENRES = (
    "drama", "comedy", "thriller", "action", "documentary", "family", "animation", "science-fiction", "romance",
    "crime", "nature", "music",
)  # fmt: skip
MATURITY_AGES = {
    "family": 0, "animation": 0, "nature": 0, "music": 7, "documentary": 7, "comedy": 11, "romance": 11, "drama": 11,
    "science-fiction": 11, "action": 15, "crime": 15, "thriller": 18,
}  # fmt: skip

AGE_BANDS = ("under-18", "18-24", "25-34", "35-44", "45-54", "55+")
_AGE_BAND_SHARES = (0.08, 0.18, 0.26, 0.21, 0.15, 0.12)

DEVICES = ("mobile", "tablet", "desktop", "tv-hd", "tv-4k")
NETWORK_CLASSES = ("slow", "mixed", "fast")
_DEVICE_SHARES = {
    "fast": (0.25, 0.10, 0.15, 0.25, 0.25),
    "mixed": (0.40, 0.10, 0.15, 0.28, 0.07),
    "slow": (0.68, 0.08, 0.10, 0.12, 0.02),
}
_NETWORK_CLASS_SHARES = {"fast": (0.05, 0.25, 0.70), "mixed": (0.25, 0.50, 0.25), "slow": (0.55, 0.35, 0.10)}

_SERIES_SHARE = 0.3
_RECENT_SHARE = 0.07
_UPCOMING_SHARE = 0.03
_UPCOMING_DAYS = 10
_YEARS_BACK = 15


@dataclass(frozen=True, kw_only=True)
class TitlePlan:
    """Titles, and what the drop does not tell about them.

    Attributes:
        frame: Rows of ``titles.parquet``.
        next_in_series: [titles], index of the season that follows, -1 for none.
    """

    frame: pl.DataFrame
    next_in_series: NDArray[np.int64]


def make_titles(
    rng: np.random.Generator, *, count: int, window: Window, media_title_ids: Sequence[str], id_prefix: str = "s"
) -> TitlePlan:
    """Make titles up.

    Most are years old; some debut within the window and some in the days after it. Series come as seasons that follow
    each other.

    Args:
        rng: Source of randomness.
        count: How many.
        window: The days of history.
        media_title_ids: Real titles whose media they show.
        id_prefix: First part of the ids.

    Raises:
        SampleWorldError: There is no title whose media could be shown.
    """
    if not media_title_ids:
        raise SampleWorldError("a sample catalogue needs at least one real title to show; package a master first")
    names = make_names(rng, count)
    release_dates = _draw_release_dates(rng, count, window)
    rows: list[dict[str, object]] = []
    next_in_series = np.full(count, -1, dtype=np.int64)
    index = 0
    while index < count:
        seasons = min(int(rng.integers(2, 5)), count - index) if rng.random() < _SERIES_SHARE else 0
        genres = _draw_genres(rng)
        language = _draw_language(rng)
        dates = sorted(release_dates[index : index + max(seasons, 1)])
        for season, release_date in enumerate(dates, start=1):
            kind = "series" if seasons else "film"
            rows.append(
                {
                    "title_id": f"{id_prefix}-{index + 1:04d}",
                    "name": f"{names[index - season + 1]}, Season {season}" if seasons else names[index],
                    "kind": kind,
                    "genres": genres,
                    "language": language,
                    "maturity_age": max(MATURITY_AGES[genre] for genre in genres),
                    "release_date": release_date,
                    "runtime_s": float(rng.integers(25, 60) if seasons else rng.integers(80, 150)) * 60.0,
                    "synopsis": make_synopsis(rng, kind, genres),
                    "media_title_id": media_title_ids[int(rng.integers(len(media_title_ids)))],
                    # an unreleased title is in the catalogue so that it can be planned for, and may not be played yet
                    "licence_start": release_date if release_date >= window.first_day else None,
                    "licence_end": _draw_licence_end(rng, window),
                }
            )
            if season < len(dates):
                next_in_series[index] = index + 1
            index += 1
    return TitlePlan(frame=pl.DataFrame(rows, schema=TITLE_SCHEMA), next_in_series=next_in_series)


def make_viewers(rng: np.random.Generator, *, count: int, regions: Sequence[Region], window: Window) -> pl.DataFrame:
    """Make viewers up; a tenth of them signs up within the window, and every one before its last day.

    Raises:
        SampleWorldError: A region has a network profile that no shares are known for.
    """
    share = 1.0 / (np.arange(len(regions)) + 3)
    region_of = rng.choice(len(regions), size=count, p=share / share.sum())
    devices, network_classes = draw_equipment(rng, region_of, regions)
    age_bands = rng.choice(len(AGE_BANDS), size=count, p=_AGE_BAND_SHARES)
    newcomer = rng.random(count) < 0.1
    days_before = np.where(newcomer, 0, rng.integers(1, 720, count))
    days_after = np.where(newcomer, rng.integers(0, max(window.days - 1, 1), count), 0)
    created_s = (days_after - days_before) * 86400 + rng.integers(0, 86400, count)
    genre_counts = rng.integers(1, 4, count)
    return pl.DataFrame(
        {
            "viewer_id": [f"v-{number:06d}" for number in range(1, count + 1)],
            "region_id": [regions[index].region_id for index in region_of],
            "age_band": [AGE_BANDS[index] for index in age_bands],
            "device": devices,
            "network_class": network_classes,
            "preferred_genres": [
                [GENRES[index] for index in rng.choice(len(GENRES), size=int(number), replace=False)]
                for number in genre_counts
            ],
            "created_at": [window.start + dt.timedelta(seconds=int(seconds)) for seconds in created_s],
        },
        schema=VIEWER_SCHEMA,
    )


def draw_equipment(
    rng: np.random.Generator, region_of: NDArray[np.int64], regions: Sequence[Region]
) -> tuple[list[str], list[str]]:
    """Device and network class of viewers, by the network profile of their region.

    Raises:
        SampleWorldError: A region has a network profile that no shares are known for.
    """
    devices = np.empty(len(region_of), dtype=np.int64)
    network_classes = np.empty(len(region_of), dtype=np.int64)
    for index, region in enumerate(regions):
        if region.network_profile not in _DEVICE_SHARES:
            raise SampleWorldError(
                f"region {region.region_id} has network profile {region.network_profile!r};"
                f" the sample world knows {sorted(_DEVICE_SHARES)}"
            )
        rows = region_of == index
        number = int(rows.sum())
        devices[rows] = rng.choice(len(DEVICES), size=number, p=_DEVICE_SHARES[region.network_profile])
        network_classes[rows] = rng.choice(
            len(NETWORK_CLASSES), size=number, p=_NETWORK_CLASS_SHARES[region.network_profile]
        )
    return [DEVICES[index] for index in devices], [NETWORK_CLASSES[index] for index in network_classes]


def genre_matrix(genres: Sequence[Sequence[str]], names: Sequence[str]) -> NDArray[np.float64]:
    """[titles, genres]: 1 divided by the number of a title's genres, for each of them."""
    column = {name: index for index, name in enumerate(names)}
    matrix = np.zeros((len(genres), len(names)))
    for row, own in enumerate(genres):
        for genre in own:
            matrix[row, column[genre]] = 1 / len(own)
    return matrix


def write_catalogue_drop(folder: Path, titles: pl.DataFrame, viewers: pl.DataFrame) -> None:
    """Deliver both files; each appears whole, by rename."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, frame, schema in (("titles", titles, TITLE_SCHEMA), ("viewers", viewers, VIEWER_SCHEMA)):
        staged = folder / f".{name}.parquet.staged"
        frame.select(list(schema)).cast(schema).write_parquet(staged)
        staged.rename(folder / f"{name}.parquet")


def _draw_release_dates(rng: np.random.Generator, count: int, window: Window) -> list[dt.date]:
    place = rng.random(count)
    years_back = _YEARS_BACK * rng.beta(1.0, 2.5, count)
    days = np.where(
        place < _UPCOMING_SHARE,
        window.days + rng.integers(0, _UPCOMING_DAYS, count),
        np.where(
            place < _UPCOMING_SHARE + _RECENT_SHARE,
            rng.integers(0, window.days, count),
            -1 - (years_back * 365).astype(np.int64),
        ),
    )
    # whatever the dice say, something debuts in the last week of history and something in the days to come
    days[: min(count, 4)] = [window.days - 5, window.days + 1, window.days + 3, window.days - 12][: min(count, 4)]
    return [window.first_day + dt.timedelta(days=int(day)) for day in rng.permutation(days)]


def _draw_genres(rng: np.random.Generator) -> list[str]:
    number = int(rng.choice([1, 2, 3], p=[0.35, 0.45, 0.2]))
    return [GENRES[index] for index in rng.choice(len(GENRES), size=number, replace=False)]


def _draw_language(rng: np.random.Generator) -> str:
    return str(rng.choice([SHARED_LANGUAGE, *HOME_LANGUAGES.values(), "es"], p=[0.45, 0.15, 0.15, 0.15, 0.10]))


def _draw_licence_end(rng: np.random.Generator, window: Window) -> dt.date | None:
    if rng.random() >= 0.04:
        return None
    return window.end_day + dt.timedelta(days=int(rng.integers(20, 400)))
