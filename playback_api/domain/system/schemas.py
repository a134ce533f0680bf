"""What operators read."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any

import msgspec

from playback_api.snapshot import ModelRecord, RegionRecord


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """The process answers."""

    status: Annotated[str, msgspec.Meta(examples=["ok"])]


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    """Whether viewers should be sent here."""

    ready: bool
    snapshot_id: str | None
    problems: Annotated[list[str], msgspec.Meta(description="Why not, or what an operator should look at.")]


class SnapshotReport(msgspec.Struct, frozen=True, kw_only=True):
    """The snapshot that is served, and what became of the newest one."""

    snapshot_id: str
    schema_version: tuple[int, int]
    created_at: dt.datetime
    expires_at: dt.datetime
    expired: Annotated[bool, msgspec.Meta(description="A newer one should have come by now. It is served on.")]
    size_bytes: int
    counts: dict[str, int]
    models: list[ModelRecord]
    placement_plan_ids: dict[str, str]
    regions: list[RegionRecord]
    recommender_loaded: bool
    recommender_problem: str
    challenger_version: Annotated[str, msgspec.Meta(description="The model on trial beside it; empty without one.")]
    challenger_problem: str
    loads: int
    refusals: Annotated[int, msgspec.Meta(description="Published snapshots that were not fit to serve.")]
    last_refusal: str | None


class EdgeReport(msgspec.Struct, frozen=True, kw_only=True):
    """One edge as this process sees it."""

    pathway_id: str
    region_id: str
    base_url: str
    healthy: bool
    breaker: str
    problem: str
    generation: int | None
    plan_id: str | None
    confirmed_age_s: float | None
    capacity_bytes: int
    placed_bytes: int
    cached_bytes: int
    planned_groups: Annotated[int, msgspec.Meta(description="Segment groups that the snapshot's plans put here.")]
    complete_groups: Annotated[int, msgspec.Meta(description="Those of them that the edge reports as complete.")]
    stats: dict[str, Any]


class FleetReport(msgspec.Struct, frozen=True, kw_only=True):
    """All edges of the topology, and the origin's address."""

    edges: list[EdgeReport]
    origin_url: str


class ReloadReport(msgspec.Struct, frozen=True, kw_only=True):
    """What is served after looking at everything anew."""

    snapshot_id: str | None
    changed: bool
    healthy_edges: list[str]
    refusal: Annotated[str | None, msgspec.Meta(description="Why the published snapshot is not served, if it is not.")]


class NetworkEdge(msgspec.Struct, frozen=True, kw_only=True):
    """One edge on the last complete day. What nobody knows is null."""

    region_id: str
    edge_id: str
    plan_id: Annotated[str | None, msgspec.Meta(description="The plan that was in force on the day.")]
    filled: Annotated[float | None, msgspec.Meta(description="Share of its present plan that it held.")]
    replayed_hit_ratio: Annotated[float | None, msgspec.Meta(description="In the replay before the plan was filled.")]
    requests: int
    hit_ratio: Annotated[float | None, msgspec.Meta(description="Bytes served locally, as players measured.")]
    placed_ratio: Annotated[float | None, msgspec.Meta(description="Bytes served from what was placed.")]
    actual_over_forecast: Annotated[float | None, msgspec.Meta(description="Sessions of its region over the forecast.")]
    day_hit_ratio: Annotated[float | None, msgspec.Meta(description="The day itself replayed under its plan.")]
    lru_hit_ratio: Annotated[float | None, msgspec.Meta(description="The same without a plan.")]
    oracle_hit_ratio: Annotated[
        float | None, msgspec.Meta(description="The same under the plan of a perfect forecast.")
    ]
    sessions: Annotated[float | None, msgspec.Meta(description="Sent there in the replay of the day.")]
    expected_sessions: Annotated[float | None, msgspec.Meta(description="Forecast, as its plan sends titles.")]
    promised_bytes: float | None
    earned_bytes: float | None
    regret_bytes: Annotated[
        float | None, msgspec.Meta(description="From upstream, though the oracle would have had them.")
    ]
    too_low_bytes: Annotated[float | None, msgspec.Meta(description="Fetched because a forecast was too low.")]
    too_high_bytes: Annotated[float | None, msgspec.Meta(description="Filled for nobody because one was too high.")]


class NetworkRegion(msgspec.Struct, frozen=True, kw_only=True):
    """One region's forecast against what came; null where there was no forecast."""

    region_id: str
    sessions: int
    forecast: float | None
    actual_over_forecast: float | None
    wape: Annotated[float | None, msgspec.Meta(description="Sum of errors by title over sessions.")]
    within_q10_q90: Annotated[float | None, msgspec.Meta(description="Share of watched titles inside their band.")]


class NetworkTitle(msgspec.Struct, frozen=True, kw_only=True):
    """A title whose sessions of a week changed."""

    region_id: str
    title_id: str
    name: str | None
    before: int
    lately: int
    forecast: float | None


class NetworkReport(msgspec.Struct, frozen=True, kw_only=True):
    """Regions and edges on the last complete day, as the graph published them."""

    day: dt.date
    edges: list[NetworkEdge]
    regions: list[NetworkRegion]
    titles: list[NetworkTitle]
