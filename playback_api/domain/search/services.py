"""Finding titles by words."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from playback_api.domain.catalogue.availability import may_be_shown
from playback_api.domain.catalogue.schemas import card_of
from playback_api.domain.counters import Counters
from playback_api.domain.search.schemas import SearchResults
from playback_api.domain.served import ServedSnapshots
from playback_api.domain.steering.services import PathwayRouter


class SearchService:
    """Searches the titles that may be shown."""

    def __init__(
        self,
        snapshots: ServedSnapshots,
        router: PathwayRouter,
        counters: Counters,
        *,
        clock: Callable[[], dt.datetime],
    ) -> None:
        self._snapshots = snapshots
        self._router = router
        self._counters = counters
        self._clock = clock

    def search(self, query: str, *, limit: int, region_id: str, max_age: int | None) -> SearchResults:
        """The titles that match all words of the query."""
        served = self._snapshots.current()
        today = self._clock().date()
        titles = (served.snapshot.title_by_id[title_id] for title_id in served.search.find(query))
        shown = [card_of(title) for title in titles if may_be_shown(title, today, max_age)][:limit]
        self._counters.add("searches", found="yes" if shown else "no")
        return SearchResults(
            query=query, titles=shown, artwork_base_url=self._router.artwork_base_url(served, "", region_id)
        )
