"""When things run: the jobs and the schedules, by name.

Sensors stand with the stage they watch. Every schedule that touches edges runs by the local time of their region.
Schedules are off until somebody switches them on in the UI: on a laptop the demo goes round by itself.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import dagster as dg

from orchestration import taxonomy
from orchestration.edge.topology import Region, read_network

INGEST_TITLE = "ingest_title"
LOAD_CATALOGUE = "load_catalogue"
INGEST_EVENTS = "ingest_events"
BUILD_WAREHOUSE = "build_warehouse"
TRAIN_RECOMMENDER = "train_recommender"
UPDATE_RECOMMENDATIONS = "update_recommendations"
FORECAST_DEMAND = "forecast_demand"
PLAN_PLACEMENT = "plan_placement"
FILL_EDGES = "fill_edges"
REBALANCE_REGION = "rebalance_region"
CHECK_EDGES = "check_edges"
PUBLISH_SNAPSHOT = "publish_snapshot"
MAINTAIN_LAKE = "maintain_lake"


def event_day_range_tags(first: dt.date, last: dt.date) -> dict[str, str]:
    """Run tags that make one run cover a range of event days, both ends included."""
    return {
        "dagster/asset_partition_range_start": first.isoformat(),
        "dagster/asset_partition_range_end": last.isoformat(),
    }


def build_jobs() -> list[dg.UnresolvedAssetJobDefinition]:
    """One job for each step of the loop; the asset graph says what each of them feeds."""
    media = dg.AssetSelection.groups(taxonomy.MEDIA)
    shared = dg.AssetSelection.assets(["media", "shared_titles"])
    plan = dg.AssetSelection.assets(["edge", "placement_plan"])
    fill = dg.AssetSelection.assets(["edge", "fill"])
    inventory = dg.AssetSelection.assets(["edge", "inventory"])
    return [
        dg.define_asset_job(INGEST_TITLE, media - shared, description="One master: probe, encode, package, publish."),
        dg.define_asset_job(
            LOAD_CATALOGUE,
            shared | dg.AssetSelection.groups(taxonomy.CATALOGUE),
            description="Titles that share renditions, the delivered catalogue and the facts of what is packaged.",
        ),
        dg.define_asset_job(
            INGEST_EVENTS, dg.AssetSelection.groups(taxonomy.EVENTS), description="New log records into the lake."
        ),
        dg.define_asset_job(
            BUILD_WAREHOUSE,
            dg.AssetSelection.groups(taxonomy.WAREHOUSE),
            description="Seeds, staging, marts and serving tables, by dbt, for a range of event days.",
        ),
        dg.define_asset_job(
            TRAIN_RECOMMENDER,
            dg.AssetSelection.groups(taxonomy.RECOMMENDER),
            description="Train, evaluate, register, gate and publish the recommender.",
        ),
        dg.define_asset_job(
            UPDATE_RECOMMENDATIONS,
            dg.AssetSelection.assets(["recommender", "recommendations"]),
            description="What was watched since, into the champion's lists; nothing is trained.",
        ),
        dg.define_asset_job(
            FORECAST_DEMAND,
            dg.AssetSelection.groups(taxonomy.DEMAND),
            description="Back-test and forecast of sessions by title and region, and by age band.",
        ),
        dg.define_asset_job(
            PLAN_PLACEMENT, plan, description="A region's placement plan, replayed before it may be used."
        ),
        dg.define_asset_job(FILL_EDGES, fill, description="Move a region's plan to its edges, off-peak."),
        dg.define_asset_job(
            REBALANCE_REGION,
            plan | fill,
            description="A region whose viewers left the forecast's band: planned by its day so far, filled at once.",
        ),
        dg.define_asset_job(CHECK_EDGES, inventory, description="What every edge really holds, against its plan."),
        dg.define_asset_job(
            PUBLISH_SNAPSHOT,
            dg.AssetSelection.groups(taxonomy.SERVING),
            description="Build, verify and publish what the playback API serves.",
        ),
        dg.define_asset_job(
            MAINTAIN_LAKE,
            dg.AssetSelection.groups(taxonomy.OPS),
            description="Compaction and clean-up of the lake, and the pictures of quality and of the network.",
        ),
    ]


def build_schedules() -> list[dg.ScheduleDefinition]:
    """Hourly ingest, the nightly chain of models, and each region's off-peak fill."""
    plain = [
        dg.ScheduleDefinition(name="hourly_catalogue", cron_schedule="0 * * * *", job_name=LOAD_CATALOGUE),
        dg.ScheduleDefinition(name="hourly_ingest", cron_schedule="5 * * * *", job_name=INGEST_EVENTS),
        dg.ScheduleDefinition(
            name="hourly_recommendations", cron_schedule="35 * * * *", job_name=UPDATE_RECOMMENDATIONS
        ),
        dg.ScheduleDefinition(name="nightly_training", cron_schedule="0 1 * * *", job_name=TRAIN_RECOMMENDER),
        dg.ScheduleDefinition(name="nightly_forecast", cron_schedule="30 0 * * *", job_name=FORECAST_DEMAND),
        dg.ScheduleDefinition(name="hourly_snapshot", cron_schedule="45 * * * *", job_name=PUBLISH_SNAPSHOT),
        dg.ScheduleDefinition(name="hourly_edge_check", cron_schedule="50 * * * *", job_name=CHECK_EDGES),
        dg.ScheduleDefinition(name="daily_lake_maintenance", cron_schedule="0 4 * * *", job_name=MAINTAIN_LAKE),
    ]
    regional = [
        schedule for region in read_network().regions for schedule in (_plan_schedule(region), _fill_schedule(region))
    ]
    return [*plain, _warehouse_schedule(), *regional]


def build_defs() -> dg.Definitions:
    """Jobs and schedules."""
    return dg.Definitions(jobs=build_jobs(), schedules=build_schedules())


def _plan_schedule(region: Region) -> dg.ScheduleDefinition:
    # An hour before the window opens, so that the gate has spoken when the fill starts.
    hour = (region.fill_start_hour - 1) % 24
    return _regional_schedule(region, name="plan", job_name=PLAN_PLACEMENT, hour=hour, configure=_plan_config)


def _plan_config(planned_at: dt.datetime) -> dict[str, Any]:
    """A plan is for the day (UTC, as all days of the lake) that most of the 24 hours after it are of."""
    most_of = (planned_at.astimezone(dt.UTC) + dt.timedelta(hours=12)).date()
    return {"ops": {"edge__placement_plan": {"config": {"plan_from": most_of.isoformat()}}}}


def _fill_schedule(region: Region) -> dg.ScheduleDefinition:
    return _regional_schedule(region, name="fill", job_name=FILL_EDGES, hour=region.fill_start_hour)


def _regional_schedule(
    region: Region,
    *,
    name: str,
    job_name: str,
    hour: int,
    configure: Callable[[dt.datetime], dict[str, Any]] | None = None,
) -> dg.ScheduleDefinition:
    @dg.schedule(
        name=f"{name}_{region.region_id.replace('-', '_')}",
        cron_schedule=f"0 {hour} * * *",
        execution_timezone=region.time_zone,
        job_name=job_name,
        description=f"{name.capitalize()} for {region.name} at {hour:02d}:00 local time ({region.time_zone}).",
    )
    def regional(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        return dg.RunRequest(
            run_key=context.scheduled_execution_time.isoformat(),
            partition_key=region.region_id,
            run_config=configure(context.scheduled_execution_time) if configure else None,
            tags={"matinee/region": region.region_id},
        )

    return regional


def _warehouse_schedule() -> dg.ScheduleDefinition:
    @dg.schedule(
        name="hourly_warehouse",
        cron_schedule="15 * * * *",
        execution_timezone="UTC",
        job_name=BUILD_WAREHOUSE,
        description="Rebuild yesterday and today, so that beats that come late are counted.",
    )
    def warehouse(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        return dg.RunRequest(
            run_key=context.scheduled_execution_time.isoformat(),
            tags=event_day_range_tags(
                (context.scheduled_execution_time - dt.timedelta(days=1)).date(),
                context.scheduled_execution_time.date(),
            ),
        )

    return warehouse
