"""Fills: a plan becomes one order an edge, and several edges are driven through theirs at the same time."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import polars as pl

from orchestration.edge.client import EdgeClient
from orchestration.edge.errors import EdgeError, EdgeRefusedError, EdgeUnreachableError, PlanUnusableError
from orchestration.edge.inventory import compare, planned_groups
from orchestration.edge.orders import FailedObject, FillGroup, FillObject, FillOrder, FillProgress
from orchestration.edge.plan import PlacementPlan
from orchestration.media.objects import MANIFEST_RUNG

GROUP_COLUMNS = ("title_id", "package_id", "rung", "segment_group")
OBJECT_FILE_COLUMNS = (*GROUP_COLUMNS, "key", "size_bytes", "sha256")
AUDIO_PREFIX = "audio-"
MAX_RESUMES = 3
MAX_SILENT_POLLS = 5

ProgressCallback = Callable[[str, FillProgress], None]


@dataclass(frozen=True, kw_only=True)
class PlannedFill:
    """An edge's part of a plan, ready to be sent.

    Attributes:
        order: What is sent.
        rows: The plan's rows of this edge.
        unknown_groups: Rows that no file answers to: the title was packaged anew after the plan was made.
        notes: What a reader of the report should know about the plan.
    """

    edge_id: str
    order: FillOrder
    rows: pl.DataFrame
    unknown_groups: int = 0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class EdgeFill:
    """What came of one edge's fill.

    Attributes:
        state: complete, failed, interrupted (the window closed), refused, unreachable, or timed-out.
        reason: Why it is not complete.
        objects_filled: Fetched from upstream; beside them were already there or promoted from pull-through.
        bytes_moved: Over the links: ``bytes_from_siblings`` from other edges of the region, the rest from the origin.
        sibling_failures: Objects that were to come from a sibling and had to come from the origin.
        missing_groups: Groups of the plan that the edge does not have now.
        stale_objects, stale_bytes: Placed objects outside the plan that were removed at the end.
        expected_s: What the edge expected at first, None if it could not say.
        paused_s: How long the edge held the fill back because viewers needed its link.
    """

    edge_id: str
    state: str
    reason: str = ""
    objects_wanted: int = 0
    objects_filled: int = 0
    objects_already_there: int = 0
    objects_promoted: int = 0
    objects_failed: int = 0
    failed: tuple[FailedObject, ...] = ()
    bytes_wanted: int = 0
    bytes_moved: int = 0
    bytes_from_siblings: int = 0
    sibling_failures: int = 0
    duration_s: float = 0.0
    expected_s: float | None = None
    paused_s: float = 0.0
    missing_groups: int = 0
    stale_objects: int = 0
    stale_bytes: int = 0
    generation: int | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class FillReport:
    """A plan's fill over all its edges."""

    plan_id: str
    edges: tuple[EdgeFill, ...]

    @property
    def complete_edges(self) -> int:
        """Edges that have their whole part of the plan."""
        return sum(edge.state == "complete" for edge in self.edges)

    @property
    def bytes_moved(self) -> int:
        """Bytes that went over the links."""
        return sum(edge.bytes_moved for edge in self.edges)

    @property
    def bytes_from_siblings(self) -> int:
        """Of these, from other edges; the rest came from the origin."""
        return sum(edge.bytes_from_siblings for edge in self.edges)

    @property
    def objects_failed(self) -> int:
        """Objects that could not be placed."""
        return sum(edge.objects_failed for edge in self.edges)

    def as_markdown(self) -> str:
        """A table for people, one row an edge."""
        lines = [
            "| edge | state | wanted | filled | already there | promoted | failed | missing groups | MB from origin "
            "| MB from siblings | sibling failures | expected s | took s | paused s | stale removed | remarks |",
            "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|---|",
        ]
        for edge in self.edges:
            expected = "" if edge.expected_s is None else f"{edge.expected_s:.1f}"
            from_origin = edge.bytes_moved - edge.bytes_from_siblings
            remarks = "; ".join(text.replace("|", "/") for text in (edge.reason, *edge.notes) if text)
            lines.append(
                f"| {edge.edge_id} | {edge.state} | {edge.objects_wanted} | {edge.objects_filled} "
                f"| {edge.objects_already_there} | {edge.objects_promoted} | {edge.objects_failed} "
                f"| {edge.missing_groups} | {from_origin / 1e6:.2f} | {edge.bytes_from_siblings / 1e6:.2f} "
                f"| {edge.sibling_failures} | {expected} | {edge.duration_s:.1f} | {edge.paused_s:.1f} "
                f"| {edge.stale_objects} | {remarks} |"
            )
        return "\n".join(lines)


def plan_fills(
    plan: PlacementPlan,
    object_files: pl.DataFrame,
    *,
    upstream_url: str,
    rate_bps: float = 0.0,
    stop_at: float | None = None,
    replace_running: bool = True,
) -> list[PlannedFill]:
    """Make one order for each edge of a plan.

    Groups go in the plan's order, but a title's manifests go with its first group: without them a start would not be
    served locally. What the plan lacks is not invented, it is noted.

    Args:
        plan: The plan.
        object_files: Files of the current packages (``serving.srv_object_files``), keys below ``media/<title_id>/``.
        upstream_url: Where edges fetch from.
        rate_bps: Most bits per second an edge may take; 0 is no limit.
        stop_at: Unix seconds at which edges stop: the end of the window.
        replace_running: Whether a fill of another plan that still runs is stopped for this one.

    Raises:
        PlanUnusableError: The files lack columns.
    """
    missing = [name for name in OBJECT_FILE_COLUMNS if name not in object_files.columns]
    if missing:
        raise PlanUnusableError(f"the object files have no columns {missing}; they need {list(OBJECT_FILE_COLUMNS)}")
    files = _objects_by_group(plan, object_files)
    fills = []
    for edge_id in sorted(plan.rows["edge_id"].unique().to_list()):
        rows = plan.of_edge(edge_id)
        groups, unknown = _groups_in_fill_order(rows, files)
        order = FillOrder(
            plan_id=plan.plan_id,
            upstream_url=upstream_url,
            groups=groups,
            rate_bps=rate_bps,
            replace=replace_running,
            stop_at=stop_at,
        )
        notes = _notes_on(rows, unknown, object_files)
        fills.append(PlannedFill(edge_id=edge_id, order=order, rows=rows, unknown_groups=unknown, notes=notes))
    return fills


def _objects_by_group(plan: PlacementPlan, object_files: pl.DataFrame) -> dict[tuple[object, ...], list[FillObject]]:
    group_columns = list(GROUP_COLUMNS)
    wanted = plan.rows.select(pl.col(GROUP_COLUMNS[:3]), pl.col("segment_group").cast(pl.Int64)).unique()
    files = object_files.with_columns(pl.col("segment_group").cast(pl.Int64)).join(wanted, on=group_columns, how="semi")
    objects: dict[tuple[object, ...], list[FillObject]] = {}
    for *group, key, size_bytes, sha256 in files.sort("key").select(OBJECT_FILE_COLUMNS).iter_rows():
        item = FillObject(key=f"{group[0]}/{key}", size_bytes=size_bytes, sha256=sha256)
        objects.setdefault(tuple(group), []).append(item)
    return objects


def _groups_in_fill_order(
    rows: pl.DataFrame, files: Mapping[tuple[object, ...], list[FillObject]]
) -> tuple[list[FillGroup], int]:
    groups: list[FillGroup] = []
    unknown = 0
    for title_id, package_id, rung, segment_group, value in rows.select(*GROUP_COLUMNS, "value").iter_rows():
        objects = files.get((title_id, package_id, rung, segment_group))
        if not objects:
            unknown += 1
            continue
        groups.append(
            FillGroup(
                title_id=title_id,
                package_id=package_id,
                rung=rung,
                segment_group=segment_group,
                value=value,
                objects=objects,
            )
        )
    return _manifests_first(groups), unknown


def _manifests_first(groups: Sequence[FillGroup]) -> list[FillGroup]:
    manifests = {group.title_id: group for group in groups if group.rung == MANIFEST_RUNG}
    ordered: list[FillGroup] = []
    for group in groups:
        manifest = manifests.pop(group.title_id, None)
        if manifest is not None:
            ordered.append(manifest)
        if group.rung != MANIFEST_RUNG:
            ordered.append(group)
    return ordered


def _notes_on(rows: pl.DataFrame, unknown_groups: int, object_files: pl.DataFrame) -> tuple[str, ...]:
    notes = []
    if unknown_groups:
        notes.append(f"{unknown_groups} groups have no files any more: packaged anew since the plan was made")
    is_manifest = pl.col("rung") == MANIFEST_RUNG
    is_audio = pl.col("rung").str.starts_with(AUDIO_PREFIX)
    planned_titles = rows.select("title_id").unique()
    for what, of_kind in (("manifests", is_manifest), ("audio", is_audio)):
        available = object_files.filter(of_kind).select("title_id").unique()
        planned = rows.filter(of_kind).select("title_id").unique()
        lacking = planned_titles.join(available, on="title_id", how="semi").join(planned, on="title_id", how="anti")
        if lacking.height:
            notes.append(f"{lacking.height} titles are planned without their {what}")
    return tuple(notes)


@dataclass(slots=True)
class _RunningFill:
    fill: PlannedFill
    client: EdgeClient
    started_at: float
    last: FillProgress = field(default_factory=FillProgress)
    expected_s: float | None = None
    resumes: int = 0
    silent_polls: int = 0


def drive_fills(
    fills: Sequence[PlannedFill],
    clients: Mapping[str, EdgeClient],
    *,
    plan_id: str,
    on_progress: ProgressCallback | None = None,
    poll_interval_s: float = 1.0,
    timeout_s: float = 6 * 3600.0,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> FillReport:
    """Send every edge its order and follow all until each has ended.

    An edge that is down, refuses or is lost on the way is reported while the others go on. One that restarted in
    mid-fill gets its order again and resumes. Where a fill is complete, what is left of earlier plans is purged.

    Args:
        fills: The orders.
        clients: Edges by id; a fill whose edge is not among them is reported as unreachable.
        plan_id: Named in the report.
        on_progress: Told of every answer, with the edge's id.
        poll_interval_s: Seconds between two looks at the edges.
        timeout_s: After this an edge is left to itself and reported as timed out.
        clock: Seconds that never run backwards.
        sleep: Waits.
    """
    results: dict[str, EdgeFill] = {}
    running: dict[str, _RunningFill] = {}
    for fill in fills:
        client = clients.get(fill.edge_id)
        if client is None:
            reason = "this installation has no address for it"
            results[fill.edge_id] = EdgeFill(edge_id=fill.edge_id, state="unreachable", reason=reason, notes=fill.notes)
            continue
        run = _RunningFill(fill, client, clock())
        try:
            run.last = client.start_fill(fill.order)
            run.expected_s = run.last.eta_s
            running[fill.edge_id] = run
        except EdgeError as error:
            results[fill.edge_id] = _result(run, _state_of_error(error), str(error), clock())
    while running:
        for edge_id, run in list(running.items()):
            ended = _follow(run, clock(), timeout_s)
            if on_progress is not None:
                on_progress(edge_id, run.last)
            if ended is not None:
                results[edge_id] = ended
                del running[edge_id]
        if running:
            sleep(poll_interval_s)
    return FillReport(plan_id=plan_id, edges=tuple(results[fill.edge_id] for fill in fills))


def _follow(run: _RunningFill, now: float, timeout_s: float) -> EdgeFill | None:
    """Look at one running fill once; returns its result when it has ended."""
    if now - run.started_at > timeout_s:
        return _result(run, "timed-out", f"not done after {timeout_s:.0f} s; the edge goes on by itself", now)
    try:
        progress = run.client.fill_progress()
        run.silent_polls = 0
        if _has_restarted(progress) and run.resumes < MAX_RESUMES:
            run.resumes += 1
            run.last = run.client.start_fill(run.fill.order)
            return None
        if progress.plan_id != run.fill.order.plan_id:
            reason = f"another fill took over: {progress.plan_id}"
            return _result(run, "interrupted", reason, now)
        run.last = progress
        if progress.state == "filling":
            if run.expected_s is None:
                run.expected_s = progress.eta_s
            return None
        return _finish(run, now)
    except EdgeUnreachableError as error:
        run.silent_polls += 1
        return _result(run, "unreachable", str(error), now) if run.silent_polls >= MAX_SILENT_POLLS else None
    except EdgeRefusedError as error:
        return _result(run, "refused", str(error), now)


def _has_restarted(progress: FillProgress) -> bool:
    # A restart leaves no error behind; what the edge itself decided, such as the end of the window, has one.
    return progress.plan_id is None or (progress.state == "interrupted" and progress.error is None)


def _finish(run: _RunningFill, now: float) -> EdgeFill:
    progress = run.last
    reason = progress.error or ""
    if progress.failed_count and not reason:
        reason = f"{progress.failed[0].key}: {progress.failed[0].reason}"
    result = _result(run, progress.state, reason, now)
    stale_objects = stale_bytes = 0
    if progress.state == "complete":
        purged = run.client.purge(keep_plan=True)
        stale_objects, stale_bytes = purged.placed_objects, purged.placed_bytes
    inventory = run.client.inventory()
    missing = compare(planned_groups(run.fill.rows), inventory).missing
    return replace(
        result,
        stale_objects=stale_objects,
        stale_bytes=stale_bytes,
        missing_groups=len(missing),
        generation=inventory.generation,
    )


def _result(run: _RunningFill, state: str, reason: str, now: float) -> EdgeFill:
    progress = run.last
    filled = progress.objects_done - progress.objects_already_there - progress.objects_promoted
    return EdgeFill(
        edge_id=run.fill.edge_id,
        state=state,
        reason=reason,
        objects_wanted=progress.objects_wanted or sum(len(group.objects) for group in run.fill.order.groups),
        objects_filled=filled,
        objects_already_there=progress.objects_already_there,
        objects_promoted=progress.objects_promoted,
        objects_failed=progress.failed_count,
        failed=tuple(progress.failed),
        bytes_wanted=progress.bytes_wanted,
        bytes_moved=progress.bytes_moved,
        bytes_from_siblings=progress.bytes_from_siblings,
        sibling_failures=progress.sibling_failures,
        duration_s=now - run.started_at,
        expected_s=run.expected_s,
        paused_s=progress.paused_s,
        missing_groups=run.fill.rows.height,
        notes=run.fill.notes,
    )


def _state_of_error(error: EdgeError) -> str:
    return "refused" if isinstance(error, EdgeRefusedError) else "unreachable"
