"""A world in which real people rated real films: MovieLens 1M as titles, viewers and sessions.

The data set is not part of this repository and its terms forbid passing it on; whoever has it names its folder. It is
for research and evaluation only. Cite F. M. Harper and J. A. Konstan, "The MovieLens Datasets: History and Context",
ACM Transactions on Interactive Intelligent Systems 5(4), 2015, article 19.

Every rating becomes one session. What is kept: who, which film, the order within each user, and how much it was
liked. What is made up: the moment (the order is spread over a stretch of the window by the rhythm of the week and the
day), region, device, network, and how much was seen, which follows the rating with noise (``COMPLETION_OF_RATING``).
"""

from __future__ import annotations

import datetime as dt
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from orchestration.edge.topology import Network, read_network
from orchestration.sample.catalogue import TITLE_SCHEMA, VIEWER_SCHEMA, draw_equipment, genre_matrix
from orchestration.sample.errors import SampleWorldError
from orchestration.sample.rhythm import Rhythm, Window
from orchestration.sample.viewing import Viewing
from orchestration.sample.world import Indices, Taste, Weights, World

COMPLETION_OF_RATING = {1: (0.10, 0.30), 2: (0.20, 0.50), 3: (0.45, 0.80), 4: (0.75, 0.97), 5: (0.90, 1.00)}
"""A rating says between which shares of the film the session ends, uniformly."""

_AGE_BANDS = {1: "under-18", 18: "18-24", 25: "25-34", 35: "35-44", 45: "45-54", 50: "45-54", 56: "55+"}
_GENRES = {"Children's": "children", "Sci-Fi": "science-fiction", "Film-Noir": "film-noir"}
_MATURITY_AGES = {"children": 0, "animation": 0, "horror": 18, "thriller": 15, "crime": 15, "film-noir": 15, "war": 15}
_DEFAULT_MATURITY_AGE = 11
_SESSIONS_A_DAY = 12
"""How many films a user's stretch of the window packs into a day at most, unless the window is too short for that."""

_SIGN_UP_RATINGS = 10
_TASTE_STRENGTH = 1.5
_FILES = {
    "movies.parquet": ("movie_id", "title", "genres", "year"),
    "users.parquet": ("user_id", "age_band", "zip_code"),
    "ratings.parquet": ("user_id", "movie_id", "rating", "seq"),
}


class GenreTaste:
    """Taste as far as ratings tell it: popularity, the genres a user rates above the own mean, nothing twice.

    Args:
        popularity: [titles], shares of all ratings.
        genres: [titles, genres].
        leanings: [viewers, genres], how much better than the own mean each genre was rated, shrunken.
        rated: Titles rated, for all viewers one after the other.
        rated_from: [viewers + 1], where each viewer's part of ``rated`` begins.
    """

    def __init__(
        self, *, popularity: Weights, genres: Weights, leanings: Weights, rated: Indices, rated_from: Indices
    ) -> None:
        self._popularity = popularity
        self._genres = genres
        self._leanings = leanings
        self._rated = rated
        self._rated_from = rated_from

    def choice_weights(self, viewers: Indices, day: dt.date) -> Weights:
        """[viewers, titles]; the day does not matter, no film is new here."""
        weights: Weights = self._popularity * np.exp(_TASTE_STRENGTH * self._leanings[viewers] @ self._genres.T)
        for row, viewer in enumerate(viewers.tolist()):
            weights[row, self._rated[self._rated_from[viewer] : self._rated_from[viewer + 1]]] = 0.0
        return weights

    def draw_completion(self, rng: np.random.Generator, viewers: Indices, titles: Indices) -> Weights:
        """As of a rating that leans with the genres."""
        leaning = (self._leanings[viewers] * self._genres[titles]).sum(axis=1)
        rating = np.clip(np.rint(3.6 + leaning + rng.normal(0.0, 1.0, len(viewers))), 1, 5).astype(np.int64)
        return draw_completion(rng, rating)


class MovieLensWorld(World):
    """MovieLens as a world; make it with ``read_movielens_world``.

    Attributes:
        ratings: viewer, title (indices), rating, seq; sorted by viewer and seq.
    """

    session_prefix = "ml"
    every_session_plays = True
    is_talked_about = False  # its demand has no days for talk to lead

    def __init__(
        self,
        *,
        titles: pl.DataFrame,
        viewers: pl.DataFrame,
        network: Network,
        window: Window,
        taste: Taste,
        ratings: pl.DataFrame,
        seed: int,
    ) -> None:
        counts = np.bincount(ratings["viewer"].to_numpy(), minlength=len(viewers)).astype(np.float64)
        super().__init__(
            titles=titles,
            viewers=viewers,
            network=network,
            window=window,
            taste=taste,
            activity=counts / counts.sum(),
            sessions_a_day=len(ratings) / window.days,
            seed=seed,
        )
        self.ratings = ratings

    def viewing(self) -> Viewing:
        """One session a rating: each user's in their order, in a stretch of days somewhere in the window.

        A stretch that passes the end of the window goes on at its beginning, so that no day has fewer users than
        another; the user's order holds all the same.
        """
        rng = np.random.default_rng([self.seed, 2])
        viewer = self.ratings["viewer"].to_numpy().astype(np.int64)
        counts = np.bincount(viewer, minlength=len(self.viewers))
        length_s = self.window.days * 86400.0
        stretch_s = np.clip(np.ceil(counts / _SESSIONS_A_DAY), 1, self.window.days)[viewer] * 86400.0
        start_s = rng.integers(0, self.window.days, len(counts))[viewer] * 86400.0
        passed = start_s + stretch_s * rng.random(len(viewer)) >= length_s
        earliest_s = np.where(passed, 0.0, start_s)
        latest_s = np.where(passed, start_s + stretch_s - length_s, np.minimum(start_s + stretch_s, length_s))
        rhythm = Rhythm(self.window, self.calendars)
        moments = rhythm.draw_moments(rng, self.region_of[viewer], earliest_s, latest_s)
        # the rows stand by viewer and seq: each viewer's moments, sorted, fall to the ratings in their order
        started_s = moments[np.lexsort((moments, viewer))]
        return Viewing(
            viewer=viewer,
            title=self.ratings["title"].to_numpy().astype(np.int64),
            started_s=started_s,
            completion=draw_completion(rng, self.ratings["rating"].to_numpy().astype(np.int64)),
        ).in_order()


def draw_completion(rng: np.random.Generator, rating: NDArray[np.int64]) -> Weights:
    """How much of a film somebody sees who rates it so; see ``COMPLETION_OF_RATING``."""
    bounds = np.array([(0.0, 0.0), *(COMPLETION_OF_RATING[stars] for stars in range(1, 6))])[rating]
    completion: Weights = rng.uniform(bounds[:, 0], bounds[:, 1])
    return completion


def read_movielens_world(
    folder: Path,
    *,
    seed: int,
    now: dt.datetime,
    media_title_ids: Sequence[str],
    history_days: int = 42,
    network: Network | None = None,
) -> MovieLensWorld:
    """Make a world of MovieLens 1M.

    Args:
        folder: Holds ``movies.parquet``, ``users.parquet`` and ``ratings.parquet``, where ``seq`` is a rating's place
            in its user's order of time.
        seed: Everything that the data do not say comes from it.
        now: Its UTC day is today; history ends the day before.
        media_title_ids: Real titles whose media the films show.
        history_days: Length of the history.
        network: Regions and edges; those of the seeds by default.

    Raises:
        SampleWorldError: A file is missing or lacks a column, or there is nothing to show.
    """
    if not media_title_ids:
        raise SampleWorldError("films need at least one real title to show; package a master first")
    network = network or read_network()
    rng = np.random.default_rng([seed, 1])
    window = Window.before(now, history_days)
    movies = _read(folder, "movies.parquet").sort("movie_id")
    users = _read(folder, "users.parquet").sort("user_id")
    ratings = (
        _read(folder, "ratings.parquet")
        .join(users.select("user_id").with_row_index("viewer"), on="user_id")
        .join(movies.select("movie_id").with_row_index("title"), on="movie_id")
        .select("viewer", "title", "rating", "seq")
        .sort("viewer", "seq", "title")
    )
    titles = _titles(rng, movies, media_title_ids)
    return MovieLensWorld(
        titles=titles,
        viewers=_viewers(rng, users, ratings, titles, network, window),
        network=network,
        window=window,
        taste=_taste(ratings, titles, len(users)),
        ratings=ratings,
        seed=seed,
    )


def _read(folder: Path, name: str) -> pl.DataFrame:
    path = folder / name
    if not path.is_file():
        raise SampleWorldError(f"{path} is missing; name a folder with {', '.join(_FILES)}")
    frame = pl.read_parquet(path)
    missing = [column for column in _FILES[name] if column not in frame.columns]
    if missing:
        raise SampleWorldError(f"{path} has no column {', '.join(missing)}; it has {', '.join(frame.columns)}")
    return frame


def _titles(rng: np.random.Generator, movies: pl.DataFrame, media_title_ids: Sequence[str]) -> pl.DataFrame:
    count = len(movies)
    genres = [[_genre(name) for name in text.split("|")] for text in movies["genres"]]
    years = movies["year"].to_list()
    days = rng.integers(0, 365, count).tolist()
    media = rng.integers(len(media_title_ids), size=count).tolist()
    return pl.DataFrame(
        {
            "title_id": [f"ml-{movie_id}" for movie_id in movies["movie_id"]],
            "name": [_name(title, year) for title, year in zip(movies["title"], years, strict=True)],
            "kind": ["film"] * count,
            "genres": genres,
            "language": ["en"] * count,
            "maturity_age": [
                max(_MATURITY_AGES.get(genre, _DEFAULT_MATURITY_AGE) for genre in own) for own in genres
            ],
            "release_date": [
                dt.date(year, 1, 1) + dt.timedelta(days=day) for year, day in zip(years, days, strict=True)
            ],
            "runtime_s": rng.integers(80, 150, count) * 60.0,
            "synopsis": [
                f"A film of {year}: {', '.join(own)}." for year, own in zip(years, genres, strict=True)
            ],
            "media_title_id": [media_title_ids[index] for index in media],
            "licence_start": [None] * count,
            "licence_end": [None] * count,
        },
        schema=TITLE_SCHEMA,
    )  # fmt: skip


def _viewers(
    rng: np.random.Generator,
    users: pl.DataFrame,
    ratings: pl.DataFrame,
    titles: pl.DataFrame,
    network: Network,
    window: Window,
) -> pl.DataFrame:
    regions = network.regions
    region_of = np.array([_region_index(zip_code, len(regions)) for zip_code in users["zip_code"]], dtype=np.int64)
    devices, network_classes = draw_equipment(rng, region_of, regions)
    created_s = rng.integers(1, 720 * 86400, len(users))
    return pl.DataFrame(
        {
            "viewer_id": [f"v-{user_id:06d}" for user_id in users["user_id"]],
            "region_id": [regions[index].region_id for index in region_of],
            "age_band": [_AGE_BANDS[band] for band in users["age_band"]],
            "device": devices,
            "network_class": network_classes,
            "preferred_genres": _sign_up_genres(ratings, titles, len(users)),
            "created_at": [window.start - dt.timedelta(seconds=int(seconds)) for seconds in created_s],
        },
        schema=VIEWER_SCHEMA,
    )


def _sign_up_genres(ratings: pl.DataFrame, titles: pl.DataFrame, viewers: int) -> list[list[str]]:
    """Up to three genres that a user might have ticked at the door: the most frequent of what was liked first."""
    best = (
        ratings.filter((pl.col("seq") < _SIGN_UP_RATINGS) & (pl.col("rating") >= 4))
        .join(titles.select("genres").with_row_index("title"), on="title")
        .explode("genres")
        .group_by("viewer", "genres")
        .len()
        .sort("viewer", "len", "genres", descending=[False, True, False])
        .group_by("viewer", maintain_order=True)
        .agg(pl.col("genres").head(3))
    )
    by_viewer = dict(zip(best["viewer"].to_list(), best["genres"].to_list(), strict=True))
    return [by_viewer.get(viewer, []) for viewer in range(viewers)]


def _taste(ratings: pl.DataFrame, titles: pl.DataFrame, viewers: int) -> GenreTaste:
    names = sorted({genre for own in titles["genres"] for genre in own})
    genres = genre_matrix(titles["genres"].to_list(), names)
    viewer = ratings["viewer"].to_numpy().astype(np.int64)
    title = ratings["title"].to_numpy().astype(np.int64)
    rating = ratings["rating"].to_numpy().astype(np.float64)
    counts = np.bincount(viewer, minlength=viewers)
    means = np.bincount(viewer, weights=rating, minlength=viewers) / np.maximum(counts, 1)
    above = rating - means[viewer]
    leanings = np.empty((viewers, len(names)))
    for column in range(len(names)):
        shares = genres[title, column]
        total = np.bincount(viewer, weights=above * shares, minlength=viewers)
        leanings[:, column] = total / (np.bincount(viewer, weights=shares, minlength=viewers) + 5.0)
    return GenreTaste(
        popularity=np.bincount(title, minlength=len(titles)) / max(len(ratings), 1),
        genres=genres,
        leanings=leanings,
        rated=title,
        rated_from=np.r_[0, np.cumsum(counts)],
    )


def _region_index(zip_code: str, regions: int) -> int:
    """Neighbours share a region: what decides is the first digit, a part of the country; else a hash."""
    first = zip_code[:1]
    return int(first) * regions // 10 if first.isdecimal() else zlib.crc32(zip_code.encode()) % regions


def _genre(name: str) -> str:
    return _GENRES.get(name, name.lower())


def _name(title: str, year: int) -> str:
    """``Matrix, The (1999)`` is listed as The Matrix."""
    name = title.removesuffix(f" ({year})")
    for article in ("The", "A", "An"):
        if name.endswith(f", {article}"):
            return f"{article} {name.removesuffix(f', {article}')}"
    return name
