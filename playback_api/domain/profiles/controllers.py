"""Live profiles over HTTP."""

from __future__ import annotations

from typing import Annotated

from litestar import Controller, get
from litestar.datastructures import CacheControlHeader
from litestar.di import NamedDependency
from litestar.params import PathParameter

from playback_api.domain.errors import INVALID, describe_errors
from playback_api.domain.profiles.services import ProfileService
from playback_api.profile import ViewerProfile


class ProfileController(Controller):
    """What a viewer watched and chose."""

    path = "/v1/profiles"
    tags = ["profiles"]
    cache_control = CacheControlHeader(no_store=True)

    @get(
        "/{viewer_id:str}",
        operation_id="readProfile",
        summary="Resume positions and last titles of a viewer",
        description="A viewer who was never seen has an empty profile.",
        responses=describe_errors(e400=INVALID),
        sync_to_thread=False,
    )
    def read_profile(
        self,
        profiles: NamedDependency[ProfileService],
        viewer_id: Annotated[str, PathParameter(pattern=r"^[a-z0-9-]{1,64}$")],
    ) -> ViewerProfile:
        """The live profile."""
        return profiles.profile(viewer_id)
