"""The home page over HTTP."""

from __future__ import annotations

from typing import Annotated

from litestar import Controller, get
from litestar.datastructures import CacheControlHeader
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from playback_api.domain.errors import INVALID, describe_errors
from playback_api.domain.home.schemas import HomePage
from playback_api.domain.home.services import HomeService
from playback_api.domain.parameters import MaxAgeParameter

_ID = r"^[a-z0-9-]{1,64}$"


class HomeController(Controller):
    """What to watch next."""

    path = "/v1/home"
    tags = ["home"]
    cache_control = CacheControlHeader(no_store=True)

    @get(
        operation_id="readHome",
        summary="The home page of a viewer",
        description=(
            "Rows of titles with reasons. `source` says whether the model or popularity chose; each answer is logged "
            "as an impression with the propensity of every place."
        ),
        responses=describe_errors(e400=INVALID, e503="No snapshot yet, or too busy; see Retry-After."),
        sync_to_thread=False,
    )
    def read_home(
        self,
        home: NamedDependency[HomeService],
        viewer_id: Annotated[str, QueryParameter(pattern=_ID, description="The viewer.")],
        region_id: Annotated[str, QueryParameter(pattern=_ID, description="The viewer's market.")],
        max_age: MaxAgeParameter = None,
    ) -> HomePage:
        """Rows for a viewer."""
        return home.page(viewer_id, region_id, max_age=max_age)
