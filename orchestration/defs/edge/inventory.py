"""``edge/inventory``: what every edge says it has, beside what it should have."""

# annotations stay real objects here: Dagster reads them
from collections.abc import Iterator
from dataclasses import dataclass

import dagster as dg

from orchestration import taxonomy
from orchestration.edge.errors import PlanUnusableError
from orchestration.edge.inventory import EdgeAnswer, PlacedGroup, PlacementState, ask_edges, compare, planned_groups
from orchestration.edge.plan import PlacementPlan, read_current_plan
from orchestration.edge.topology import Network, read_network
from orchestration.resources.edges import EdgeFleet
from orchestration.resources.storage import MediaStorage
from orchestration.store import LocalStore

FILL_KEY = dg.AssetKey(["edge", "fill"])
INVENTORY_KEY = dg.AssetKey(["edge", "inventory"])
STALE_SHOWN = 20


@dataclass(frozen=True, kw_only=True)
class _Row:
    """One edge: its answer and, if it answered, how that compares with its plan."""

    answer: EdgeAnswer
    state: PlacementState | None


def build_inventory(network: Network | None = None) -> dg.AssetsDefinition:
    """The asset over a network, by default the one that the seeds declare."""
    world = network or read_network()

    @dg.asset(
        key=INVENTORY_KEY,
        group_name=taxonomy.EDGE,
        owners=taxonomy.OWNERS[taxonomy.EDGE],
        kinds={"python"},
        deps=[FILL_KEY],
        check_specs=[
            dg.AssetCheckSpec(
                "every_edge_answered",
                asset=INVENTORY_KEY,
                description="Every edge with an address answered; one that is down serves nobody.",
            ),
            dg.AssetCheckSpec(
                "nothing_outside_the_plan",
                asset=INVENTORY_KEY,
                description="No edge holds placed groups that its region's plan does not name.",
            ),
            dg.AssetCheckSpec(
                "plan_is_placed",
                asset=INVENTORY_KEY,
                description="Every planned group is complete on its edge.",
            ),
        ],
    )
    def inventory(context: dg.AssetExecutionContext, storage: MediaStorage, edges: EdgeFleet) -> dg.MaterializeResult:
        """Complete segment groups on every edge, as the edges themselves report them.

        Grain: one row an edge. Each edge is asked over HTTP and its answer is set beside the plan in force of its
        region. Used by the serving snapshot's readers and by operators: the planned minus the present is what still
        comes from the origin, the stale is disk that earns nothing.
        """
        plans = dict(_read_plans(context, storage.store(), world))
        with edges.clients() as clients:
            rows = [_row(answer, plans, world) for answer in ask_edges(clients)]
        return dg.MaterializeResult(metadata=_metadata(rows), check_results=list(_check(rows)))

    return inventory


def _read_plans(
    context: dg.AssetExecutionContext, store: LocalStore, network: Network
) -> Iterator[tuple[str, PlacementPlan]]:
    for region in network.regions:
        try:
            plan = read_current_plan(store, region.region_id)
        except PlanUnusableError as error:
            context.log.error("the plan of %s is left out: %s", region.region_id, error)
            continue
        if plan is not None:
            yield region.region_id, plan


def _row(answer: EdgeAnswer, plans: dict[str, PlacementPlan], network: Network) -> _Row:
    if answer.inventory is None:
        return _Row(answer=answer, state=None)
    region_id = next((edge.region_id for edge in network.edges if edge.edge_id == answer.edge_id), "")
    plan = plans.get(region_id)
    planned: frozenset[PlacedGroup] = frozenset() if plan is None else planned_groups(plan.of_edge(answer.edge_id))
    return _Row(answer=answer, state=compare(planned, answer.inventory))


def _metadata(rows: list[_Row]) -> dict[str, dg.MetadataValue | int]:
    inventories = [row.answer.inventory for row in rows if row.answer.inventory is not None]
    states = [row.state for row in rows if row.state is not None]
    metadata: dict[str, dg.MetadataValue | int] = {
        "edges": len(rows),
        "edges_answering": len(inventories),
        "groups_present": sum(len(state.present) for state in states),
        "groups_missing": sum(len(state.missing) for state in states),
        "groups_stale": sum(len(state.stale) for state in states),
        "placed_bytes": sum(inventory.placed_bytes for inventory in inventories),
        "cached_bytes": sum(inventory.cached_bytes for inventory in inventories),
        "inventory": dg.MetadataValue.md(_table(rows)),
    }
    stale = [(row.answer.edge_id, group) for row in rows if row.state for group in sorted(row.state.stale)]
    if stale:
        metadata["stale"] = dg.MetadataValue.md(_stale_table(stale))
    return metadata


def _table(rows: list[_Row]) -> str:
    lines = [
        "| edge | generation | plan | capacity MB | placed MB | pulled MB | present | missing | stale |",
        "|---|--:|---|--:|--:|--:|--:|--:|--:|",
    ]
    for row in rows:
        inventory = row.answer.inventory
        if inventory is None or row.state is None:
            lines.append(f"| {row.answer.edge_id} | | {row.answer.problem.replace('|', '/')} | | | | | | |")
            continue
        lines.append(
            f"| {inventory.edge_id} | {inventory.generation} | {inventory.plan_id or 'none'} "
            f"| {inventory.capacity_bytes / 1e6:.1f} | {inventory.placed_bytes / 1e6:.1f} "
            f"| {inventory.cached_bytes / 1e6:.1f} | {len(row.state.present)} | {len(row.state.missing)} "
            f"| {len(row.state.stale)} |"
        )
    return "\n".join(lines)


def _stale_table(stale: list[tuple[str, PlacedGroup]]) -> str:
    lines = ["| edge | title | rung | segment group |", "|---|---|---|--:|"]
    lines += [
        f"| {edge_id} | {group.title_id} | {group.rung} | {group.segment_group} |"
        for edge_id, group in stale[:STALE_SHOWN]
    ]
    if len(stale) > STALE_SHOWN:
        lines.append(f"| and {len(stale) - STALE_SHOWN} more | | | |")
    return "\n".join(lines)


def _check(rows: list[_Row]) -> Iterator[dg.AssetCheckResult]:
    silent = {row.answer.edge_id: row.answer.problem for row in rows if row.state is None}
    yield _warning("every_edge_answered", not silent, "; ".join(silent.values()))
    stale = {row.answer.edge_id: len(row.state.stale) for row in rows if row.state and row.state.stale}
    yield _warning("nothing_outside_the_plan", not stale, _counted(stale, "groups outside the plan"))
    missing = {row.answer.edge_id: len(row.state.missing) for row in rows if row.state and row.state.missing}
    yield _warning("plan_is_placed", not missing, _counted(missing, "planned groups missing"))


def _warning(name: str, passed: bool, description: str) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        check_name=name, passed=passed, severity=dg.AssetCheckSeverity.WARN, description=description or None
    )


def _counted(counts: dict[str, int], what: str) -> str:
    return "; ".join(f"{edge_id}: {count} {what}" for edge_id, count in sorted(counts.items()))
