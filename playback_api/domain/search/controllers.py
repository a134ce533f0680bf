"""Search over HTTP."""

from __future__ import annotations

from typing import Annotated

from litestar import Controller, get
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from playback_api.domain.errors import INVALID, describe_errors
from playback_api.domain.parameters import MaxAgeParameter, RegionParameter
from playback_api.domain.search.schemas import SearchResults
from playback_api.domain.search.services import SearchService


class SearchController(Controller):
    """Finding something to watch."""

    path = "/v1/search"
    tags = ["search"]

    @get(
        operation_id="searchTitles",
        summary="Search by name and genre",
        description="Forgives case, accents, unfinished words and small typing errors; every word must match.",
        responses=describe_errors(e400=INVALID, e503="No snapshot yet."),
        sync_to_thread=False,
    )
    def search_titles(
        self,
        search: NamedDependency[SearchService],
        q: Annotated[str, QueryParameter(min_length=1, max_length=100, description="What was typed.")],
        limit: Annotated[int, QueryParameter(ge=1, le=100)] = 20,
        region_id: RegionParameter = "",
        max_age: MaxAgeParameter = None,
    ) -> SearchResults:
        """Titles, best match first."""
        return search.search(q, limit=limit, region_id=region_id, max_age=max_age)
