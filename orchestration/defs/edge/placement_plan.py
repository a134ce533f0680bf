"""The placement plan of a region: made from the forecast, replayed on yesterday, in force only if it does no harm.

A plan is always stored, so that a refused one can be looked at. The gate is held in the asset, before the pointer
``plans/<region_id>/CURRENT`` moves: a refused plan never is in force, not even between two steps. The blocking check
``replay_gate`` reports the same verdict, so that a refusal is seen and the fill behind it does not run.
"""

# annotations stay real objects here: Dagster does not resolve a config class from a string
import datetime as dt

import dagster as dg
import polars as pl

from ml.placement import GateVerdict, NoDemand, PlacementPlan, ReplayResult, judge
from orchestration import partitions, taxonomy
from orchestration.defs.demand.forecast import FORECAST_KEY
from orchestration.defs.demand.plots import png_markdown
from orchestration.defs.demand.tables import markdown_table
from orchestration.defs.edge.hit_ratio_plot import plot_hit_ratio_by_size
from orchestration.defs.edge.plan_store import PlanRecord, store_plan
from orchestration.defs.edge.planning import PlanConfig, PlanInputs, make_plan, read_plan_inputs, replay_plan
from orchestration.defs.edge.what_if import read_scenarios, sweep
from orchestration.edge import current_plan_key, plan_key
from orchestration.resources.edges import EdgeFleet
from orchestration.resources.storage import MediaStorage
from orchestration.resources.warehouse import Warehouse
from orchestration.settings import Settings

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
    what it is worth in bytes served locally (`value`, local starts counted in bytes too) and the order of the fill
    (`rank`); `matinee why` reads back why a title is there or is not. The plan is replayed on
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
            _check(REPLAY_GATE, verdict.accepted, verdict.reason, _what_shows_it(result, verdict)),
            _check(
                EDGES_ANSWERED, not inputs.silent_edges, "; ".join(inputs.silent_edges) or "all answered", warn=True
            ),
            _check(FORECAST_COVERS_PLAN, not inputs.forecast_gap, inputs.forecast_gap or "it does", warn=True),
        ],
    )


def build_defs(settings: Settings) -> dg.Definitions:
    """The plan with its checks, which are part of the asset."""
    return dg.Definitions(assets=[placement_plan])


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


def _what_shows_it(result: ReplayResult, verdict: GateVerdict) -> dict[str, str]:
    """The tables behind a verdict: the difference to what runs, with its interval, and all that was replayed."""
    return {"difference": markdown_table(verdict.comparison), "table": markdown_table(result.table)}


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
