"""What the graph knows of its edges and says to them: topology, plans, fills, inventories. No Dagster.

The names below are loaded on first use: `matinee up` and Dagster's schedules need the topology alone, which runs this
file, and must not wait for polars and httpx.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orchestration.edge.client import EdgeClient, connect_edges
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
    from orchestration.edge.plan import (
        PlacementPlan,
        current_plan_key,
        plan_from_rows,
        plan_key,
        read_current_plan,
        read_plan,
    )
    from orchestration.edge.siblings import point_to_siblings
    from orchestration.edge.topology import Edge, Network, Region, read_network

_NAMES_BY_MODULE = {
    "client": ("EdgeClient", "connect_edges"),
    "errors": ("EdgeError", "EdgeRefusedError", "EdgeUnreachableError", "PlanUnusableError"),
    "fill": ("EdgeFill", "FillReport", "PlannedFill", "drive_fills", "plan_fills"),
    "inventory": (
        "EdgeAnswer",
        "PlacedGroup",
        "PlacementState",
        "as_placed_titles",
        "ask_edges",
        "compare",
        "complete_groups",
        "planned_groups",
    ),
    "orders": ("EdgeInventory", "FillOrder", "FillProgress"),
    "plan": ("PlacementPlan", "current_plan_key", "plan_from_rows", "plan_key", "read_current_plan", "read_plan"),
    "siblings": ("point_to_siblings",),
    "topology": ("Edge", "Network", "Region", "read_network"),
}
_MODULE_OF = {name: module for module, names in _NAMES_BY_MODULE.items() for name in names}

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
    "connect_edges",
    "current_plan_key",
    "drive_fills",
    "plan_fills",
    "plan_from_rows",
    "plan_key",
    "planned_groups",
    "point_to_siblings",
    "read_current_plan",
    "read_network",
    "read_plan",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
