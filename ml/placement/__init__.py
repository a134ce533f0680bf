"""Placement: which title x rung x segment group each edge of a region should hold, and whether a plan may be filled.

The door: :func:`plan` makes a region's plan, :func:`explain` says why a title is (not) in it, :func:`replay` plays a
past day against it beside LRU, the running plan and an oracle (:func:`plan_from_truth`), :func:`judge` is the gate,
:func:`gap` tells how far a plan is from the optimum at an edge; :func:`measure_edges` and :func:`cost_forecast_errors`
say what it was worth once its day is over.
"""

from ml.placement.audit import gap
from ml.placement.catalogue import ARTWORK, BLOCK, MANIFEST
from ml.placement.errors import NoDemand, PlacementError, PlacementInputError
from ml.placement.explain import Explanation, explain
from ml.placement.hindsight import cost_forecast_errors, measure_edges
from ml.placement.oracle import plan_from_truth
from ml.placement.plan import PLAN_SCHEMA, EdgeTotals, PlacementPlan, PlacementSettings, plan
from ml.placement.replay import (
    CANDIDATE,
    LRU,
    ORACLE,
    RUNNING,
    GateVerdict,
    ReplayResult,
    judge,
    replay,
)
from ml.placement.watching import GroupLayout, WatchThrough, learn_watch_through

__all__ = [
    "ARTWORK",
    "BLOCK",
    "CANDIDATE",
    "LRU",
    "MANIFEST",
    "ORACLE",
    "PLAN_SCHEMA",
    "RUNNING",
    "EdgeTotals",
    "Explanation",
    "GateVerdict",
    "GroupLayout",
    "NoDemand",
    "PlacementError",
    "PlacementInputError",
    "PlacementPlan",
    "PlacementSettings",
    "ReplayResult",
    "WatchThrough",
    "cost_forecast_errors",
    "explain",
    "gap",
    "judge",
    "learn_watch_through",
    "measure_edges",
    "plan",
    "plan_from_truth",
    "replay",
]
