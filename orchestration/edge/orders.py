"""What is said to edges and what they answer: the callers' half of the wire types.

The edges' half stands in ``playback_api/edge/schema.py``; a contract test compares them field by field.
"""

from __future__ import annotations

import msgspec


class FillObject(msgspec.Struct, frozen=True, kw_only=True):
    """One object; ``key`` is its path below ``media/``."""

    key: str
    size_bytes: int
    sha256: str


class FillGroup(msgspec.Struct, frozen=True, kw_only=True):
    """A segment group of one rung with its objects; of what is left of old plans, least ``value`` goes first.

    Attributes:
        sibling_url: Another edge that holds it wholly and is asked before upstream.
    """

    title_id: str
    package_id: str
    rung: str
    segment_group: int
    value: float
    objects: list[FillObject]
    sibling_url: str | None = None


class FillOrder(msgspec.Struct, frozen=True, kw_only=True):
    """A plan for one edge, most valuable groups first.

    Attributes:
        plan_id: Sent again, a plan resumes.
        upstream_url: ``<upstream_url>/media/<key>`` is an object.
        rate_bps: Most bits per second that the fill may take; 0 is no limit.
        replace: Stop another plan's fill in favour of this one.
        stop_at: Unix seconds at which the edge stops asking, even if nobody tells it to.
    """

    plan_id: str
    upstream_url: str
    groups: list[FillGroup]
    rate_bps: float = 0.0
    replace: bool = False
    stop_at: float | None = None


class FailedObject(msgspec.Struct, frozen=True, kw_only=True):
    """An object that an edge could not place, and why."""

    key: str
    reason: str


class FillProgress(msgspec.Struct, frozen=True, kw_only=True):
    """How far an edge is; ``state`` is idle, filling, complete, failed or interrupted."""

    plan_id: str | None = None
    state: str = "idle"
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
    """What to remove: titles, placed objects outside the plan, or all that was pulled."""

    title_ids: list[str] = []
    keep_plan: bool = False
    cached: bool = False


class PurgeReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a purge removed."""

    placed_objects: int
    placed_bytes: int
    cached_objects: int
    cached_bytes: int
    generation: int


class EdgeInventory(msgspec.Struct, frozen=True, kw_only=True):
    """What an edge has.

    Attributes:
        complete: title_id -> rung -> segment groups.
        packages: title_id -> the package that these groups are of; left out where the edge does not say.
    """

    edge_id: str
    generation: int
    plan_id: str | None
    capacity_bytes: int
    placed_bytes: int
    cached_bytes: int
    complete: dict[str, dict[str, list[int]]]
    packages: dict[str, str] = {}
