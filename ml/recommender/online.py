"""Recommendations at request time: open a published model and fold in what a viewer watched since.

This is what the serving plane imports, and what ``evaluation`` measures. Numpy, msgspec and the standard library only.
A viewer of whom nothing is known gets an empty answer: falling back, and saying so, is the caller's work.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from ml.recommender.engagement import HIGHEST_AFFINITY, LOWEST_AFFINITY, history_weight_of
from ml.recommender.fold_in import (
    REASONS,
    History,
    RankedTitles,
    SignUp,
    rank_by_sign_up,
    rank_for_viewer,
    sign_up_of,
    trained_history,
)
from ml.recommender.model_files import OnlineArrays, OnlineIndex, open_model_files

ALL_REGIONS = "*"

LIST_LENGTH = 80
"""Titles in a stored list, and what a page asks for: a row, and enough behind it for the rows by single titles."""

STORED, COMPUTED, SIGN_UP, NOTHING = "stored", "computed", "sign-up", "nothing"
"""Where the titles of an ``Answer`` come from."""


class RecentWatch(msgspec.Struct, frozen=True, kw_only=True):
    """A title that the viewer watched lately, as the live profile knows it.

    Attributes:
        completion: Share of the title that was watched, 0 to 1.
        watched_at: When last, UTC.
    """

    title_id: str
    completion: float
    watched_at: dt.datetime


class Scored(msgspec.Struct, frozen=True, kw_only=True):
    """A recommended title.

    Attributes:
        score: Comparable within one answer only; the order may differ where something went down.
        reason: One of ``fold_in.REASONS``.
        because_title_id: The watched title behind it, when the reason is ``because-watched``.
    """

    title_id: str
    score: float
    reason: str
    because_title_id: str | None = None


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What to offer a viewer.

    Attributes:
        titles: Best first; empty when nothing about the viewer can steer a recommendation.
        origin: ``STORED`` for the list that was published, ``COMPUTED`` for one made now, ``SIGN_UP`` for what viewers
            of the same age and with the same picks watch, ``NOTHING`` without titles.
    """

    titles: list[Scored]
    origin: str


class OnlineRecommender:
    """A published top-N model with the affinity model's predictions beside it. Immutable and safe to share."""

    def __init__(self, index: OnlineIndex, arrays: OnlineArrays) -> None:
        self._index = index
        self._arrays = arrays
        self._number_of_title = {title_id: number for number, title_id in enumerate(index.title_ids)}
        self._row_of_region = {region_id: row for row, region_id in enumerate(index.region_ids)}

    @classmethod
    def load(cls, folder: Path | str) -> Self:
        """Open a published folder; arrays are mapped, so that this takes milliseconds whatever their size.

        Raises:
            ModelFolderError: The folder is missing, incomplete, damaged or of an unknown format.
        """
        index, arrays = open_model_files(Path(folder))
        return cls(index, arrays)

    @property
    def model_version(self) -> str:
        """The registered version that made the lists, for logs, snapshots and impressions."""
        return self._index.model_version

    @property
    def title_ids(self) -> Sequence[str]:
        """Every title that the model knows, recommendable or not."""
        return self._index.title_ids

    @property
    def trained_through(self) -> dt.datetime:
        """Time of the latest viewing that the model has learnt from."""
        return self._index.trained_through

    def knows_viewer(self, viewer_id: str | None) -> bool:
        """Whether the viewer had any viewing when the model was trained."""
        return self._viewer_row(viewer_id) is not None

    def recommend(
        self,
        *,
        viewer_id: str | None,
        recent: Sequence[RecentWatch],
        exclude: Collection[str],
        region_id: str | None,
        k: int,
    ) -> Answer:
        """The best titles for a viewer now.

        A viewer with nothing new since training gets the list that was published, unless it is too short; else the
        recent watching is folded into the history and the list is computed. Titles of the history are never
        recommended, and those that were shown for days and not taken go down, see ``repetition``. A viewer whose
        watching steers nothing gets what is watched in the region, moved by what viewers of the same age and those who
        picked the same genres watch more of, if either is known; it fades as the history grows.

        Args:
            viewer_id: None, or an id that training never saw, is a viewer known by ``recent`` alone.
            recent: What the profile holds, in any order; what training already knew is recognised by its time.
            exclude: Titles that must not be shown.
            region_id: Whose trends count; None is the viewer's last region, an unknown region is all regions.
            k: How many titles are wanted; up to ``LIST_LENGTH`` are stored.

        Returns:
            At most ``k`` titles.
        """
        row = self._viewer_row(viewer_id)
        fresh = self._fresh_watches(recent, known_viewer=row is not None)
        history = _merged(trained_history(self._arrays, row), fresh)
        home = self._row_of_region[ALL_REGIONS] if row is None else int(self._arrays.viewer_regions[row])
        region = home if region_id is None else self._region_row(region_id)
        excluded = self._numbers([*exclude, *(watch.title_id for watch in recent)])
        seen = history.titles.astype(np.intp)
        if not history.steers:
            sign_up = self._sign_up(viewer_id, region)
            if sign_up is None:
                return Answer(titles=[], origin=NOTHING)
            by_sign_up = rank_by_sign_up(self._arrays, sign_up, excluded=np.concatenate([seen, excluded]), k=k)
            return Answer(titles=self._named(by_sign_up), origin=SIGN_UP)
        if row is not None and not fresh and region == home:
            listed = self._listed(row, excluded, k)
            if listed is not None:
                return Answer(titles=self._named(listed), origin=STORED)
        ranked = rank_for_viewer(
            self._arrays,
            self._index.blend,
            history,
            viewer=row,
            region=region,
            idle_days=0.0 if fresh or row is None else float(self._arrays.viewer_idle_days[row]),
            excluded=np.concatenate([seen, excluded]),
            k=k,
            sign_up=self._sign_up(viewer_id, region),
        )
        return Answer(titles=self._named(ranked), origin=COMPUTED)

    def affinity(self, viewer_id: str | None, title_ids: Collection[str]) -> dict[str, float]:
        """How much the viewer is predicted to like each title, 1 to 5. For a match percentage, never for sorting.

        Returns:
            Titles that the affinity model knows; empty for a viewer that it does not know.
        """
        row = self._viewer_row(viewer_id)
        if row is None or np.isnan(self._arrays.viewer_biases[row]):
            return {}
        known = [title_id for title_id in title_ids if title_id in self._number_of_title]
        numbers = self._numbers(known)
        predicted = (
            self._index.affinity_mean
            + self._arrays.viewer_biases[row]
            + self._arrays.title_biases[numbers]
            + self._arrays.title_factors[numbers] @ self._arrays.viewer_factors[row]
        )
        clipped = np.clip(predicted, LOWEST_AFFINITY, HIGHEST_AFFINITY)
        return {name: float(value) for name, value in zip(known, clipped, strict=True) if not np.isnan(value)}

    def _viewer_row(self, viewer_id: str | None) -> int | None:
        return _found(self._arrays.viewer_ids, viewer_id)

    def _sign_up(self, viewer_id: str | None, region: int) -> SignUp | None:
        known = _found(self._arrays.known_viewer_ids, viewer_id)
        if known is None:
            return None
        memberships = int(self._arrays.known_viewer_groups[known])
        return sign_up_of(self._arrays, self._index.groups, memberships, region=region)

    def _region_row(self, region_id: str | None) -> int:
        return self._row_of_region.get(region_id or ALL_REGIONS, self._row_of_region[ALL_REGIONS])

    def _numbers(self, title_ids: Collection[str]) -> NDArray[np.intp]:
        known = (self._number_of_title.get(title_id) for title_id in title_ids)
        return np.array([number for number in known if number is not None], dtype=np.intp)

    def _fresh_watches(self, recent: Sequence[RecentWatch], *, known_viewer: bool) -> dict[int, float]:
        """Completion by title, newest first, of what training did not know; unknown titles are left out."""
        newest_first = sorted(recent, key=lambda watch: watch.watched_at, reverse=True)
        fresh: dict[int, float] = {}
        for watch in newest_first:
            number = self._number_of_title.get(watch.title_id)
            if number is None or (known_viewer and watch.watched_at <= self._index.trained_through):
                continue
            fresh[number] = max(watch.completion, fresh.get(number, 0.0))
        return fresh

    def _listed(self, row: int, excluded: NDArray[np.intp], k: int) -> RankedTitles | None:
        """The published list without what is excluded now; None where titles that it has no place for are wanted."""
        titles = self._arrays.top_titles[row]
        is_whole = len(titles) > 0 and titles[-1] == self._arrays.no_title  # every title that may be shown is there
        kept = np.flatnonzero((titles != self._arrays.no_title) & ~np.isin(titles, excluded))[:k]
        if len(kept) < k and not is_whole:
            return None
        return RankedTitles(
            titles=titles[kept],
            scores=self._arrays.top_scores[row][kept],
            reasons=self._arrays.top_reasons[row][kept],
            because=self._arrays.top_because[row][kept],
        )

    def _named(self, ranked: RankedTitles) -> list[Scored]:
        title_ids, no_title = self._index.title_ids, self._arrays.no_title
        return [
            Scored(
                title_id=title_ids[title],
                score=score,
                reason=REASONS[reason],
                because_title_id=None if because == no_title else title_ids[because],
            )
            for title, score, reason, because in zip(
                ranked.titles.tolist(),
                ranked.scores.tolist(),
                ranked.reasons.tolist(),
                ranked.because.tolist(),
                strict=True,
            )
        ]


def _found(viewer_ids: NDArray[np.bytes_], viewer_id: str | None) -> int | None:
    """The row of a viewer in sorted ids."""
    if viewer_id is None or not viewer_id.isascii() or len(viewer_id) > viewer_ids.dtype.itemsize:
        return None
    key = np.array(viewer_id.encode("ascii"), dtype=viewer_ids.dtype)  # the same type: else the whole map is copied
    row = int(np.searchsorted(viewer_ids, key))
    return row if row < len(viewer_ids) and viewer_ids[row] == key else None


def _merged(trained: History, fresh: dict[int, float]) -> History:
    """Put what was watched since training before what training knew; a title stands once, at its newest place."""
    if not fresh:
        return trained
    fresh_titles = np.fromiter(fresh, np.intp, len(fresh))
    fresh_weights = history_weight_of(np.fromiter(fresh.values(), np.float32, len(fresh)))
    older = ~np.isin(trained.titles, fresh_titles)
    weight_before = dict(zip(trained.titles.tolist(), trained.weights.tolist(), strict=True))
    best_weights = [
        max(weight, weight_before.get(title, 0.0))
        for title, weight in zip(fresh_titles.tolist(), fresh_weights.tolist(), strict=True)
    ]
    return History(
        titles=np.concatenate([fresh_titles, trained.titles[older]]),
        weights=np.concatenate([np.array(best_weights, np.float32), trained.weights[older]]),
    )
