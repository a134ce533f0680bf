"""What the graph knows of its edges and says to them: topology, plans, fills, inventories. No Dagster."""

from orchestration.edge.client import EdgeClient
from orchestration.edge.errors import EdgeError, EdgeRefusedError, EdgeUnreachableError, PlanUnusableError
from orchestration.edge.fill import EdgeFill, FillReport, PlannedFill, drive_fills, plan_fills
from orchestration.edge.inventory import (
    EdgeAnswer,
    PlacedGroup,
    PlacementState,
    as_placed_titles,
    ask_edges,
    compare,
    complete_groups,
    planned_groups,
)
from orchestration.edge.orders import EdgeInventory, FillOrder, FillProgress
from orchestration.edge.plan import PlacementPlan, current_plan_key, plan_from_rows, plan_key, read_current_plan
from orchestration.edge.topology import Edge, Network, Region, read_network

__all__ = [
    "Edge",
    "EdgeAnswer",
    "EdgeClient",
    "EdgeError",
    "EdgeFill",
    "EdgeInventory",
    "EdgeRefusedError",
    "EdgeUnreachableError",
    "FillOrder",
    "FillProgress",
    "FillReport",
    "Network",
    "PlacedGroup",
    "PlacementPlan",
    "PlacementState",
    "PlanUnusableError",
    "PlannedFill",
    "Region",
    "as_placed_titles",
    "ask_edges",
    "compare",
    "complete_groups",
    "current_plan_key",
    "drive_fills",
    "plan_fills",
    "plan_from_rows",
    "plan_key",
    "planned_groups",
    "read_current_plan",
    "read_network",
]
