"""The catalogue over HTTP."""

from __future__ import annotations

from typing import Annotated

from litestar import Controller, get
from litestar.di import NamedDependency
from litestar.params import PathParameter, QueryParameter

from playback_api.domain.catalogue.schemas import TitleDetail, TitlePage
from playback_api.domain.catalogue.services import CatalogueService
from playback_api.domain.errors import INVALID, describe_errors
from playback_api.domain.parameters import MaxAgeParameter, RegionParameter


class CatalogueController(Controller):
    """What there is to watch."""

    path = "/v1/catalogue/titles"
    tags = ["catalogue"]

    @get(
        operation_id="listTitles",
        summary="The catalogue by name, page by page",
        description="Titles that are licensed today; pass `next_cursor` back as `cursor` for the next page.",
        responses=describe_errors(e400=INVALID, e503="No snapshot yet."),
        sync_to_thread=False,
    )
    def list_titles(
        self,
        catalogue: NamedDependency[CatalogueService],
        cursor: Annotated[
            str | None, QueryParameter(max_length=1000, description="next_cursor of the page before.")
        ] = None,
        limit: Annotated[int, QueryParameter(ge=1, le=200, description="Titles on a page.")] = 50,
        genre: Annotated[str | None, QueryParameter(max_length=64, description="Only titles of this genre.")] = None,
        region_id: RegionParameter = "",
        max_age: MaxAgeParameter = None,
    ) -> TitlePage:
        """A page of titles."""
        return catalogue.page(cursor=cursor, limit=limit, genre=genre, region_id=region_id, max_age=max_age)

    @get(
        "/{title_id:str}",
        operation_id="readTitle",
        summary="One title",
        responses=describe_errors(
            e400=INVALID,
            e403="Rated above max_age.",
            e404="No such title.",
            e451="Not licensed today.",
            e503="No snapshot yet.",
        ),
        sync_to_thread=False,
    )
    def read_title(
        self,
        catalogue: NamedDependency[CatalogueService],
        title_id: Annotated[str, PathParameter(max_length=64)],
        region_id: RegionParameter = "",
        max_age: MaxAgeParameter = None,
    ) -> TitleDetail:
        """Everything that is published about a title."""
        return catalogue.title(title_id, region_id=region_id, max_age=max_age)
