"""The hourly look at running days: a region whose viewers leave the forecast's band is planned and filled anew.

Only that region, and through the same gate as every plan, which then replays the day so far. The fill does not wait
for the night: it takes a part of the link, and no more bytes than that part brings within the hour.
"""

# annotations stay real objects here: Dagster finds resources by them
import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

import dagster as dg
import polars as pl

from ml.forecasting.nowcast import Pace
from orchestration.automation import REBALANCE_REGION
from orchestration.defs.demand.forecast_store import read_current_forecast
from orchestration.defs.edge.pace import HISTORY_DAYS, measure_region
from orchestration.defs.edge.plan_store import PlanRecord, read_plans
from orchestration.defs.edge.planning import REQUEST_COLUMNS, REQUESTS
from orchestration.edge.topology import Network, Region, read_network
from orchestration.edge.window import next_opening
from orchestration.resources.storage import MediaStorage
from orchestration.resources.warehouse import Warehouse, WarehouseTableMissing
from orchestration.store import ObjectMissing, ObjectStore

LARGEST_LAG = dt.timedelta(hours=2)
"""What the lake may lag behind; from older sessions nobody can tell how the day goes."""
NIGHT_IS_NEAR = dt.timedelta(hours=1)
"""So long before its window opens a region is planned for the night in any case."""
LINK_SHARE = 0.25
"""Of an edge's link to the origin, what a fill may take while viewers use it."""
SECONDS_AN_HOUR = 3600


@dataclass(frozen=True, kw_only=True)
class RegionLook:
    """What was found in one region.

    Attributes:
        pace: None where the day cannot be judged.
        moment: Start of the newest session that is known.
        is_due: Whether to plan and fill now.
        reason: Why, or why not.
    """

    region_id: str
    pace: Pace | None
    moment: dt.datetime
    is_due: bool
    reason: str


def look_at_regions(warehouse: Warehouse, store: ObjectStore, network: Network, now: dt.datetime) -> list[RegionLook]:
    """Hold every region's running day against its forecast.

    Args:
        warehouse: Has the sessions.
        store: Has forecasts and plans.
        network: The regions.
        now: Aware; sessions that began later are not looked at.
    """
    try:
        today = now.astimezone(dt.UTC).date()
        days = (today - dt.timedelta(days=HISTORY_DAYS + 1), today)  # the newest session may be yesterday's
        requests = warehouse.read(REQUESTS, REQUEST_COLUMNS, days=days)
        _, forecast = read_current_forecast(store)
    except (WarehouseTableMissing, ObjectMissing) as error:
        return [_not_judged(region, now, str(error)) for region in network.regions]
    begun = requests.filter(pl.col("started_at") <= now.astimezone(dt.UTC).replace(tzinfo=None))["started_at"].max()
    moment = begun.replace(tzinfo=dt.UTC) if isinstance(begun, dt.datetime) else None
    if moment is None or now - moment > LARGEST_LAG:
        reason = f"no session of the last {LARGEST_LAG} is in the lake: nothing says how the day goes"
        return [_not_judged(region, now, reason) for region in network.regions]
    if not (forecast["day"] == moment.date()).any():
        reason = f"the forecast lacks {moment.date()}; materialise demand/forecast"
        return [_not_judged(region, moment, reason) for region in network.regions]
    return [_look(forecast, requests, region, store, moment, now) for region in network.regions]


def build_schedule(network: Network | None = None) -> dg.ScheduleDefinition:
    """The schedule over a network, by default the one that the seeds declare."""
    world = network or read_network()

    @dg.schedule(
        name="hourly_rebalance",
        cron_schedule="30 * * * *",
        execution_timezone="UTC",
        job_name=REBALANCE_REGION,
        description="Plans and fills the regions whose viewers have left the forecast's band; the others are told.",
    )
    def hourly_rebalance(
        context: dg.ScheduleEvaluationContext, warehouse: Warehouse, storage: MediaStorage
    ) -> list[dg.RunRequest] | dg.SkipReason:
        now = context.scheduled_execution_time
        looks = look_at_regions(warehouse, storage.store(), world, now)
        for look in looks:
            context.log.info("%s: %s", look.region_id, look.reason)
        due = [look for look in looks if look.is_due]
        if not due:
            return dg.SkipReason("; ".join(f"{look.region_id}: {look.reason}" for look in looks))
        return [_request(look, world, now) for look in due]

    return hourly_rebalance


def _look(
    forecast: pl.DataFrame,
    requests: pl.DataFrame,
    region: Region,
    store: ObjectStore,
    moment: dt.datetime,
    now: dt.datetime,
) -> RegionLook:
    made = list(_up_to_running(read_plans(store, region.region_id)))
    running = made[-1] if made and made[-1].accepted else None
    looked = next((plan for plan in made if _has_looked_at(plan, moment.date())), None)
    # what a plan was made of is no reason for another one, though it was refused: only what was watched since counts
    known_at = looked.rebalanced_at if looked else None
    pace = measure_region(forecast, requests, region.region_id, moment, known_at=known_at)
    because = list(_reasons_to_wait(running, region, now)) if pace.leaves_band else []
    refused = looked is not None and not looked.accepted
    return RegionLook(
        region_id=region.region_id,
        pace=pace,
        moment=moment,
        is_due=pace.leaves_band and not because,
        reason="; ".join([pace.describe(), *([f"a plan of {known_at} was refused"] if refused else []), *because]),
    )


def _up_to_running(newest_first: Iterator[PlanRecord]) -> Iterator[PlanRecord]:
    """The plans down to the one in force, newest first; refused ones before it."""
    for plan in newest_first:
        yield plan
        if plan.accepted:
            return


def _reasons_to_wait(running: PlanRecord | None, region: Region, now: dt.datetime) -> Iterator[str]:
    if running is None:
        yield "no plan is in force that could be balanced"
    if next_opening(region, now) - now <= NIGHT_IS_NEAR:
        yield "the night's plan and fill are due or under way"


def _has_looked_at(plan: PlanRecord, day: dt.date) -> bool:
    """Whether a plan was made of what the day had brought by then, accepted or not: for the same there is no other."""
    return plan.rebalanced_at is not None and plan.rebalanced_at.date() == day


def _not_judged(region: Region, moment: dt.datetime, reason: str) -> RegionLook:
    return RegionLook(region_id=region.region_id, pace=None, moment=moment, is_due=False, reason=reason)


def _request(look: RegionLook, world: Network, now: dt.datetime) -> dg.RunRequest:
    rate_bps = LINK_SHARE * min(edge.origin_rate_bps for edge in world.edges_of(look.region_id))
    plan = {"rebalance_at": look.moment.isoformat(), "fill_budget_bytes": int(rate_bps * SECONDS_AN_HOUR / 8)}
    fill = {"ignore_window": True, "rate_bps": rate_bps}
    return dg.RunRequest(
        run_key=f"{look.region_id}-{now.isoformat()}",
        partition_key=look.region_id,
        run_config={"ops": {"edge__placement_plan": {"config": plan}, "edge__fill": {"config": fill}}},
        tags={"matinee/region": look.region_id, "matinee/rebalance": look.moment.isoformat()},
    )
