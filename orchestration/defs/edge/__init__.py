"""The edges' stage: what shall be placed, the fill that places it, what is there, and days that go otherwise.

Its assets are loaded when they are asked for: the command line reads the plans that are kept, beside them, and does not
wait for Dagster.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestration.settings import Settings

if TYPE_CHECKING:
    import dagster as dg

__all__ = ["build_defs"]


def build_defs(settings: Settings) -> dg.Definitions:
    """Assets, checks, the schedule and the job of the stage."""
    import dagster as dg

    from orchestration.defs.edge import placement_plan, purge, rebalance
    from orchestration.defs.edge.fill import build_fill
    from orchestration.defs.edge.inventory import build_inventory

    own = dg.Definitions(
        assets=[build_fill(settings), build_inventory()],
        schedules=[rebalance.build_schedule()],
        jobs=[purge.build_job()],
    )
    return dg.Definitions.merge(placement_plan.build_defs(settings), own)
