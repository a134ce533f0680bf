"""The placement plan of a region: made from the forecast, replayed on yesterday, in force only if it does no harm.

A plan is always stored, so that a refused one can be looked at. The gate is held in the asset, before the pointer
``plans/<region_id>/CURRENT`` moves: a refused plan never is in force, not even between two steps. The blocking check
``replay_gate`` reports the same verdict, so that a refusal is seen and the fill behind it does not run.
"""

# annotations stay real objects here: Dagster does not resolve a config class from a string
import datetime as dt
import io
from collections.abc import Iterator

import dagster as dg
import msgspec
import polars as pl

from ml.placement import CANDIDATE, GateVerdict, NoDemand, PlacementPlan, ReplayResult, gap, judge
from orchestration import partitions, taxonomy
from orchestration.defs.demand.forecast import FORECAST_KEY
from orchestration.defs.demand.plots import png_markdown
from orchestration.defs.demand.tables import markdown_table
from orchestration.defs.edge.hit_ratio_plot import plot_hit_ratio_by_size
from orchestration.defs.edge.planning import PlanConfig, PlanInputs, make_plan, read_plan_inputs, replay_plan
from orchestration.defs.edge.what_if import read_scenarios, sweep
from orchestration.edge import current_plan_key, plan_key
from orchestration.resources.edges import EdgeFleet
from orchestration.resources.storage import MediaStorage
from orchestration.resources.warehouse import Warehouse
from orchestration.settings import Settings
from orchestration.store import ObjectStore

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
TOP_TITLES = 10
SIZES_SHOWN = ("capacity=0.5,1,2,4",)


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
    rebalanced_at: dt.datetime | None = None
    """Until when it had looked at its own first day; null for a plan from complete days."""


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
        made = make_plan(
            inputs, fill_budget_bytes=config.fill_budget_bytes, label=f"{dt.datetime.now(dt.UTC):%Y%m%dt%H%M%S}"
        )
    except NoDemand as reason:
        context.log.warning("no plan for %s: %s", context.partition_key, reason)
        return _no_plan(str(reason))
    result = replay_plan(inputs, made.rows)
    verdict = judge(result)
    record = store_plan(store, inputs, made, result, verdict)
    if verdict.accepted:
        store.put_bytes(current_plan_key(inputs.region_id), made.plan_id.encode(), replace=True)
    else:
        context.log.warning("plan %s is refused and not in force: %s", made.plan_id, verdict.reason)
    return dg.MaterializeResult(
        metadata={**_metadata(inputs, made, result, record), **_by_size(inputs, result)},
        check_results=[
            _check(REPLAY_GATE, verdict.accepted, verdict.reason, {"table": markdown_table(result.table)}),
            _check(
                EDGES_ANSWERED, not inputs.silent_edges, "; ".join(inputs.silent_edges) or "all answered", warn=True
            ),
            _check(FORECAST_COVERS_PLAN, not inputs.forecast_gap, inputs.forecast_gap or "it does", warn=True),
        ],
    )


def read_plans(store: ObjectStore, region_id: str) -> Iterator[PlanRecord]:
    """The records of a region's plans, newest first, with those that the gate refused."""
    # ids begin with the moment of making, so that the last key is the newest plan
    for key in sorted(store.keys(f"plans/{region_id}"), reverse=True):
        if key.endswith(".json"):
            yield msgspec.json.decode(store.read_bytes(key), type=PlanRecord)


def read_plans_of_day(store: ObjectStore, region_id: str, day: dt.date) -> Iterator[PlanRecord]:
    """The plans that were made for a day or before it, newest first, refused ones too; none that had seen the day."""
    for plan in read_plans(store, region_id):
        if plan.first_day <= day and (plan.rebalanced_at is None or plan.first_day < day):
            yield plan


def build_defs(settings: Settings) -> dg.Definitions:
    """The plan with its checks, which are part of the asset."""
    return dg.Definitions(assets=[placement_plan])


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
        rebalanced_at=inputs.rebalanced_at,
    )
    store.put_bytes(key.removesuffix(".parquet") + ".json", msgspec.json.encode(record))
    return record


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
                "expected_sessions": edge.expected_sessions,
                "promised_bytes": edge.promised_bytes,
                "expected_upstream_bytes": edge.expected_upstream_bytes,
                "upstream_price": edge.upstream_price,
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
        "rebalanced_at": inputs.rebalanced_at.isoformat() if inputs.rebalanced_at else "planned from complete days",
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


def _by_size(inputs: PlanInputs, result: ReplayResult) -> dict[str, dg.MetadataValue]:
    """The replayed day again under other disk sizes, drawn; nothing when there was no session to replay."""
    if not result.sessions:
        return {}
    curve = plot_hit_ratio_by_size(sweep(inputs, {inputs.replay_day: inputs.demand}, read_scenarios(SIZES_SHOWN)))
    return {"hit_ratio_by_edge_size": dg.MetadataValue.md(png_markdown(curve, "hit ratio by edge size"))}


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
