"""An edge node: placed bytes first, then pulled ones, then upstream; filled, purged and asked over HTTP.

Here the parts of ``playback_api.edge`` are put together and given addresses:

    GET/HEAD /media/<key>      an object, with Cache-Status
    GET  /edge/inventory       what is complete here, 304 with ?since=<generation> while nothing has changed
    POST /edge/fill            signed: a plan to bring in      GET /edge/fill   how far it is
    POST /edge/purge           signed: what to remove
    POST /edge/rescan          signed: the disk was restored or replaced, read it anew
    GET  /edge/stats, /metrics, /system/health
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import httpx
import msgspec
from litestar import Litestar, MediaType, Request, Response, Router, asgi, get, post
from litestar.datastructures import ResponseHeader
from litestar.exceptions import HTTPException
from litestar.params import FromQuery

from playback_api.delivery import prometheus_text
from playback_api.edge import (
    RETRY_AFTER_S,
    SIGNATURE_HEADER,
    DiskNotReadError,
    EdgeCounters,
    EdgeDisk,
    EdgeInventory,
    EdgeMedia,
    EdgeNode,
    EdgeParts,
    EdgeStore,
    FillJob,
    FillOrder,
    FillProgress,
    FillRefusedError,
    FillRunningError,
    Journal,
    LoadMeter,
    PlanTooLargeError,
    PullThrough,
    PurgeOrder,
    PurgeReport,
    RescanRefusedError,
    SignatureRefusedError,
    Upstream,
    read_boot_id,
    verify,
)
from playback_api.framework import MsgspecLitestar
from playback_api.resilience import CircuitBreaker, RetryBudget
from playback_api.settings import EdgeSettings

EdgeRequest = Request[Any, Any, Any]
Body = TypeVar("Body", bound=msgspec.Struct)

MAX_ORDER_BYTES = 64 * 1024 * 1024
"""A plan of 20,000 objects is a body of about 4 MB."""
UPSTREAM_TIMEOUT = httpx.Timeout(15.0, connect=3.0)
FILL_WORKERS = 4

_GAUGES = frozenset(
    {
        *("generation", "capacity_bytes", "placed_bytes", "cached_bytes", "placed_objects", "cached_objects"),
        *("filling", "load"),
    }
)


def create_edge_app(
    settings: EdgeSettings,
    *,
    transport: httpx.AsyncBaseTransport | None = None,
    clock: Callable[[], float] = time.monotonic,
    wall_clock: Callable[[], float] = time.time,
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    boot_id: str | None = None,
) -> Litestar:
    """Build an edge node over its disk; what an earlier process left there is taken over.

    Args:
        settings: Its name, disk, capacity and upstream.
        transport: Carries requests to upstream; a real network by default.
        clock: Seconds that never run backwards.
        wall_clock: Unix seconds, for signatures and the end of fill windows.
        sleep: Waits.
        boot_id: Identifies the machine's run; read from the system by default.
    """
    counters = EdgeCounters()
    limits = httpx.Limits(max_connections=64, max_keepalive_connections=32)
    client = httpx.AsyncClient(transport=transport, timeout=UPSTREAM_TIMEOUT, limits=limits)

    def assemble(after_generation: int) -> EdgeParts:
        store = EdgeStore(
            edge_id=settings.edge_id,
            disk=EdgeDisk(settings.folder),
            journal=Journal(settings.folder),
            capacity_bytes=settings.capacity_bytes,
            pull_reserve_share=settings.pull_reserve_share,
            counters=counters,
            boot_id=read_boot_id() if boot_id is None else boot_id,
            after_generation=after_generation,
        )
        upstream = Upstream(
            client,
            base_url=settings.upstream_url,
            latency_s=settings.upstream_latency_s,
            rate_bps=settings.upstream_rate_bps,
            breaker=CircuitBreaker("upstream", clock=clock),
            retry_budget=RetryBudget(clock=clock),
            clock=clock,
        )
        pull_through = PullThrough(store, upstream, counters, clock=clock)
        meter = LoadMeter(
            lambda: counters.bytes_placed + counters.bytes_cached + counters.bytes_missed,
            clock,
            max_in_flight=settings.max_in_flight,
            viewer_rate_bps=settings.viewer_rate_bps,
        )
        media = EdgeMedia(
            edge_id=settings.edge_id, store=store, pull_through=pull_through, upstream=upstream, counters=counters
        )
        return EdgeParts(
            store=store,
            upstream=upstream,
            pull_through=pull_through,
            fill_job=FillJob(
                store,
                client,
                counters,
                viewers_use_link=lambda: upstream.is_in_use,
                parallel=FILL_WORKERS,
                clock=clock,
                wall_clock=wall_clock,
                sleep=sleep,
            ),
            meter=meter,
            media=meter.measured(media),
        )

    node = EdgeNode(assemble)

    def parts() -> EdgeParts:
        try:
            return node.parts
        except DiskNotReadError as error:
            raise _unavailable(str(error)) from error

    async def read_signed_body(request: EdgeRequest) -> bytes:
        body = await request.body()
        header = request.headers.get(SIGNATURE_HEADER)
        try:
            verify(settings.secret, header, request.method, request.url.path, body, now=wall_clock())
        except SignatureRefusedError as error:
            counters.refused_calls += 1
            raise HTTPException(str(error), status_code=401) from error
        return body

    async def read_order(request: EdgeRequest, kind: type[Body]) -> Body:
        body = await read_signed_body(request)
        try:
            return msgspec.json.decode(body, type=kind)
        except msgspec.MsgspecError as error:
            raise HTTPException(f"the body is no {kind.__name__}: {error}", status_code=400) from error

    @get("/inventory", operation_id="edgeInventory", sync_to_thread=False)
    def inventory(since: FromQuery[int | None] = None) -> Response[EdgeInventory | None]:
        store = parts().store
        if since is not None and since == store.generation:
            return Response(None, status_code=304)
        return Response(store.inventory())

    @post("/fill", operation_id="edgeFill", status_code=202, request_max_body_size=MAX_ORDER_BYTES)
    async def start_fill(request: EdgeRequest) -> FillProgress:
        order = await read_order(request, FillOrder)
        try:
            return await parts().fill_job.start(order)
        except FillRefusedError as error:
            raise _refusal(error) from error
        except OSError as error:
            raise HTTPException(f"the disk does not take the plan: {error}", status_code=507) from error

    @get("/fill", operation_id="edgeFillProgress", sync_to_thread=False)
    def fill_progress() -> FillProgress:
        return parts().fill_job.progress()

    @post("/purge", operation_id="edgePurge", status_code=200)
    async def purge(request: EdgeRequest) -> PurgeReport:
        order = await read_order(request, PurgeOrder)
        if not (order.title_ids or order.keep_plan or order.cached):
            raise HTTPException("say what to purge: title_ids, keep_plan or cached", status_code=400)
        return await parts().store.purge(order)

    @post("/rescan", operation_id="edgeRescan", status_code=200)
    async def rescan(request: EdgeRequest) -> EdgeInventory:
        await read_signed_body(request)  # for its signature; there is nothing to say
        try:
            return await node.rescan()
        except RescanRefusedError as error:
            raise HTTPException(str(error), status_code=409) from error
        except OSError as error:
            raise _unavailable(f"the disk cannot be read: {error}; repair it and order another rescan") from error

    @get("/stats", operation_id="edgeStats", sync_to_thread=False)
    def stats() -> dict[str, float | str]:
        return {"edge_id": settings.edge_id, "upstream_circuit": parts().upstream.breaker.state.value, **read_numbers()}

    @get("/metrics", operation_id="edgeMetrics", media_type=MediaType.TEXT, sync_to_thread=False)
    def metrics() -> str:
        return prometheus_text("matinee_edge_", read_numbers(), gauges=_GAUGES, labels={"edge_id": settings.edge_id})

    @get("/system/health", operation_id="edgeHealth", sync_to_thread=False)
    def health() -> dict[str, str]:
        return {"status": "ok", "edge_id": settings.edge_id}

    def read_numbers() -> dict[str, float]:
        store, fill_job = parts().store, parts().fill_job
        placed_objects, cached_objects = store.object_counts
        return {
            **msgspec.structs.asdict(counters),
            "generation": store.generation,
            "capacity_bytes": store.capacity_bytes,
            "placed_bytes": store.placed_bytes,
            "cached_bytes": store.cached_bytes,
            "placed_objects": placed_objects,
            "cached_objects": cached_objects,
            "filling": int(fill_job.is_running),
            "load": parts().meter.load,
        }

    @asynccontextmanager
    async def close_at_end(_: Litestar) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await node.close()
            await client.aclose()

    calls = Router(
        "/edge",
        route_handlers=[inventory, start_fill, fill_progress, purge, rescan, stats],
        response_headers=[ResponseHeader(name="access-control-allow-origin", value="*")],
    )
    mount = asgi("/media", is_mount=True, copy_scope=False)(node.serve_media)
    return MsgspecLitestar(
        [mount, calls, metrics, health], lifespan=[close_at_end], openapi_config=None, logging_config=None
    )


def _unavailable(reason: str) -> HTTPException:
    return HTTPException(reason, status_code=503, headers={"retry-after": str(RETRY_AFTER_S)})


def _refusal(error: FillRefusedError) -> HTTPException:
    if isinstance(error, PlanTooLargeError):
        return HTTPException(str(error), status_code=413, extra=error.facts)
    if isinstance(error, FillRunningError):
        return HTTPException(str(error), status_code=409, extra=error.facts)
    return HTTPException(str(error), status_code=400)
