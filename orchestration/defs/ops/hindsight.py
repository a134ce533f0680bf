"""``ops/hindsight``: after the day, what each plan earned against what it promised, and where its forecast cost bytes.

The plan that was in force is replayed on the day that it was made for, beside pull-through alone and the plan of a
perfect forecast. Gathering, tables and hand-over stand here; what is measured stands in :mod:`ml.placement.hindsight`.
"""

# annotations stay real objects here: Dagster does not resolve a config class from a string
import datetime as dt
import io
from dataclasses import dataclass, replace

import dagster as dg
import polars as pl

from ml.placement import BLOCK, LRU, NoDemand, ReplayResult, cost_forecast_errors, measure_edges
from ml.placement.replay import SCORE
from orchestration import taxonomy
from orchestration.defs.demand.forecast_store import read_forecast
from orchestration.defs.demand.inputs import DemandDay
from orchestration.defs.demand.plots import png_markdown
from orchestration.defs.demand.tables import markdown_table
from orchestration.defs.edge.placement_plan import PLAN_KEY, WAREHOUSE_TABLES
from orchestration.defs.edge.plan_store import PlanRecord, read_plans_of_day
from orchestration.defs.edge.planning import PlanConfig, forecast_of_days, read_plan_inputs, replay_plan
from orchestration.defs.ops.hindsight_plot import COSTS, plot_hindsight
from orchestration.defs.ops.kept_day import keep_day, read_day
from orchestration.defs.ops.warning import warn_of
from orchestration.edge import PlanUnusableError, read_plan
from orchestration.edge.topology import read_network
from orchestration.resources.storage import MediaStorage
from orchestration.resources.warehouse import Warehouse
from orchestration.store import ObjectMissing, ObjectStore

HINDSIGHT_KEY = dg.AssetKey(["ops", "hindsight"])
PLANS_EARNED = "plans_earned_their_place"
GATE_WAS_RIGHT = "gate_was_right"
REFUSED = "refused"
"""The newest plan for the day that the gate had refused, among the placements of a replay."""
AREA = "hindsight"
TITLES_SHOWN = 15
FORETOLD = ("expected_sessions", "promised_bytes")
"""What a plan's record says of an edge; null for plans of a time when it did not."""


@dataclass(frozen=True, kw_only=True)
class RegionHindsight:
    """One region's day.

    Attributes:
        record: The plan that was in force.
        result: The day replayed under it (as the candidate), under LRU, the oracle and, if there is one, the plan that
            the gate refused.
        edges: One row an edge: :func:`ml.placement.measure_edges` with region_id, plan_id, what the plan foretold and
            the bytes that forecast errors cost.
        titles: :func:`ml.placement.cost_forecast_errors` with region_id.
    """

    record: PlanRecord
    result: ReplayResult
    edges: pl.DataFrame
    titles: pl.DataFrame


@dataclass(frozen=True, kw_only=True)
class _PlansAround:
    """The plans that count on a day.

    Attributes:
        in_force: The newest that was accepted.
        before: The one whose blocks stood on the edges before the day.
        refused: Made for the day after the one in force, and refused; an earlier one was made good by it.
    """

    in_force: PlanRecord | None
    before: PlanRecord | None
    refused: PlanRecord | None


@dg.asset(
    key=HINDSIGHT_KEY,
    group_name=taxonomy.OPS,
    owners=taxonomy.OWNERS[taxonomy.OPS],
    kinds={"python", "parquet"},
    deps=[PLAN_KEY, *(dg.AssetKey(["warehouse", table]) for table in WAREHOUSE_TABLES)],
    check_specs=[
        dg.AssetCheckSpec(
            PLANS_EARNED,
            asset=HINDSIGHT_KEY,
            description="On the last complete day no region would have done better without its plan.",
        ),
        dg.AssetCheckSpec(
            GATE_WAS_RIGHT,
            asset=HINDSIGHT_KEY,
            description="No plan that the gate refused for that day would have done better than the one in force.",
        ),
    ],
)
def hindsight(
    context: dg.AssetExecutionContext, config: DemandDay, warehouse: Warehouse, storage: MediaStorage
) -> dg.MaterializeResult:
    """What the plans of the last complete day earned, beside what they promised and what a perfect forecast would have.

    Grain: one row an edge, and one a title at an edge where an error of the forecast cost bytes: fetched from upstream
    because it was too low, or filled for nobody because it was too high. The day's sessions are replayed under the plan
    that was in force, which knew only the days before. `today` in the configuration is the first day that is not
    complete. For planners, who see whether disks or forecasts are what is missing, and for `ops/network`.
    """
    store, day = storage.store(), config.date() - dt.timedelta(days=1)
    found = []
    for region in read_network().regions:
        try:
            seen = look_back(store, warehouse, region.region_id, day)
        except (PlanUnusableError, ObjectMissing) as error:  # a home from before retention may lack old forecasts
            context.log.warning("%s is left out: %s", region.region_id, error)
            continue
        if seen is None:
            context.log.info("no plan was in force in %s on %s, or nobody watched", region.region_id, day)
        else:
            found.append(seen)
    if not found:
        return dg.MaterializeResult(
            metadata={"day": day.isoformat(), "regions": 0}, check_results=_judge_regions(found)
        )
    edges = pl.concat([seen.edges for seen in found])
    titles = pl.concat([seen.titles for seen in found])
    measures = [seen.result.table.select(pl.lit(seen.record.region_id).alias("region_id"), pl.all()) for seen in found]
    return dg.MaterializeResult(
        metadata={
            "day": day.isoformat(),
            "regions": len(found),
            "store_key": store_hindsight(store, edges, day),
            "plot": dg.MetadataValue.md(png_markdown(plot_hindsight(edges), "plans after their day")),
            "edges": dg.MetadataValue.md(markdown_table(edges.drop("plan_id", *COSTS))),
            "forecast_costs": dg.MetadataValue.md(markdown_table(edges.select("edge_id", *COSTS))),
            "titles": dg.MetadataValue.md(markdown_table(titles.head(TITLES_SHOWN))),
            "replays": dg.MetadataValue.md(markdown_table(pl.concat(measures))),
            "plans": {seen.record.region_id: seen.record.plan_id for seen in found},
        },
        check_results=_judge_regions(found),
    )


def look_back(store: ObjectStore, warehouse: Warehouse, region_id: str, day: dt.date) -> RegionHindsight | None:
    """Replay a region's day under the plan that was in force; None without a plan or a session.

    The catalogue is that of now: of titles that were packaged anew since, nothing counts as placed.
    """
    plans = _plans_around(store, region_id, day)
    record = plans.in_force
    if record is None:
        return None
    try:
        # the disk of today says nothing of that day
        config = PlanConfig(today=str(day + dt.timedelta(days=1)))
        inputs = read_plan_inputs(region_id, config, warehouse, store, fleet=None)
    except NoDemand:
        return None
    if inputs.replay_day != day:
        return None
    sizes = {str(edge["edge_id"]): float(edge["capacity_bytes"]) for edge in record.edges}
    rows = read_plan(store, region_id, record.plan_id).rows
    # what an older plan had brought was not filled for this day
    filled_before = read_plan(store, region_id, plans.before.plan_id).rows if plans.before else rows.clear()
    inputs = replace(
        inputs,
        edges=inputs.edges.filter(pl.col("edge_id").is_in(list(sizes))).with_columns(
            capacity_bytes=pl.col("edge_id").replace_strict(sizes, return_dtype=pl.Float64)
        ),
        resident=filled_before.select("edge_id", *BLOCK),
        running=None,
    )
    beside = {REFUSED: read_plan(store, region_id, plans.refused.plan_id).rows} if plans.refused else {}
    result = replay_plan(inputs, rows, beside)
    if not result.sessions:
        return None
    expected, _ = forecast_of_days(read_forecast(store, record.forecast_id), day, 1)
    region = pl.lit(region_id).alias("region_id")
    titles = cost_forecast_errors(result, expected.filter(pl.col("region_id") == region_id))
    foretold = pl.DataFrame(
        [(edge["edge_id"], *(edge.get(name) for name in FORETOLD)) for edge in record.edges],
        schema={"edge_id": pl.String, **dict.fromkeys(FORETOLD, pl.Float64)},
        orient="row",
    )
    costs = titles.group_by("edge_id").agg(pl.col(list(COSTS)).sum())
    edges = (
        measure_edges(result)
        .join(foretold, on="edge_id", how="left", maintain_order="left")
        .join(costs, on="edge_id", how="left", maintain_order="left")
        .with_columns(pl.col(list(COSTS)).fill_null(0.0))
    )
    return RegionHindsight(
        record=record,
        result=result,
        edges=edges.select(
            region,
            "edge_id",
            pl.lit(record.plan_id).alias("plan_id"),
            *FORETOLD,
            pl.exclude("edge_id", *FORETOLD),
        ),
        titles=titles.select(region, pl.all()),
    )


def _plans_around(store: ObjectStore, region_id: str, day: dt.date) -> _PlansAround:
    in_force = refused = None
    for plan in read_plans_of_day(store, region_id, day):
        if in_force is None:
            if plan.accepted:
                in_force = plan
            elif refused is None and plan.first_day == day:
                refused = plan
        elif plan.accepted and plan.first_day < day:
            return _PlansAround(in_force=in_force, before=plan, refused=refused)
    return _PlansAround(in_force=in_force, before=None, refused=refused)


def store_hindsight(store: ObjectStore, edges: pl.DataFrame, day: dt.date) -> str:
    """Keep the rows of a day's edges; returns their key."""
    buffer = io.BytesIO()
    edges.write_parquet(buffer, compression="zstd")
    return keep_day(store, AREA, day, buffer.getvalue(), form="parquet")


def read_hindsight(store: ObjectStore, day: dt.date) -> pl.DataFrame | None:
    """The rows of a day's edges; None when the newest are of another day, or there are none."""
    content = read_day(store, AREA, day)
    return None if content is None else pl.read_parquet(io.BytesIO(content))


def _judge_regions(found: list[RegionHindsight]) -> list[dg.AssetCheckResult]:
    without = [_better(seen, LRU, "with pull-through alone") for seen in found]
    refused = [_better(seen, REFUSED, "with the plan that was refused") for seen in found]
    return [
        warn_of(HINDSIGHT_KEY, PLANS_EARNED, [fault for fault in without if fault]),
        warn_of(HINDSIGHT_KEY, GATE_WAS_RIGHT, [fault for fault in refused if fault]),
    ]


def _better(seen: RegionHindsight, placement: str, words: str) -> str:
    """A sentence where another placement would have had a better score than the plan in force."""
    compared = seen.result.compared_with(placement).filter((pl.col("measure") == SCORE) & pl.col("is_worse"))
    return "".join(  # at most one row, and none for a placement that was not replayed
        f"{seen.record.region_id}: score {row['candidate']:.3f} with its plan, {row['beside']:.3f} {words}"
        for row in compared.iter_rows(named=True)
    )
