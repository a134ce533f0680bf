"""The wire types of an edge's own calls: fill, purge, inventory, statistics."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

FillState = Literal["idle", "filling", "complete", "failed", "interrupted"]

Identifier = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9-]{1,64}$")]
Label = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
PlanId = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._-]{1,128}$")]
Sha256 = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}$")]
Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]


class FillObject(msgspec.Struct, frozen=True, kw_only=True):
    """One object of a group; ``key`` is its path below ``media/``."""

    key: str
    size_bytes: Count
    sha256: Sha256


class FillGroup(msgspec.Struct, frozen=True, kw_only=True):
    """A segment group of one rung: what is placed, listed and dropped as one.

    Attributes:
        sibling_url: Another edge that holds it wholly and is asked before upstream.
    """

    title_id: Identifier
    package_id: Label
    rung: Label
    segment_group: Count
    value: float
    objects: Annotated[list[FillObject], msgspec.Meta(min_length=1)]
    sibling_url: str | None = None


class FillOrder(msgspec.Struct, frozen=True, kw_only=True):
    """Body of ``POST /edge/fill``.

    Attributes:
        plan_id: The plan; sent again, it resumes.
        upstream_url: Where objects come from: ``<upstream_url>/media/<key>``.
        rate_bps: Most bits per second that the fill takes of the link; 0 is no limit.
        groups: Everything that shall be placed when done, most valuable first.
        replace: Stop another plan's fill in favour of this one.
        stop_at: Unix seconds at which the fill stops asking, done or not: the end of the off-peak window.
    """

    plan_id: PlanId
    upstream_url: str
    groups: list[FillGroup]
    rate_bps: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    replace: bool = False
    stop_at: float | None = None


class FailedObject(msgspec.Struct, frozen=True, kw_only=True):
    """An object that could not be placed, and why."""

    key: str
    reason: str


class FillProgress(msgspec.Struct, frozen=True, kw_only=True):
    """Answer of ``GET /edge/fill``.

    Attributes:
        state: ``interrupted`` when a restart or the window's end came first (a restart leaves no ``error``): the same
            plan sent again resumes.
        objects_done, bytes_done: On the disk, wherever they came from.
        objects_already_there, objects_promoted: Of these, found placed and moved over from pull-through.
        bytes_moved: Fetched by this fill, bad copies included.
        bytes_from_siblings: Of these, from other edges; the rest is from upstream.
        sibling_failures: Objects that were to come from a sibling and had to come from upstream.
        paused_s: Of ``elapsed_s``, held back while viewers used the link to upstream.
        failed: The first failed objects; ``failed_count`` counts all.
        error: Why the fill as a whole stopped, if it did.
        eta_s: Expected seconds to the end, None while nothing can be said.
    """

    plan_id: str | None = None
    state: FillState = "idle"
    groups_wanted: int = 0
    groups_complete: int = 0
    objects_wanted: int = 0
    objects_done: int = 0
    objects_already_there: int = 0
    objects_promoted: int = 0
    bytes_wanted: int = 0
    bytes_done: int = 0
    bytes_moved: int = 0
    bytes_from_siblings: int = 0
    sibling_failures: int = 0
    failed_count: int = 0
    failed: list[FailedObject] = []
    error: str | None = None
    rate_bps: float = 0.0
    elapsed_s: float = 0.0
    paused_s: float = 0.0
    eta_s: float | None = None


class PurgeOrder(msgspec.Struct, frozen=True, kw_only=True):
    """Body of ``POST /edge/purge``; at least one of the three must be asked for."""

    title_ids: list[Identifier] = []
    keep_plan: bool = False
    cached: bool = False


class PurgeReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a purge removed from the disk."""

    placed_objects: int
    placed_bytes: int
    cached_objects: int
    cached_bytes: int
    generation: int


class EdgeInventory(msgspec.Struct, frozen=True, kw_only=True):
    """Answer of ``GET /edge/inventory``.

    Attributes:
        complete: title_id -> rung -> segment groups that are wholly there.
        packages: title_id -> the package that these groups are of; left out where they are of several.
    """

    edge_id: str
    generation: int
    plan_id: str | None
    capacity_bytes: int
    placed_bytes: int
    cached_bytes: int
    complete: dict[str, dict[str, list[int]]]
    packages: dict[str, str] = {}
