"""`matinee why`: why a title is on an edge, or is not, as the plan thought of it when it was made.

Reads what was kept of plans; plans nothing and changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from rich.console import Console

from ml.placement import Explanation, PlacementInputError, explain
from orchestration.defs.edge.plan_store import PlanRecord, read_plans, read_reasons
from orchestration.edge import current_plan_key
from orchestration.edge.topology import read_network
from orchestration.settings import Settings
from orchestration.store import LocalStore, ObjectMissing, ObjectStore


class WhyError(Exception):
    """There is no plan that could answer; the message says what there is."""


@dataclass(frozen=True, kw_only=True)
class TitleInPlan:
    """What one plan thought of a title: at every edge of its region, or why it cannot tell."""

    record: PlanRecord
    is_in_force: bool
    edges: tuple[Explanation, ...] = ()
    problem: str = ""


def ask(settings: Settings, title_id: str, *, regions: Sequence[str] = (), plan_id: str = "") -> list[TitleInPlan]:
    """Ask the plan in force of every region, or of those named, or one plan that is kept, refused ones too.

    A plan that cannot tell does not keep the others from it.

    Raises:
        WhyError: There is no such plan, or none of them can tell; the message has why each cannot.
    """
    store = LocalStore(settings.store_folder)
    known = [region.region_id for region in read_network().regions]
    if strangers := sorted(set(regions) - set(known)):
        raise WhyError(f"unknown regions: {', '.join(strangers)}; there are {', '.join(known)}")
    found = [told for region_id in regions or known for told in _in_region(store, region_id, title_id, plan_id)]
    silent = [told.problem for told in found if told.problem]
    if silent and len(silent) == len(found):
        raise WhyError("; ".join(silent))
    if not found:
        raise WhyError(f"no plan {plan_id or 'is in force'}; materialise edge/placement_plan, or look in plans/")
    return found


def print_answers(answers: Sequence[TitleInPlan], console: Console) -> None:
    """A paragraph a plan, and a line for every edge."""
    for answer in answers:
        if answer.problem:
            console.print(answer.problem, soft_wrap=True)
            continue
        record = answer.record
        standing = "in force" if answer.is_in_force else f"not in force ({record.reason})"
        sessions = answer.edges[0].expected_sessions if answer.edges else 0.0
        console.print(
            f"{record.region_id}: plan {record.plan_id} of {record.first_day}, {standing}; {sessions:.1f} sessions "
            f"expected by forecast {record.forecast_id}",
            soft_wrap=True,
        )
        for edge in answer.edges:
            console.print(f"  {edge.edge_id}: {edge.reason}", soft_wrap=True)
            held = ", ".join(f"{rung} {placed} of {all_}" for rung, (placed, all_) in edge.rungs.items() if placed)
            if held:
                console.print(f"    segment groups: {held}", soft_wrap=True)


def _in_region(store: ObjectStore, region_id: str, title_id: str, plan_id: str) -> Iterator[TitleInPlan]:
    try:
        in_force = store.read_bytes(current_plan_key(region_id)).decode().strip()
    except ObjectMissing:
        in_force = ""
    wanted = plan_id or in_force
    record = next((record for record in read_plans(store, region_id) if record.plan_id == wanted), None)
    if record is None:
        return
    cutoffs = {str(edge["edge_id"]): float(edge["cutoff"]) for edge in record.edges}
    told = TitleInPlan(record=record, is_in_force=wanted == in_force)
    try:
        reasons = read_reasons(store, region_id, wanted)
        edges = tuple(explain(reasons, cutoffs, title_id, edge_id) for edge_id in sorted(cutoffs))
    except ObjectMissing:
        yield replace(told, problem=f"plan {wanted} of {region_id} was kept without its reasons; plan the region anew")
    except PlacementInputError as error:
        yield replace(told, problem=f"plan {wanted} of {region_id} cannot tell: {error}")
    else:
        yield replace(told, edges=edges)
