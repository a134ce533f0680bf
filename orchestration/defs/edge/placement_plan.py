"""The placement plan of a region: made from the forecast, replayed on yesterday, in force only if it does no harm.

A plan is always stored, so that a refused one can be looked at. The gate is held in the asset, before the pointer
``plans/<region_id>/CURRENT`` moves: a refused plan never is in force, not even between two steps. The blocking check
``replay_gate`` reports the same verdict, so that a refusal is seen and the fill behind it does not run.
"""

# annotations stay real objects here: Dagster does not resolve a config class from a string
import datetime as dt
import io
from collections.abc import Sequence
from dataclasses import dataclass

import dagster as dg
import msgspec
import polars as pl

from ml.placement import (
    ARTWORK,
    BLOCK,
    CANDIDATE,
    ORACLE,
    RUNNING,
    GateVerdict,
    NoDemand,
    PlacementPlan,
    PlacementSettings,
    ReplayResult,
    WatchThrough,
    gap,
    judge,
    learn_watch_through,
    plan,
    plan_from_truth,
    replay,
)
from orchestration import partitions, taxonomy
from orchestration.defs.demand.forecast import FORECAST_KEY
from orchestration.defs.demand.forecast_store import read_current_forecast
from orchestration.defs.demand.inputs import DemandDay
from orchestration.defs.demand.tables import markdown_table
from orchestration.edge import EdgeAnswer, PlanUnusableError, ask_edges, current_plan_key, plan_key, read_current_plan
from orchestration.edge.topology import Edge, read_network
from orchestration.resources.edges import EdgeFleet
from orchestration.resources.storage import MediaStorage
from orchestration.resources.warehouse import Warehouse
from orchestration.settings import Settings
from orchestration.store import ObjectMissing, ObjectStore

PLAN_KEY = dg.AssetKey(["edge", "placement_plan"])
REPLAY_GATE = "replay_gate"
EDGES_ANSWERED = "edges_answered"
FORECAST_COVERS_PLAN = "forecast_covers_plan"
CHECKS = [
    dg.AssetCheckSpec(
        REPLAY_GATE,
        asset=PLAN_KEY,
        blocking=True,
        description="Replayed on the last complete day, the plan is in no measure worse than what runs (plan or LRU).",
    ),
    dg.AssetCheckSpec(
        EDGES_ANSWERED,
        asset=PLAN_KEY,
        description="Every edge of the region told its disk and inventory; otherwise the seeds' share was used.",
    ),
    dg.AssetCheckSpec(
        FORECAST_COVERS_PLAN,
        asset=PLAN_KEY,
        description="The forecast has every day that is planned; otherwise its nearest days were used.",
    ),
]
WAREHOUSE_TABLES = ("srv_objects", "srv_rung_mix", "srv_requests", "srv_titles")
REQUEST_COLUMNS = ["region_id", "title_id", "rung", "seconds_watched", "event_day", "started_at"]
WATCH_THROUGH_DAYS = 7
WARM_UP_DAYS = 2
TOP_TITLES = 10


class PlanConfig(DemandDay):
    """How a plan is made.

    Attributes:
        plan_days: For how many days of the forecast the plan is to serve.
        fill_budget_bytes: Most new bytes an edge may be asked to bring in; 0 for any number.
    """

    plan_days: int = 1
    fill_budget_bytes: int = 0


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

    @property
    def watch_through(self) -> WatchThrough:
        """How far the last days' sessions watched, all regions together."""
        recent = self.requests.filter(pl.col("event_day") > self.replay_day - dt.timedelta(days=WATCH_THROUGH_DAYS))
        media = self.objects.filter(pl.col("rung") != ARTWORK)  # its groups are no part of the film
        groups = media.group_by("title_id").agg((pl.col("segment_group").max() + 1).alias("groups"))
        return learn_watch_through(recent, groups, self.titles)


class PlanRecord(msgspec.Struct, frozen=True, kw_only=True):
    """``plans/<region_id>/<plan_id>.json``: the totals of a plan and what the gate said."""

    plan_id: str
    region_id: str
    forecast_id: str
    first_day: dt.date
    replay_day: dt.date
    accepted: bool
    reason: str
    expected_hit_ratio: float
    expected_start_ratio: float
    placed_bytes: int
    titles_with_prefix: int
    titles_in_catalogue: int
    edges: list[dict[str, float | int | str]]
    replay: list[dict[str, float | int | str]]
    notes: list[str]


@dg.asset(
    key=PLAN_KEY,
    partitions_def=partitions.region,
    group_name=taxonomy.EDGE,
    owners=taxonomy.OWNERS[taxonomy.EDGE],
    kinds={"python", "parquet"},
    deps=[FORECAST_KEY, *(dg.AssetKey(["warehouse", table]) for table in WAREHOUSE_TABLES)],
    check_specs=CHECKS,
)
def placement_plan(
    context: dg.AssetExecutionContext,
    config: PlanConfig,
    warehouse: Warehouse,
    storage: MediaStorage,
    edges: EdgeFleet,
) -> dg.MaterializeResult:
    """Which title, rung and segment group each edge of a region should hold for the coming day.

    Grain: one row an edge, title, rung and segment group, in `plans/<region_id>/<plan_id>.parquet` of the store, with
    the bytes that it is expected to serve locally (`value`) and the order of the fill (`rank`). The plan is replayed on
    the last complete day beside pure LRU, the running plan and an oracle; `plans/<region_id>/CURRENT` names it only if
    it is not worse than what runs. Used by the fill of the region's edges and by routing.
    """
    store = storage.store()
    try:
        inputs = read_plan_inputs(context.partition_key, config, warehouse, store, edges)
        made = make_plan(inputs, config, label=f"{dt.datetime.now(dt.UTC):%Y%m%dt%H%M%S}")
    except NoDemand as reason:
        context.log.warning("no plan for %s: %s", context.partition_key, reason)
        return _no_plan(str(reason))
    result = replay_plan(inputs, made)
    verdict = judge(result)
    record = store_plan(store, inputs, made, result, verdict)
    if verdict.accepted:
        store.put_bytes(current_plan_key(inputs.region_id), made.plan_id.encode(), replace=True)
    else:
        context.log.warning("plan %s is refused and not in force: %s", made.plan_id, verdict.reason)
    return dg.MaterializeResult(
        metadata=_metadata(inputs, made, result, record),
        check_results=[
            _check(REPLAY_GATE, verdict.accepted, verdict.reason, {"table": markdown_table(result.table)}),
            _check(
                EDGES_ANSWERED, not inputs.silent_edges, "; ".join(inputs.silent_edges) or "all answered", warn=True
            ),
            _check(FORECAST_COVERS_PLAN, not inputs.forecast_gap, inputs.forecast_gap or "it does", warn=True),
        ],
    )


def build_defs(settings: Settings) -> dg.Definitions:
    """The plan with its checks, which are part of the asset."""
    return dg.Definitions(assets=[placement_plan])


def read_plan_inputs(
    region_id: str, config: PlanConfig, warehouse: Warehouse, store: ObjectStore, fleet: EdgeFleet
) -> PlanInputs:
    """Gather the forecast, the catalogue, the sessions, the running plan and what the edges say of themselves.

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
    first_day = config.date()
    expected, forecast_gap = forecast_of_days(forecast, first_day, config.plan_days)
    demand = expected.group_by("region_id", "title_id").agg(pl.col("sessions").sum())
    requests = warehouse.read("serving.srv_requests", REQUEST_COLUMNS).filter(pl.col("event_day") < config.date())
    replay_day = requests["event_day"].max()
    network = read_network()
    with fleet.clients(edge.edge_id for edge in network.edges_of(region_id)) as clients:
        answers = {answer.edge_id: answer for answer in ask_edges(clients)}
    edges, resident, silent = describe_edges(network.edges_of(region_id), answers, objects)
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
    )


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
    """The edges frame, what stands on them, and a sentence for each one that did not tell.

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
        rows.append((edge.edge_id, edge.region_id, edge.failure_domain, capacity_bytes, edge.pull_reserve_share))
    names = ["edge_id", "region_id", "failure_domain", "capacity_bytes", "pull_reserve_share"]
    block_types = {"edge_id": pl.String, "title_id": pl.String, "rung": pl.String, "segment_group": pl.Int64}
    # inventories do not name packages: renditions are shared by all packages of a title
    packages = objects.select(*BLOCK).cast({"segment_group": pl.Int64}).unique()
    resident = pl.DataFrame(held, schema=block_types, orient="row").join(
        packages, on=["title_id", "rung", "segment_group"], how="inner"
    )
    return pl.DataFrame(rows, schema=names, orient="row"), resident.select("edge_id", *BLOCK), silent


def make_plan(inputs: PlanInputs, config: PlanConfig, label: str) -> PlacementPlan:
    """Plan the region for the days that the configuration says; the plan's id starts with the label.

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
        settings=PlacementSettings(fill_budget_bytes=config.fill_budget_bytes or None),
        label=label,
    )


def replay_plan(inputs: PlanInputs, made: PlacementPlan) -> ReplayResult:
    """Replay the last complete day under the plan, the running plan and the plan of a perfect forecast."""
    since = inputs.replay_day - dt.timedelta(days=WARM_UP_DAYS)
    requests = inputs.requests.filter(pl.col("event_day").is_between(since, inputs.replay_day))
    placements = {CANDIDATE: made.rows}
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


def store_plan(
    store: ObjectStore, inputs: PlanInputs, made: PlacementPlan, result: ReplayResult, verdict: GateVerdict
) -> PlanRecord:
    """Write the plan and its record, without putting it in force."""
    buffer = io.BytesIO()
    made.rows.write_parquet(buffer, compression="zstd")
    key = plan_key(made.region_id, made.plan_id)
    store.put_bytes(key, buffer.getvalue())
    record = PlanRecord(
        plan_id=made.plan_id,
        region_id=made.region_id,
        forecast_id=inputs.forecast_id,
        first_day=inputs.first_day,
        replay_day=inputs.replay_day,
        accepted=verdict.accepted,
        reason=verdict.reason,
        expected_hit_ratio=made.expected_hit_ratio,
        expected_start_ratio=made.expected_start_ratio,
        placed_bytes=made.placed_bytes,
        titles_with_prefix=made.titles_with_prefix,
        titles_in_catalogue=made.titles_in_catalogue,
        edges=_edge_table(made, result).to_dicts(),
        replay=result.table.to_dicts(),
        notes=[*inputs.notes, *made.notes, *result.notes],
    )
    store.put_bytes(key.removesuffix(".parquet") + ".json", msgspec.json.encode(record))
    return record


def _running_plan(store: ObjectStore, region_id: str) -> tuple[pl.DataFrame | None, str]:
    """The rows of the plan in force; None and a reason when there is none that can be used."""
    try:
        running = read_current_plan(store, region_id)
    except PlanUnusableError as error:
        return None, f"the running plan cannot be compared with: {error}"
    return (running.rows, "") if running else (None, "")


def _edge_table(made: PlacementPlan, result: ReplayResult) -> pl.DataFrame:
    """Totals by edge, with how far the plan is under the linear program's bound."""
    totals = pl.DataFrame(
        [
            {
                "edge_id": edge.edge_id,
                "capacity_bytes": int(edge.capacity_bytes),
                "placed_bytes": edge.placed_bytes,
                "fill_bytes": edge.fill_bytes,
                "blocks": edge.blocks,
                "titles": edge.titles,
                "cutoff": edge.cutoff,
                "gap_to_bound": gap(question.knapsack, question.placed),
            }
            for edge, question in zip(made.edges, made.questions, strict=True)
        ]
    )
    replayed = result.by_edge.filter(pl.col("placement") == CANDIDATE)
    return totals.join(
        replayed.select("edge_id", pl.col("byte_hit_ratio").alias("replayed_hit_ratio")),
        on="edge_id",
        how="left",
        maintain_order="left",
    )


def _top_titles(inputs: PlanInputs, made: PlacementPlan) -> pl.DataFrame:
    return (
        made.rows.group_by("title_id")
        .agg(
            pl.col("value").sum(),
            pl.col("size_bytes").sum(),
            pl.col("edge_id").unique().sort().str.join(", ").alias("edges"),
            pl.col("rung").filter(pl.col("rung").str.ends_with("p")).unique().sort().str.join(", ").alias("rungs"),
        )
        .sort(["value", "title_id"], descending=[True, False])
        .head(TOP_TITLES)
        .join(inputs.titles.select("title_id", "name"), on="title_id", how="left", maintain_order="left")
        .select("title_id", "name", "edges", "rungs", "size_bytes", "value")
    )


def _metadata(
    inputs: PlanInputs, made: PlacementPlan, result: ReplayResult, record: PlanRecord
) -> dict[str, dg.MetadataValue | str | int | float | bool]:
    return {
        "plan_id": made.plan_id,
        "store_key": plan_key(made.region_id, made.plan_id),
        "in_force": record.accepted,
        "reason": record.reason,
        "forecast_id": inputs.forecast_id,
        "first_day": inputs.first_day.isoformat(),
        "replay_day": inputs.replay_day.isoformat(),
        "rows": len(made.rows),
        "placed_bytes": made.placed_bytes,
        "fill_bytes": sum(edge.fill_bytes for edge in made.edges),
        "promised_hit_ratio": made.expected_hit_ratio,
        "promised_start_ratio": made.expected_start_ratio,
        "catalogue_share_with_prefix": made.titles_with_prefix / max(made.titles_in_catalogue, 1),
        "sampled_share": result.sampled_share,
        "by_edge": dg.MetadataValue.md(markdown_table(pl.DataFrame(record.edges))),
        "replay": dg.MetadataValue.md(markdown_table(result.table)),
        "top_titles": dg.MetadataValue.md(markdown_table(_top_titles(inputs, made))),
        "notes": dg.MetadataValue.md("\n".join(f"- {note}" for note in record.notes) or "none"),
    }


def _no_plan(reason: str) -> dg.MaterializeResult:
    """The answer of a new installation: nothing is planned and nothing that runs is touched."""
    return dg.MaterializeResult(
        metadata={"in_force": False, "reason": reason, "rows": 0},
        check_results=[
            _check(REPLAY_GATE, True, reason),
            _check(EDGES_ANSWERED, True, reason, warn=True),
            _check(FORECAST_COVERS_PLAN, True, reason, warn=True),
        ],
    )


def _check(
    name: str, passed: bool, reason: str, tables: dict[str, str] | None = None, *, warn: bool = False
) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        asset_key=PLAN_KEY,
        check_name=name,
        passed=passed,
        severity=dg.AssetCheckSeverity.WARN if warn else dg.AssetCheckSeverity.ERROR,
        description=reason,
        metadata={title: dg.MetadataValue.md(table) for title, table in (tables or {}).items()},
    )
