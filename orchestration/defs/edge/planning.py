"""How a region's plan is made and replayed: what goes in, the plan, and the last complete day under it.

The asset, its gate and its record stand in ``placement_plan``; what other disks would do is asked in ``what_if``. Both
plan by the same functions here.
"""

# annotations stay real objects here: Dagster does not resolve a config class from a string
import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from ml.placement import (
    ARTWORK,
    BLOCK,
    CANDIDATE,
    ORACLE,
    RUNNING,
    NoDemand,
    PlacementPlan,
    PlacementSettings,
    ReplayResult,
    WatchThrough,
    learn_watch_through,
    plan,
    plan_from_truth,
    replay,
)
from orchestration.defs.demand.forecast_store import read_current_forecast
from orchestration.defs.demand.inputs import DemandDay
from orchestration.defs.edge.pace import expect_a_day_ahead, read_moment
from orchestration.edge import EdgeAnswer, PlanUnusableError, ask_edges, read_current_plan
from orchestration.edge.topology import Edge, read_network
from orchestration.resources.edges import EdgeFleet
from orchestration.resources.warehouse import Warehouse
from orchestration.store import ObjectMissing, ObjectStore

REQUESTS = "serving.srv_requests"
REQUEST_COLUMNS = ["region_id", "title_id", "rung", "seconds_watched", "event_day", "started_at"]
WATCH_THROUGH_DAYS = 7
WARM_UP_DAYS = 2
HISTORY_DAYS = WATCH_THROUGH_DAYS + 1
"""Days before the newest one of which sessions are read: what a plan for that newest day was to learn from."""


class PlanConfig(DemandDay):
    """How a plan is made.

    Attributes:
        plan_from: The first day that is planned (ISO); empty for ``today``. A plan of the last hours of a day serves
            the next one, of which as little is known.
        plan_days: For how many days of the forecast the plan is to serve.
        fill_budget_bytes: Most new bytes an edge may be asked to bring in; 0 for any number.
        rebalance_at: A moment of a running day (ISO, with its offset): plan for the 24 hours from it, by the forecast
            and by what was watched until then, and replay the day so far. Empty for a plan from complete days.
    """

    plan_from: str = ""
    plan_days: int = 1
    fill_budget_bytes: int = 0
    rebalance_at: str = ""

    def moment(self) -> dt.datetime | None:
        """The moment of a running day in UTC; None for a plan from complete days."""
        return read_moment(self.rebalance_at) if self.rebalance_at else None

    def first_day(self) -> dt.date:
        """The first day that is planned."""
        moment = self.moment()
        if moment is not None:
            return moment.date()
        return dt.date.fromisoformat(self.plan_from) if self.plan_from else self.date()


@dataclass(frozen=True, kw_only=True)
class PlanInputs:
    """Everything a plan of one region is made from."""

    region_id: str
    forecast_id: str
    demand: pl.DataFrame
    first_day: dt.date
    objects: pl.DataFrame
    titles: pl.DataFrame
    rung_mix: pl.DataFrame
    requests: pl.DataFrame
    replay_day: dt.date
    edges: pl.DataFrame
    resident: pl.DataFrame
    running: pl.DataFrame | None
    silent_edges: tuple[str, ...]
    forecast_gap: str
    notes: tuple[str, ...]
    rebalanced_at: dt.datetime | None = None

    @property
    def watch_through(self) -> WatchThrough:
        """How far the last days' sessions watched, all regions together."""
        recent = self.requests.filter(pl.col("event_day") > self.replay_day - dt.timedelta(days=WATCH_THROUGH_DAYS))
        media = self.objects.filter(pl.col("rung") != ARTWORK)  # its groups are no part of the film
        groups = media.group_by("title_id").agg((pl.col("segment_group").max() + 1).alias("groups"))
        return learn_watch_through(recent, groups, self.titles)


def read_plan_inputs(
    region_id: str,
    config: PlanConfig,
    warehouse: Warehouse,
    store: ObjectStore,
    fleet: EdgeFleet | None,
    *,
    history_days: int = HISTORY_DAYS,
) -> PlanInputs:
    """Gather the forecast, the catalogue, the sessions, the running plan and what the edges say of themselves.

    Args:
        region_id: The region.
        config: Which days.
        warehouse: Has catalogue and sessions.
        store: Has forecasts and plans.
        fleet: Is asked for disks and inventories; without one all edges are taken for empty, with the seeds' disks.
        history_days: How many days before the newest known one sessions are read of.

    Raises:
        NoDemand: There is no forecast or no packaged title yet.
    """
    try:
        forecast_id, forecast = read_current_forecast(store)
    except ObjectMissing:
        raise NoDemand("there is no forecast yet; materialise demand/forecast first") from None
    objects = warehouse.read("serving.srv_objects")
    if objects.is_empty():
        raise NoDemand("no title is packaged yet; there is nothing to place")
    if forecast.is_empty():
        raise NoDemand(f"forecast {forecast_id} is empty")
    first_day = config.first_day()
    expected, forecast_gap = forecast_of_days(forecast, first_day, config.plan_days)
    moment = config.moment()
    known = (
        pl.col("event_day") < config.date() if moment is None else pl.col("started_at") <= moment.replace(tzinfo=None)
    )
    known_until = config.date() - dt.timedelta(days=1) if moment is None else moment.date()
    requests = read_requests(warehouse, known_until, history_days).filter(known)
    if moment is None:
        demand = expected.group_by("region_id", "title_id").agg(pl.col("sessions").sum())
    else:
        demand = expect_a_day_ahead(forecast, requests, region_id, moment)
    replay_day = requests["event_day"].max()
    network = read_network()
    own = network.edges_of(region_id)
    edges, resident, silent = describe_edges(own, _ask(fleet, own) if fleet else {}, objects)
    edges = edges.with_columns(pl.col("upstream_limit_bytes") * (config.plan_days if moment is None else 1))
    running, problem = _running_plan(store, region_id)
    return PlanInputs(
        region_id=region_id,
        forecast_id=forecast_id,
        demand=demand,
        first_day=first_day,
        objects=objects,
        titles=warehouse.read("serving.srv_titles", ["title_id", "name", "kind", "licence_start", "licence_end"]),
        rung_mix=warehouse.read("serving.srv_rung_mix"),
        requests=requests,
        replay_day=replay_day if isinstance(replay_day, dt.date) else first_day - dt.timedelta(days=1),
        edges=edges,
        resident=resident,
        running=running,
        silent_edges=tuple(silent),
        forecast_gap=forecast_gap,
        notes=tuple(note for note in (*silent, forecast_gap, problem) if note),
        rebalanced_at=moment,
    )


def read_requests(warehouse: Warehouse, last_day: dt.date, history_days: int = HISTORY_DAYS) -> pl.DataFrame:
    """The sessions of the newest day until ``last_day`` that has any, and of so many days before it."""
    until = warehouse.newest_day(REQUESTS, last_day) or last_day
    return warehouse.read(REQUESTS, REQUEST_COLUMNS, days=(until - dt.timedelta(days=history_days), until))


def _ask(fleet: EdgeFleet, edges: Sequence[Edge]) -> dict[str, EdgeAnswer]:
    with fleet.clients(edge.edge_id for edge in edges) as clients:
        return {answer.edge_id: answer for answer in ask_edges(clients)}


def forecast_of_days(forecast: pl.DataFrame, first_day: dt.date, day_count: int) -> tuple[pl.DataFrame, str]:
    """The forecast's rows of the days from the first on, and a sentence when it does not have them all.

    Of a forecast that has none of them, the days nearest to them stand in.

    Args:
        forecast: Rows by ``day``; at least one.
        first_day: The first day that is planned.
        day_count: How many days are planned.
    """
    planned = [first_day + dt.timedelta(days=ahead) for ahead in range(day_count)]
    known = sorted(forecast["day"].unique())
    missing = [day for day in planned if day not in known]
    used = [day for day in planned if day in known] or (
        known[-day_count:] if known[-1] < first_day else [day for day in known if day > first_day][:day_count]
    )
    gap = (
        f"the forecast goes from {known[0]} to {known[-1]} and lacks {', '.join(map(str, missing))}: "
        f"{', '.join(map(str, used))} used; materialise demand/forecast"
    )
    return forecast.filter(pl.col("day").is_in(used)), gap if missing else ""


def describe_edges(
    edges: Sequence[Edge], answers: dict[str, EdgeAnswer], objects: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame, list[str]]:
    """The edges frame (limits are of a day), what stands on them, and a sentence for each one that did not tell.

    The disk of a silent edge is taken to be the seeds' share of the catalogue's bytes, and empty.
    """
    catalogue_bytes = float(objects["size_bytes"].sum())
    rows, held, silent = [], [], []
    for edge in edges:
        answer = answers.get(edge.edge_id)
        inventory = answer.inventory if answer else None
        capacity_bytes = float(inventory.capacity_bytes) if inventory else edge.capacity_share * catalogue_bytes
        if inventory is None:
            problem = answer.problem if answer else "it has no address"
            silent.append(f"{edge.edge_id} is taken to be empty with {capacity_bytes:,.0f} bytes: {problem}")
        else:
            held += [
                (edge.edge_id, title_id, rung, group)
                for title_id, rungs in inventory.complete.items()
                for rung, groups in rungs.items()
                for group in groups
            ]
        limit_bytes = edge.upstream_bytes_a_day
        told = (edge.edge_id, edge.region_id, edge.failure_domain, capacity_bytes, edge.pull_reserve_share, limit_bytes)
        rows.append(told)
    names = [
        "edge_id", "region_id", "failure_domain", "capacity_bytes", "pull_reserve_share", "upstream_limit_bytes",
    ]  # fmt: skip
    block_types = {"edge_id": pl.String, "title_id": pl.String, "rung": pl.String, "segment_group": pl.Int64}
    # inventories do not name packages: renditions are shared by all packages of a title
    packages = objects.select(*BLOCK).cast({"segment_group": pl.Int64}).unique()
    resident = pl.DataFrame(held, schema=block_types, orient="row").join(
        packages, on=["title_id", "rung", "segment_group"], how="inner"
    )
    return pl.DataFrame(rows, schema=names, orient="row"), resident.select("edge_id", *BLOCK), silent


def make_plan(inputs: PlanInputs, *, fill_budget_bytes: int = 0, label: str = "") -> PlacementPlan:
    """Plan the region, with so many new bytes an edge at most (0: any number); the plan's id starts with the label.

    Raises:
        NoDemand: No session is expected anywhere.
    """
    return plan(
        inputs.objects,
        inputs.demand,
        inputs.rung_mix,
        inputs.edges,
        inputs.resident,
        region_id=inputs.region_id,
        watch_through=inputs.watch_through,
        titles=inputs.titles,
        day=inputs.first_day,
        settings=PlacementSettings(fill_budget_bytes=fill_budget_bytes or None),
        label=label,
    )


def replay_plan(
    inputs: PlanInputs, rows: pl.DataFrame, beside: Mapping[str, pl.DataFrame] | None = None
) -> ReplayResult:
    """Replay the last known day under a plan's rows, others, the running plan and the plan of a perfect forecast."""
    requests = requests_around(inputs.requests, inputs.replay_day)
    placements = {CANDIDATE: rows, **(beside or {})}
    if inputs.running is not None:
        placements[RUNNING] = inputs.running
    if requests.filter(pl.col("event_day") == inputs.replay_day).height:
        placements[ORACLE] = plan_from_truth(
            inputs.objects,
            requests,
            inputs.rung_mix,
            inputs.edges,
            region_id=inputs.region_id,
            day=inputs.replay_day,
            watch_through=inputs.watch_through,
        ).rows
    return replay(
        placements,
        requests,
        inputs.objects,
        inputs.edges,
        region_id=inputs.region_id,
        day=inputs.replay_day,
        resident=inputs.resident,
    )


def requests_around(requests: pl.DataFrame, day: dt.date) -> pl.DataFrame:
    """The sessions of a day that is replayed, and of those before it that warm the caches up."""
    return requests.filter(pl.col("event_day").is_between(day - dt.timedelta(days=WARM_UP_DAYS), day))


def _running_plan(store: ObjectStore, region_id: str) -> tuple[pl.DataFrame | None, str]:
    """The rows of the plan in force; None and a reason when there is none that can be used."""
    try:
        running = read_current_plan(store, region_id)
    except PlanUnusableError as error:
        return None, f"the running plan cannot be compared with: {error}"
    return (running.rows, "") if running else (None, "")
