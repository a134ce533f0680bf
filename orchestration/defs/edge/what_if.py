"""What other disks, fill budgets or upstream limits would do: a region planned and replayed day by day for each.

For whoever buys the disks. The nights run as they do in production: from empty edges, each night a plan from that day's
forecast that keeps what already stands there, filled within the budget, and then the day's real sessions.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import polars as pl

from ml.placement import BLOCK, CANDIDATE, LRU, replay
from orchestration.defs.edge.planning import PlanInputs, make_plan, requests_around

WHOLE_REGION = "*"
"""Stands for an edge's id in rows of all edges of a region."""
PLAN = "plan"
UNITS = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_SIZE = re.compile(r"(?P<number>\d+(\.\d+)?) ?(?P<unit>[kMGT]?B)")


class WhatIfError(Exception):
    """A question cannot be read; the message says how it is asked."""


@dataclass(frozen=True, kw_only=True)
class Capacity:
    """How large every edge's disk is to be: so many times today's, or so many bytes."""

    label: str
    factor: float | None = None
    size_bytes: float | None = None

    def of(self, today_bytes: float) -> float:
        """The size of a disk that has so many bytes today."""
        return self.size_bytes if self.size_bytes is not None else today_bytes * (self.factor or 0.0)


TODAY = Capacity(label="1", factor=1.0)


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One world to plan for.

    Attributes:
        capacity: Of every edge.
        fill_budget: Most new bytes an edge a night, as it was asked for; empty for any number.
        fill_budget_bytes: The same in bytes; 0 for any number.
        upstream: Most bytes an edge and day from upstream, as it was asked for; empty for the seeds' own limits.
        upstream_bytes: The same in bytes; 0 for the seeds' own limits.
    """

    capacity: Capacity = TODAY
    fill_budget: str = ""
    fill_budget_bytes: int = 0
    upstream: str = ""
    upstream_bytes: int = 0


def read_scenarios(questions: Sequence[str]) -> list[Scenario]:
    """Every combination of what is asked.

    Args:
        questions: ``capacity=0.5,1,2`` (factors of today's) or ``capacity=500GB,1TB``; ``fill_budget=2GB,10GB``;
            ``upstream=2GB,10GB``.

    Raises:
        WhatIfError: A question cannot be read, or one is asked twice.
    """
    capacities = [TODAY]
    limits = {"fill_budget": [("", 0)], "upstream": [("", 0)]}
    seen = set()
    for question in questions:
        name, _, values = question.partition("=")
        if name in seen:
            raise WhatIfError(f"{name} is asked twice; give its values in one list, such as {name}=A,B")
        seen.add(name)
        texts = [text.strip() for text in values.split(",")]
        if name == "capacity":
            capacities = [_capacity(text) for text in texts]
        elif name in limits:
            limits[name] = [(text, round(_bytes(text))) for text in texts]
        else:
            raise WhatIfError(
                f"{question!r} is no question; ask capacity=0.5,1,2, capacity=500GB,1TB, fill_budget=2GB,10GB or "
                "upstream=2GB,10GB"
            )
    return [
        Scenario(
            capacity=capacity,
            fill_budget=budget,
            fill_budget_bytes=budget_bytes,
            upstream=upstream,
            upstream_bytes=upstream_bytes,
        )
        for upstream, upstream_bytes in limits["upstream"]
        for budget, budget_bytes in limits["fill_budget"]
        for capacity in capacities
    ]


def sweep(inputs: PlanInputs, demand: Mapping[dt.date, pl.DataFrame], scenarios: Sequence[Scenario]) -> pl.DataFrame:
    """Plan and replay a region's days under every scenario, beside pull-through alone (LRU on the whole disk).

    Args:
        inputs: Of the region. What stands on its edges now plays no part; its sessions of the replayed days do.
        demand: What was forecast for each day to replay: region_id, title_id, sessions.
        scenarios: What is asked.

    Returns:
        One row a scenario, edge (``*`` for the region) and placement (``plan``, ``lru``): region_id, capacity (as it
        was asked for), fill_budget, upstream, edge_id, placement, capacity_bytes, catalogue_share, sessions,
        byte_hit_ratio, local_start_ratio, upstream_bytes_a_day (misses), peak_upstream_bps (worst hour of all days),
        first_fill_bytes (from an empty disk), fill_bytes_a_night (of the later nights; null when there is none).
    """
    catalogue_bytes = float(inputs.objects["size_bytes"].sum())
    rows = [row for scenario in scenarios for row in _live_through(inputs, demand, scenario)]
    weighted = {
        name: ((pl.col(name) * pl.col(weight)).sum() / pl.col(weight).sum()).fill_nan(0.0).alias(name)
        for name, weight in (("byte_hit_ratio", "asked_bytes"), ("local_start_ratio", "sessions"))
    }
    return (
        pl.DataFrame(rows)
        .group_by("region_id", "capacity", "fill_budget", "upstream", "edge_id", "placement", maintain_order=True)
        .agg(
            pl.col("capacity_bytes").first(),
            (pl.col("capacity_bytes").first() / catalogue_bytes).alias("catalogue_share"),
            pl.col("sessions").sum(),
            weighted["byte_hit_ratio"],
            weighted["local_start_ratio"],
            pl.col("upstream_bytes").mean().alias("upstream_bytes_a_day"),
            pl.col("peak_upstream_bps").max(),
            pl.col("fill_bytes").first().alias("first_fill_bytes"),
            pl.col("fill_bytes").slice(1).mean().alias("fill_bytes_a_night"),
        )
    )


def _live_through(
    inputs: PlanInputs, demand: Mapping[dt.date, pl.DataFrame], scenario: Scenario
) -> Iterator[dict[str, object]]:
    """One row a day, edge and placement."""
    sizes = [scenario.capacity.of(size_bytes) for size_bytes in inputs.edges["capacity_bytes"]]
    edges = inputs.edges.with_columns(capacity_bytes=pl.Series(sizes, dtype=pl.Float64))
    if scenario.upstream_bytes:
        edges = edges.with_columns(upstream_limit_bytes=pl.lit(float(scenario.upstream_bytes)))
    capacity_bytes = dict(edges.select("edge_id", "capacity_bytes").iter_rows()) | {WHOLE_REGION: sum(sizes)}
    resident = inputs.resident.clear()
    for day, expected in sorted(demand.items()):
        known = replace(
            inputs,
            demand=expected,
            first_day=day,
            requests=inputs.requests.filter(pl.col("event_day") < day),
            replay_day=day - dt.timedelta(days=1),
            edges=edges,
            resident=resident,
        )
        made = make_plan(known, fill_budget_bytes=scenario.fill_budget_bytes)
        result = replay(
            {CANDIDATE: made.rows},
            requests_around(inputs.requests, day),
            inputs.objects,
            edges,
            region_id=inputs.region_id,
            day=day,
        )
        resident = made.rows.select("edge_id", *BLOCK)
        filled = {edge.edge_id: edge.fill_bytes for edge in made.edges}
        filled[WHOLE_REGION] = sum(filled.values())
        measured = pl.concat([result.table.with_columns(edge_id=pl.lit(WHOLE_REGION)), result.by_edge], how="diagonal")
        for row in measured.filter(pl.col("placement").is_in([CANDIDATE, LRU])).iter_rows(named=True):
            is_plan = row["placement"] == CANDIDATE
            misses = row["upstream_bytes"] / result.sampled_share
            yield {
                "region_id": inputs.region_id,
                "capacity": scenario.capacity.label,
                "fill_budget": scenario.fill_budget,
                "upstream": scenario.upstream,
                "edge_id": row["edge_id"],
                "placement": PLAN if is_plan else LRU,
                "capacity_bytes": capacity_bytes[row["edge_id"]],
                "sessions": row["sessions"],
                "asked_bytes": row["asked_bytes"],
                "byte_hit_ratio": row["byte_hit_ratio"],
                "local_start_ratio": row["local_start_ratio"],
                "upstream_bytes": misses,
                "peak_upstream_bps": row["peak_upstream_bps"] / result.sampled_share,
                "fill_bytes": filled[row["edge_id"]] if is_plan else 0,
            }


def _capacity(text: str) -> Capacity:
    if _SIZE.fullmatch(text):
        size_bytes = _bytes(text)
        return Capacity(label=text, size_bytes=size_bytes)
    try:
        factor = float(text)
    except ValueError:
        factor = 0.0
    if not 0.0 < factor < float("inf"):
        raise WhatIfError(
            f"capacity {text!r} is neither a positive factor of today's, such as 2, nor a size, such as 1TB"
        )
    return Capacity(label=text, factor=factor)


def _bytes(text: str) -> float:
    match = _SIZE.fullmatch(text)
    size_bytes = float(match["number"]) * UNITS[match["unit"]] if match else 0.0
    if size_bytes <= 0:
        raise WhatIfError(f"{text!r} is no size; give a number with one of {', '.join(UNITS)}, such as 500GB")
    return size_bytes
