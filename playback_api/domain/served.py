"""What the API answers from: the current snapshot and what is derived from it once, when it is taken over."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from playback_api.domain.addresses import AS_PUBLISHED, CurrentAddresses
from playback_api.domain.counters import Counters
from playback_api.domain.errors import SnapshotNotReady
from playback_api.domain.search.index import SearchIndex
from playback_api.snapshot import ALL_REGIONS, PopularTitle, Snapshot, SnapshotReader, TitleRecord

logger = logging.getLogger(__name__)


class RecommenderUnavailable(Exception):
    """The model in the snapshot cannot be used; pages fall back to popularity."""


class Recommendation(Protocol):
    """A recommended title, as ``ml.recommender.online.Scored`` is one."""

    @property
    def title_id(self) -> str:
        """The title."""
        ...

    @property
    def reason(self) -> str:
        """Why, as a code."""
        ...

    @property
    def because_title_id(self) -> str | None:
        """The watched title behind it, if there is one."""
        ...


@dataclass(frozen=True, kw_only=True)
class Watched:
    """A title that a viewer watched lately, as the live profile knows it. ``completion`` is 0-1."""

    title_id: str
    completion: float
    watched_at: dt.datetime


class RecommendedTitles(Protocol):
    """The model's answer, as ``ml.recommender.online.Answer`` is one."""

    @property
    def titles(self) -> Sequence[Recommendation]:
        """Best first; empty for a viewer of whom nothing is known."""
        ...

    @property
    def origin(self) -> str:
        """Where they come from, as a code: counted with the page."""
        ...


class Recommender(Protocol):
    """What a page asks of the model."""

    @property
    def model_version(self) -> str:
        """The registered version, for impressions."""
        ...

    def recommend(self, *, viewer_id: str, recent: Sequence[Watched], region_id: str) -> RecommendedTitles:
        """The best titles for a viewer now, as many as a page can use."""
        ...

    def affinity(self, viewer_id: str, title_ids: Collection[str]) -> dict[str, float]:
        """How much the viewer is predicted to like each title, 1 to 5."""
        ...


@dataclass(frozen=True, kw_only=True)
class Served:
    """One snapshot, ready to answer from.

    Attributes:
        recommender: The snapshot's model, or the last one that could be opened; None while there is neither.
        recommender_problem: Why the snapshot's own could not be opened, and what answers instead; empty otherwise.
        challenger: The model on trial beside it; None while there is none, or when it could not be opened.
        challenger_problem: Likewise.
        by_name: All titles in the order of the catalogue.
        popularity_by_region: Score by title, 1 for the region's top title.
    """

    snapshot: Snapshot
    search: SearchIndex
    by_name: tuple[TitleRecord, ...]
    popularity_by_region: dict[str, dict[str, float]]
    recommender: Recommender | None = None
    recommender_problem: str = ""
    challenger: Recommender | None = None
    challenger_problem: str = ""

    @property
    def has_trial(self) -> bool:
        """Whether champion and challenger, as published together, can both be served."""
        return self.recommender is not None and not self.recommender_problem and self.challenger is not None

    def popularity_of(self, region_id: str, title_id: str) -> float:
        """The title's score as a share of the region's top score; of all regions where the region has none."""
        scores = self.popularity_by_region.get(region_id) or self.popularity_by_region.get(ALL_REGIONS, {})
        return scores.get(title_id, 0.0)


class ServedSnapshots:
    """Follows the published snapshot and prepares each new one off the event loop.

    Args:
        reader: Verifies and keeps the last good snapshot.
        open_recommender: Opens a model folder; raises RecommenderUnavailable.
        counters: Where take-overs and failures are counted.
        addresses: Where edges and origin are, if not where the snapshot says.
    """

    def __init__(
        self,
        reader: SnapshotReader,
        open_recommender: Callable[[Path], Recommender],
        counters: Counters,
        *,
        addresses: CurrentAddresses = AS_PUBLISHED,
    ) -> None:
        self.reader = reader
        self._addresses = addresses
        self._open_recommender = open_recommender
        self._counters = counters
        self._served: Served | None = None
        self._refreshing = asyncio.Lock()

    @property
    def served(self) -> Served | None:
        """What is served now; None before the first snapshot."""
        return self._served

    def current(self) -> Served:
        """What is served now.

        Raises:
            SnapshotNotReady: There is nothing yet.
        """
        if self._served is None:
            failure = self.reader.last_failure
            why = f": {failure.reason}" if failure else "; materialise serving/snapshot"
            raise SnapshotNotReady(f"no snapshot to serve from{why}")
        return self._served

    async def refresh(self) -> bool:
        """Look at the pointer; returns whether another snapshot is served than before."""
        async with self._refreshing:
            failures_before = self.reader.failures
            served = await asyncio.to_thread(self._prepare_next)
            self._counters.add("snapshot_refusals", self.reader.failures - failures_before)
            if served is None:
                return False
            self._served = served
            self._counters.add("snapshot_loads")
            if served.recommender_problem:
                self._counters.add("recommender_load_failures")
            if served.challenger_problem:
                self._counters.add("challenger_load_failures")
            return True

    def _prepare_next(self) -> Served | None:
        self.reader.refresh()
        snapshot = self.reader.current
        if snapshot is None or (self._served is not None and snapshot.snapshot_id == self._served.snapshot.snapshot_id):
            return None
        recommender, recommender_problem = self._open(snapshot.recommender_folder)
        if recommender_problem:
            recommender = self._served.recommender if self._served is not None else None
            recommender_problem += f"; {recommender.model_version if recommender else 'popularity'} makes the pages"
            logger.error("%s", recommender_problem)
        challenger, challenger_problem = self._open(snapshot.challenger_folder)
        if challenger_problem:
            logger.error("the trial stands still: %s", challenger_problem)
        return replace(
            prepare_served(self._addresses.apply(snapshot)),
            recommender=recommender,
            recommender_problem=recommender_problem,
            challenger=challenger,
            challenger_problem=challenger_problem,
        )

    def _open(self, folder: Path | None) -> tuple[Recommender | None, str]:
        if folder is None:
            return None, ""
        try:
            return self._open_recommender(folder), ""
        except RecommenderUnavailable as error:
            return None, str(error)


def prepare_served(snapshot: Snapshot) -> Served:
    """Derive what requests need but for the models: the search index, the catalogue's order, popularity by title."""
    popularity = {region_id: _relative(entries) for region_id, entries in snapshot.popularity.items()}
    return Served(
        snapshot=snapshot,
        search=SearchIndex(snapshot.titles, popularity.get(ALL_REGIONS, {})),
        by_name=tuple(sorted(snapshot.titles, key=lambda title: (title.name.casefold(), title.title_id))),
        popularity_by_region=popularity,
    )


def _relative(entries: Sequence[PopularTitle]) -> dict[str, float]:
    top = max((entry.score for entry in entries), default=0.0)
    return {entry.title_id: entry.score / top if top > 0 else 0.0 for entry in entries}
