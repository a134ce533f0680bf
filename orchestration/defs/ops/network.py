"""``ops/network``: regions and edges on one page: what is filled, what it earned, and how the forecast came out.

Reading, drawing and publishing for the operator's page; how a plan or a forecast is made stands in their own stages.
"""

# annotations stay real objects here: Dagster does not resolve a config class from a string
import datetime as dt
import io
from collections.abc import Mapping, Sequence

import dagster as dg
import msgspec
import polars as pl

from orchestration import taxonomy
from orchestration.defs.demand.comparison import compare_forecast
from orchestration.defs.demand.forecast_store import read_forecast_for
from orchestration.defs.demand.inputs import DEMAND_COLUMNS, DEMAND_KEY, TITLES_KEY, DemandDay, read_titles
from orchestration.defs.demand.plots import png_markdown
from orchestration.defs.demand.tables import markdown_table
from orchestration.defs.edge.plan_store import PlanRecord, read_plans_of_day
from orchestration.defs.ops.hindsight import HINDSIGHT_KEY, read_hindsight
from orchestration.defs.ops.kept_day import keep_day
from orchestration.defs.ops.warning import warn_of
from orchestration.edge import EdgeAnswer, PlanUnusableError, ask_edges, compare, planned_groups, read_current_plan
from orchestration.edge.topology import Network, read_network
from orchestration.resources.edges import EdgeFleet
from orchestration.resources.storage import MediaStorage
from orchestration.resources.warehouse import Warehouse
from orchestration.store import ObjectStore

NETWORK_KEY = dg.AssetKey(["ops", "network"])
FORECAST_NEAR_ACTUAL = "forecast_near_actual"
PLANS_KEEP_THEIR_PROMISE = "plans_keep_their_promise"
CHECKS = [
    dg.AssetCheckSpec(
        FORECAST_NEAR_ACTUAL,
        asset=NETWORK_KEY,
        description="On the last complete day every region was watched within a band of what had been forecast for it.",
    ),
    dg.AssetCheckSpec(
        PLANS_KEEP_THEIR_PROMISE,
        asset=NETWORK_KEY,
        description="On the last complete day no edge served much less from its disk than its plan's replay did.",
    ),
]
LOWEST_RATIO, HIGHEST_RATIO = 0.6, 1.6
"""Band of a region's actual sessions over the forecast ones."""
LARGEST_SHORTFALL = 0.15
"""How much less than its replay an edge may serve locally, as a share of bytes."""
HINDSIGHT = {
    "byte_hit_ratio": "day_hit_ratio",
    "byte_hit_ratio_lru": "lru_hit_ratio",
    "byte_hit_ratio_oracle": "oracle_hit_ratio",
    "sessions": "sessions",
    "expected_sessions": "expected_sessions",
    "promised_bytes": "promised_bytes",
    "earned_bytes": "earned_bytes",
    "regret_bytes": "regret_bytes",
    "too_low_bytes": "too_low_bytes",
    "too_high_bytes": "too_high_bytes",
}
"""Columns of ``ops/hindsight`` and what they are called beside the others of an edge."""
AREA = "network"
WEEK = 7
MOVERS_SHOWN = 12
MATRIX = {
    "filled": "filled",
    "replayed_hit_ratio": "hits, replayed",
    "hit_ratio": "hits, measured",
    "placed_ratio": "of them placed",
    "day_hit_ratio": "its day, replayed",
    "oracle_hit_ratio": "its day, oracle",
    "actual_over_forecast": "sessions / forecast",
}


@dg.asset(
    key=NETWORK_KEY,
    group_name=taxonomy.OPS,
    owners=taxonomy.OWNERS[taxonomy.OPS],
    kinds={"python"},
    deps=[
        DEMAND_KEY,
        TITLES_KEY,
        dg.AssetKey(["warehouse", "fct_pathway_day"]),
        dg.AssetKey(["demand", "forecast"]),
        dg.AssetKey(["edge", "inventory"]),
        HINDSIGHT_KEY,
    ],
    check_specs=CHECKS,
)
def network(config: DemandDay, warehouse: Warehouse, storage: MediaStorage, edges: EdgeFleet) -> dg.MaterializeResult:
    """Regions and edges beside each other: fill, hit ratio, forecast against actual, and the titles that move.

    Grain: one row an edge, one a region, one a moving title, all of the last complete day (`today` in the configuration
    is the first one that is not). Fill is what the edges say they hold of the plan in force now; the hit ratio is what
    players were served; what it is held against is the replay of the plan that was in force on that day, before the day
    (what its gate saw) and of the day itself, beside the oracle (`ops/hindsight`). For operators and planners, here and
    on the operator's page: a pale cell in the matrix is where to look.
    """
    world = read_network()
    place = {region.region_id: number for number, region in enumerate(world.regions)}
    store = storage.store()
    demand = warehouse.read("serving.srv_demand_daily", DEMAND_COLUMNS).filter(pl.col("event_day") < config.date())
    day = demand["event_day"].max()
    if not isinstance(day, dt.date):
        return _nothing_yet()
    delivered = warehouse.read("marts.fct_pathway_day").filter(pl.col("event_day") == day)
    with edges.clients() as clients:
        answers = ask_edges(clients)
    forecast = read_forecast_for(store, day)
    by_region = compare_forecast(forecast, demand.filter(pl.col("event_day") == day), day).sort(
        pl.col("region_id").replace_strict(place, default=len(place))
    )
    by_edge = edge_table(world, filled_shares(store, world, answers), plans_of_day(store, world, day), delivered)
    matrix = join_matrix(by_edge, read_hindsight(store, day), by_region)
    ahead = read_forecast_for(store, day + dt.timedelta(days=1))
    titles = movers(demand, ahead, day, read_titles(warehouse))
    return dg.MaterializeResult(
        metadata={
            "day": day.isoformat(),
            "matrix": dg.MetadataValue.md(png_markdown(plot_matrix(matrix), "regions and edges")),
            "store_key": publish_network(store, day, edges=matrix, regions=by_region, titles=titles),
            "edges": dg.MetadataValue.md(markdown_table(by_edge)),
            "forecast_and_actual": dg.MetadataValue.md(markdown_table(by_region)),
            "titles_that_move": dg.MetadataValue.md(markdown_table(titles)),
        },
        check_results=[
            warn_of(NETWORK_KEY, FORECAST_NEAR_ACTUAL, find_surprises(by_region)),
            warn_of(NETWORK_KEY, PLANS_KEEP_THEIR_PROMISE, find_shortfalls(by_edge)),
        ],
    )


def filled_shares(store: ObjectStore, world: Network, answers: Sequence[EdgeAnswer]) -> dict[str, float]:
    """Share of the planned groups that each edge holds; those that do not answer or have no plan are left out."""
    region_of = {edge.edge_id: edge.region_id for edge in world.edges}
    shares = {}
    for answer in answers:
        if answer.inventory is None or answer.edge_id not in region_of:
            continue
        try:
            plan = read_current_plan(store, region_of[answer.edge_id])
        except PlanUnusableError:  # edge/inventory reports it
            continue
        planned = planned_groups(plan.of_edge(answer.edge_id)) if plan else frozenset()
        if planned:
            shares[answer.edge_id] = len(compare(planned, answer.inventory).present) / len(planned)
    return shares


def plans_of_day(store: ObjectStore, world: Network, day: dt.date) -> dict[str, PlanRecord]:
    """The plan of each region that was in force on a day: the newest accepted one that was made for it or before it."""
    found = {}
    for region in world.regions:
        plan = next((plan for plan in read_plans_of_day(store, region.region_id, day) if plan.accepted), None)
        if plan is not None:
            found[region.region_id] = plan
    return found


def edge_table(
    world: Network, filled: Mapping[str, float], plans: Mapping[str, PlanRecord], delivered: pl.DataFrame
) -> pl.DataFrame:
    """One row an edge: region_id, edge_id, filled, plan_id, replayed_hit_ratio, requests, hit_ratio, placed_ratio.

    Args:
        world: The network.
        filled: By edge, share of its plan that it holds.
        plans: By region, the plan of the day.
        delivered: Rows of ``marts.fct_pathway_day`` of the day.
    """
    rows = []
    for edge in world.edges:
        record = plans.get(edge.region_id)
        replayed = (
            [row["replayed_hit_ratio"] for row in record.edges if row["edge_id"] == edge.edge_id] if record else []
        )
        served = delivered.filter(pl.col("pathway_id") == edge.edge_id)
        total, placed, cached = (int(served[f"delivered_bytes{part}"].sum()) for part in ("", "_placed", "_cached"))
        rows.append(
            {
                "region_id": edge.region_id,
                "edge_id": edge.edge_id,
                "filled": filled.get(edge.edge_id),
                "plan_id": record.plan_id if record else None,
                "replayed_hit_ratio": replayed[0] if replayed else None,
                "requests": served["requests"].sum(),
                "hit_ratio": (placed + cached) / total if total else None,
                "placed_ratio": placed / total if total else None,
            }
        )
    numbers = dict.fromkeys(("filled", "replayed_hit_ratio", "hit_ratio", "placed_ratio"), pl.Float64)
    return pl.DataFrame(rows, schema_overrides={**numbers, "plan_id": pl.String})


def join_matrix(by_edge: pl.DataFrame, looked_back: pl.DataFrame | None, by_region: pl.DataFrame) -> pl.DataFrame:
    """All that is told of an edge: :func:`edge_table`, the columns of :data:`HINDSIGHT`, and its region's sessions.

    Args:
        by_edge: One row an edge.
        looked_back: Rows of ``ops/hindsight``; None where nobody looked back on the day.
        by_region: :func:`compare_forecast`.
    """
    if looked_back is None:
        known = pl.DataFrame(schema={"edge_id": pl.String, **dict.fromkeys(HINDSIGHT.values(), pl.Float64)})
    else:
        known = looked_back.select("edge_id", **{new: pl.col(old).cast(pl.Float64) for old, new in HINDSIGHT.items()})
    ratios = by_region.select("region_id", "actual_over_forecast")
    return by_edge.join(known, on="edge_id", how="left", maintain_order="left").join(
        ratios, on="region_id", how="left", maintain_order="left"
    )


def publish_network(
    store: ObjectStore, day: dt.date, *, edges: pl.DataFrame, regions: pl.DataFrame, titles: pl.DataFrame
) -> str:
    """Put the page's tables where the control API finds them; returns their key."""
    tables = {"edges": edges, "regions": regions, "titles": titles}
    content = msgspec.json.encode({"day": day, **{name: frame.to_dicts() for name, frame in tables.items()}})
    return keep_day(store, AREA, day, content, form="json")


def movers(demand: pl.DataFrame, forecast: pl.DataFrame | None, day: dt.date, titles: pl.DataFrame) -> pl.DataFrame:
    """The titles whose sessions of a week changed most: region_id, title_id, name, before, lately, forecast.

    Args:
        demand: Complete days.
        forecast: One that has the days after it, or None.
        day: The last complete day.
        titles: title_id, name.
    """
    age = (pl.lit(day) - pl.col("event_day")).dt.total_days()
    weeks = (
        demand.filter(age < 2 * WEEK)
        .group_by("region_id", "title_id")
        .agg(
            pl.col("sessions").filter(age >= WEEK).sum().alias("before"),
            pl.col("sessions").filter(age < WEEK).sum().alias("lately"),
        )
    )
    ahead = pl.DataFrame(schema={"region_id": pl.String, "title_id": pl.String, "forecast": pl.Float64})
    if forecast is not None:
        week = forecast.filter(pl.col("day").is_between(day, day + dt.timedelta(days=WEEK), closed="right"))
        ahead = week.group_by("region_id", "title_id").agg(pl.col("sessions").sum().alias("forecast"))
    change = (pl.col("lately").cast(pl.Int64) - pl.col("before").cast(pl.Int64)).abs()
    return (
        weeks.sort([change, "region_id", "title_id"], descending=[True, False, False])
        .head(MOVERS_SHOWN)
        .join(titles.select("title_id", "name"), on="title_id", how="left", maintain_order="left")
        .join(ahead, on=["region_id", "title_id"], how="left", maintain_order="left")
        .select("region_id", "title_id", "name", "before", "lately", "forecast")
    )


def find_surprises(by_region: pl.DataFrame) -> list[str]:
    """Regions that were watched much more or less than forecast."""
    return [
        f"{row['region_id']}: {row['sessions']} sessions, {row['forecast']:.0f} forecast"
        for row in by_region.iter_rows(named=True)
        if row["actual_over_forecast"] is not None and not LOWEST_RATIO <= row["actual_over_forecast"] <= HIGHEST_RATIO
    ]


def find_shortfalls(by_edge: pl.DataFrame) -> list[str]:
    """Edges that served much less from their disks than the replay of their plan did."""
    return [
        f"{row['edge_id']}: {row['hit_ratio']:.3f} of the bytes, {row['replayed_hit_ratio']:.3f} in its plan's replay"
        for row in by_edge.iter_rows(named=True)
        if row["hit_ratio"] is not None
        and row["replayed_hit_ratio"] is not None
        and row["hit_ratio"] < row["replayed_hit_ratio"] - LARGEST_SHORTFALL
    ]


def plot_matrix(by_edge: pl.DataFrame) -> bytes:
    """A PNG: one row an edge, one column a measure; what nobody knows is grey.

    Args:
        by_edge: :func:`edge_table` with ``actual_over_forecast``.
    """
    from matplotlib.figure import Figure

    values = by_edge.select(pl.col(list(MATRIX)).cast(pl.Float64)).to_numpy()
    figure = Figure(figsize=(1.7 * len(MATRIX) + 2, 0.5 * len(values) + 1.2), layout="constrained")
    axes = figure.subplots()
    axes.set_facecolor("lightgrey")
    axes.imshow(values, cmap="Blues", vmin=0, vmax=1.3, aspect="auto")
    axes.set_xticks(range(len(MATRIX)), list(MATRIX.values()), fontsize=8)
    names = [f"{region}: {edge}" for region, edge in by_edge.select("region_id", "edge_id").iter_rows()]
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.xaxis.tick_top()
    for row, line in enumerate(values.tolist()):
        for column, value in enumerate(line):
            known = value == value
            axes.text(column, row, f"{value:.2f}" if known else "?", ha="center", va="center", fontsize=9,
                      color="white" if known and value > 0.8 else "black")  # fmt: skip
    image = io.BytesIO()
    figure.savefig(image, format="png", dpi=90)
    return image.getvalue()


def _nothing_yet() -> dg.MaterializeResult:
    """The answer of a new installation."""
    return dg.MaterializeResult(
        metadata={"day": "no complete day yet"},
        check_results=[
            warn_of(NETWORK_KEY, FORECAST_NEAR_ACTUAL, []),
            warn_of(NETWORK_KEY, PLANS_KEEP_THEIR_PROMISE, []),
        ],
    )
