"""Content steering over HTTP."""

from __future__ import annotations

from typing import Annotated

from litestar import Controller, get
from litestar.datastructures import CacheControlHeader
from litestar.di import NamedDependency
from litestar.params import PathParameter, QueryParameter

from playback_api.domain.errors import INVALID, describe_errors
from playback_api.domain.steering.schemas import SteeringManifest
from playback_api.domain.steering.services import SteeringService


class SteeringController(Controller):
    """Which pathway a running session should use."""

    path = "/v1/steering"
    tags = ["steering"]
    cache_control = CacheControlHeader(no_store=True)

    @get(
        "/{session_id:str}",
        operation_id="readSteering",
        summary="Content steering manifest of a session",
        description=(
            "HLS and DASH players ask here every TTL seconds, with the pathway they are on. A session stays where it "
            "is unless a clearly better pathway appeared. 410 means: stop asking."
        ),
        responses=describe_errors(
            e400=INVALID, e401="The token is not this session's.", e410="The session is over.", e503="No snapshot yet."
        ),
        sync_to_thread=False,
    )
    def read_steering(
        self,
        steering: NamedDependency[SteeringService],
        session_id: Annotated[str, PathParameter(max_length=64, description="From the playback session.")],
        token: Annotated[str, QueryParameter(max_length=1000, description="From the playback session.")],
        hls_pathway: Annotated[str | None, QueryParameter(name="_HLS_pathway", max_length=64)] = None,
        hls_throughput: Annotated[float | None, QueryParameter(name="_HLS_throughput", ge=0)] = None,
        dash_pathway: Annotated[str | None, QueryParameter(name="_DASH_pathway", max_length=200)] = None,
        dash_throughput: Annotated[float | None, QueryParameter(name="_DASH_throughput", ge=0)] = None,
    ) -> SteeringManifest:
        """Rank the pathways as the network is now; ``SERVICE-LOCATION-PRIORITY`` when ``_DASH_pathway`` is given."""
        return steering.steer(
            session_id,
            token,
            current_pathway_id=dash_pathway if dash_pathway is not None else hls_pathway,
            for_dash=dash_pathway is not None,
        )
