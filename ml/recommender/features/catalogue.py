"""What is known about titles before anybody has watched them: genres, age, and whether they can be played."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ml.recommender.features.grain import check_grain

TITLE_COLUMNS = ("title_id", "genres", "package_id", "release_date")


@dataclass(frozen=True, kw_only=True, eq=False)
class TitleFacts:
    """Facts by title, in the order of ``title_ids``.

    Attributes:
        recommendable: [T] has a package, so that it can be played.
        genres: [T, G] float16, unit rows; zero rows where no genre is known.
        release_days: [T] days since 1970, NaN where unknown.
    """

    title_ids: Sequence[str]
    recommendable: NDArray[np.bool_]
    genres: NDArray[np.float16]
    release_days: NDArray[np.float64]

    def aligned_to(self, title_ids: Sequence[str]) -> TitleFacts:
        """The same facts in another order; titles without facts are neither recommendable nor of any genre."""
        row_of = {title_id: row for row, title_id in enumerate(self.title_ids)}
        rows = np.array([row_of.get(title_id, -1) for title_id in title_ids], np.intp)
        known = rows >= 0
        genres = np.zeros((len(title_ids), self.genres.shape[1]), np.float16)
        genres[known] = self.genres[rows[known]]
        recommendable = np.zeros(len(title_ids), bool)
        recommendable[known] = self.recommendable[rows[known]]
        release_days = np.full(len(title_ids), np.nan)
        release_days[known] = self.release_days[rows[known]]
        return TitleFacts(title_ids=title_ids, recommendable=recommendable, genres=genres, release_days=release_days)


def read_title_facts(titles: pl.DataFrame) -> TitleFacts:
    """Shape ``serving.srv_titles``.

    Raises:
        RecommenderError: A column is missing, or a title stands twice.
    """
    check_grain(titles, TITLE_COLUMNS, noun="title")
    ordered = titles.sort("title_id")
    epoch = dt.date(1970, 1, 1)
    release_days = [np.nan if day is None else (day - epoch).days for day in ordered["release_date"].cast(pl.Date)]
    return TitleFacts(
        title_ids=ordered["title_id"].to_list(),
        recommendable=ordered["package_id"].is_not_null().to_numpy(),
        genres=_genre_rows(ordered["genres"].to_list()),
        release_days=np.array(release_days, np.float64),
    )


def _genre_rows(genres_of_title: list[list[str] | None]) -> NDArray[np.float16]:
    names = sorted({genre for genres in genres_of_title for genre in genres or []})
    column_of = {genre: column for column, genre in enumerate(names)}
    rows = np.zeros((len(genres_of_title), max(len(names), 1)), np.float32)
    for row, genres in enumerate(genres_of_title):
        rows[row, [column_of[genre] for genre in genres or []]] = 1.0
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    np.divide(rows, length, out=rows, where=length > 0)
    return rows.astype(np.float16)
