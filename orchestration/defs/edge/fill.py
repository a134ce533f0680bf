"""``edge/fill``: what was planned for a region is brought to its edges while nobody watches."""

# annotations stay real objects here: Dagster does not resolve a config class from a string
import datetime as dt
from collections.abc import Iterator

import dagster as dg

from orchestration import partitions, taxonomy
from orchestration.edge.errors import PlanUnusableError
from orchestration.edge.fill import FillReport, drive_fills, plan_fills
from orchestration.edge.inventory import ask_edges
from orchestration.edge.orders import FillProgress
from orchestration.edge.plan import read_current_plan
from orchestration.edge.siblings import point_to_siblings
from orchestration.edge.topology import Network, Region, read_network
from orchestration.edge.window import closing, is_open, next_opening
from orchestration.resources.edges import EdgeFleet
from orchestration.resources.storage import MediaStorage
from orchestration.resources.warehouse import Warehouse
from orchestration.settings import Settings

OBJECT_FILES_TABLE = "serving.srv_object_files"
OBJECT_FILES_KEY = dg.AssetKey(["warehouse", "srv_object_files"])
PLAN_KEY = dg.AssetKey(["edge", "placement_plan"])


class FillConfig(dg.Config):
    """How a run fills.

    Attributes:
        ignore_window: Fill now, whatever the region's clock says.
        rate_bps: Most bits per second that each edge takes of its link; 0 is no limit.
        poll_interval_s: Seconds between two looks at the edges.
    """

    ignore_window: bool = False
    rate_bps: float = 0.0
    poll_interval_s: float = 1.0


def build_fill(settings: Settings, network: Network | None = None) -> dg.AssetsDefinition:
    """The asset over a network, by default the one that the seeds declare."""
    regions = network or read_network()

    @dg.asset(
        key=["edge", "fill"],
        group_name=taxonomy.EDGE,
        owners=taxonomy.OWNERS[taxonomy.EDGE],
        kinds={"python"},
        deps=[PLAN_KEY, OBJECT_FILES_KEY],
        partitions_def=partitions.region,
        output_required=False,
    )
    def fill(
        context: dg.AssetExecutionContext,
        config: FillConfig,
        storage: MediaStorage,
        warehouse: Warehouse,
        edges: EdgeFleet,
    ) -> Iterator[dg.MaterializeResult]:
        """Objects of the region's placement plan that are on its edges.

        Grain: one materialisation per region and fill. Edges fetch what their plan wants in order of value, from
        another edge of the region that holds it or else from the origin, within the region's off-peak window; outside
        the window nothing is done and nothing is materialised, unless the run says so. Used by the inventory, and by
        operators who ask what a night has cost and left undone.
        """
        region = regions.region(context.partition_key)
        now = dt.datetime.now(dt.UTC)
        if not (config.ignore_window or is_open(region, now)):
            context.log.warning("the window of %s is closed until %s", region.region_id, next_opening(region, now))
            return
        try:
            plan = read_current_plan(storage.store(), region.region_id)
            if plan is None:
                context.log.warning("no placement plan for %s yet; nothing to fill", region.region_id)
                return
            fills = plan_fills(
                plan,
                warehouse.read(OBJECT_FILES_TABLE),
                upstream_url=settings.origin_url,
                rate_bps=config.rate_bps,
                stop_at=None if config.ignore_window else _closing_timestamp(region, now),
            )
        except PlanUnusableError as error:
            raise dg.Failure(description=str(error), allow_retries=False) from error

        def tell(edge_id: str, progress: FillProgress) -> None:
            context.log.debug(
                "%s: %d of %d objects, %s s to go, %.0f s paused for viewers",
                edge_id,
                progress.objects_done,
                progress.objects_wanted,
                "?" if progress.eta_s is None else f"{progress.eta_s:.0f}",
                progress.paused_s,
            )

        with edges.clients(planned.edge_id for planned in fills) as clients:
            fills = point_to_siblings(fills, ask_edges(clients), edges.urls)
            report = drive_fills(
                fills, clients, plan_id=plan.plan_id, on_progress=tell, poll_interval_s=config.poll_interval_s
            )
        if report.edges and report.complete_edges == 0:
            raise dg.Failure(
                description=f"no edge of {region.region_id} was filled: {report.edges[0].reason}",
                metadata=_metadata(report),
            )
        yield dg.MaterializeResult(metadata=_metadata(report))

    return fill


def _closing_timestamp(region: Region, now: dt.datetime) -> float | None:
    closes_at = closing(region, now)
    return None if closes_at is None else closes_at.timestamp()


def _metadata(report: FillReport) -> dict[str, dg.MetadataValue | str | int | float]:
    return {
        "plan_id": report.plan_id,
        "edges": len(report.edges),
        "edges_complete": report.complete_edges,
        "bytes_moved": report.bytes_moved,
        "bytes_from_siblings": report.bytes_from_siblings,
        "bytes_from_origin": report.bytes_moved - report.bytes_from_siblings,
        "sibling_failures": sum(edge.sibling_failures for edge in report.edges),
        "objects_filled": sum(edge.objects_filled for edge in report.edges),
        "objects_failed": report.objects_failed,
        "missing_groups": sum(edge.missing_groups for edge in report.edges),
        "stale_objects_removed": sum(edge.stale_objects for edge in report.edges),
        "duration_s": max((edge.duration_s for edge in report.edges), default=0.0),
        "paused_s": max((edge.paused_s for edge in report.edges), default=0.0),
        "report": dg.MetadataValue.md(report.as_markdown()),
    }
