"""Health, readiness, the snapshot, the edges and the counters over HTTP."""

from __future__ import annotations

from litestar import Controller, MediaType, Response, get, post
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec

from playback_api.domain.errors import describe_errors
from playback_api.domain.system.network import NetworkOverview
from playback_api.domain.system.schemas import (
    FleetReport,
    Health,
    NetworkReport,
    Readiness,
    ReloadReport,
    SnapshotReport,
)
from playback_api.domain.system.services import SystemService


class SystemController(Controller):
    """For operators and for machines that watch machines."""

    tags = ["system"]

    @get("/system/health", operation_id="readHealth", summary="The process answers", sync_to_thread=False)
    def read_health(self) -> Health:
        """Alive; says nothing about being useful."""
        return Health(status="ok")

    @get(
        "/system/ready",
        operation_id="readReadiness",
        summary="Whether viewers should be sent here",
        responses={503: ResponseSpec(Readiness, description="Not ready.", generate_examples=False)},
        sync_to_thread=False,
    )
    def read_readiness(self, system: NamedDependency[SystemService]) -> Response[Readiness]:
        """200 when ready, 503 when not; the body says why."""
        readiness = system.readiness()
        headers = None if readiness.ready else {"Retry-After": "2"}
        return Response(readiness, status_code=200 if readiness.ready else 503, headers=headers)

    @get(
        "/system/snapshot",
        operation_id="readSnapshot",
        summary="The snapshot that is served",
        responses=describe_errors(e503="No snapshot yet."),
        sync_to_thread=False,
    )
    def read_snapshot(self, system: NamedDependency[SystemService]) -> SnapshotReport:
        """Id, age, counts, models, and whether the newest one was refused."""
        return system.snapshot()

    @get(
        "/system/edges",
        operation_id="readEdges",
        summary="The edges as this process sees them",
        responses=describe_errors(e503="No snapshot yet."),
        sync_to_thread=False,
    )
    def read_edges(self, system: NamedDependency[SystemService]) -> FleetReport:
        """Health, generation, fill and counters of every edge."""
        return system.edges()

    @get(
        "/system/network",
        operation_id="readNetwork",
        summary="Plans and forecasts on the last complete day",
        responses=describe_errors(e404="No overview of the network yet."),
        sync_to_thread=True,
    )
    def read_network(self, network: NamedDependency[NetworkOverview]) -> NetworkReport:
        """Fill, hits, forecast against actual, regret and the titles that move, as the graph published them."""
        return network.read()

    @post(
        "/system/reload",
        operation_id="reload",
        summary="Look at the published snapshot and the edges at once",
        status_code=200,
    )
    async def reload(self, system: NamedDependency[SystemService]) -> ReloadReport:
        """Answers when the newest snapshot is served, or says why it is not."""
        return await system.reload()

    @get(
        "/metrics",
        operation_id="readMetrics",
        summary="Counters for Prometheus",
        media_type=MediaType.TEXT,
        sync_to_thread=False,
    )
    def read_metrics(self, system: NamedDependency[SystemService]) -> str:
        """Exposition format 0.0.4."""
        return system.metrics()
