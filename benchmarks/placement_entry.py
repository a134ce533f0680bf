"""Adapter: the planner of production, as the placement benchmark calls it each night for each region.

Usage: ``python edge_replay.py ... --planner benchmarks.placement_entry:planner`` from the project's folder. The
benchmark's own greedy fills the edge by the values returned, so what is scored is forecast, rung mix, watch-through,
start bonus and stickiness; the solver is not.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import polars as pl

from ml.forecasting import build_panel, forecast_panel
from ml.placement import PlacementSettings, WatchThrough, plan

RUNGS = ("240p", "480p", "720p", "1080p", "2160p")
GROUPS = 6
SETTINGS = PlacementSettings()
_objects: dict[int, pl.DataFrame] = {}
_forecasts: dict[tuple[int, str, int], pl.DataFrame] = {}


def planner(context: Any) -> np.ndarray:
    """Value of every object of one region for the coming day, shape [titles x tiers x groups]."""
    objects = _objects.setdefault(id(context.catalog), _objects_frame(context))
    titles = _titles_frame(context)
    demand = _forecast(context, titles)
    history = context.counts[context.region].sum(axis=0).reshape(-1, len(RUNGS), GROUPS)
    by_rung = history.sum(axis=(0, 2))
    resident = objects.filter(pl.Series(context.resident)).select(
        pl.lit("edge").alias("edge_id"), "title_id", "package_id", "rung", "segment_group"
    )
    result = plan(
        objects,
        demand,
        pl.DataFrame({"region_id": [context.region] * len(RUNGS), "rung": RUNGS, "share": by_rung / by_rung.sum()}),
        pl.DataFrame(
            {
                "edge_id": ["edge"],
                "region_id": [context.region],
                "failure_domain": ["edge"],
                "capacity_bytes": [float(context.cap)],
                "pull_reserve_share": [0.0],
            }
        ),
        resident,
        region_id=context.region,
        watch_through=_watch_through(history, titles["kind"].to_numpy()),
        titles=titles,
        settings=SETTINGS,
    )
    scored = objects.join(
        result.candidates.select("title_id", "rung", "segment_group", "score"),
        on=["title_id", "rung", "segment_group"],
        how="left",
        maintain_order="left",
    )
    return scored["score"].fill_null(0.0).to_numpy()


def _forecast(context: Any, titles: pl.DataFrame) -> pl.DataFrame:
    """Sessions of the coming day; the same for every edge size that the benchmark asks for."""
    key = (id(context.catalog), context.region, context.d)
    if key not in _forecasts:
        sessions = pl.concat([_sessions_frame(name, counts, context.date) for name, counts in context.counts.items()])
        panel = build_panel(sessions, titles, today=context.date, regions=sorted(context.counts))
        _forecasts[key] = forecast_panel(None, panel, [1]).filter(pl.col("region_id") == context.region)
    return _forecasts[key]


def _watch_through(history: np.ndarray, kind: np.ndarray) -> WatchThrough:
    """Share of requests of each group, by kind of title; the benchmark tells requests, not how far a session got."""

    def curve(requests: np.ndarray) -> np.ndarray:
        by_group = requests.sum(axis=(0, 1))
        return np.minimum.accumulate(by_group / max(by_group[0], 1.0))

    return WatchThrough(reach=curve(history), of_kind={name: curve(history[kind == name]) for name in np.unique(kind)})


def _title_ids(context: Any) -> list[str]:
    return [f"t-{index:05d}" for index in range(len(context.catalog))]


def _objects_frame(context: Any) -> pl.DataFrame:
    titles = np.repeat(np.array(_title_ids(context), dtype=object), len(RUNGS) * GROUPS)
    rungs = np.tile(np.repeat(np.array(RUNGS, dtype=object), GROUPS), len(context.catalog))
    groups = np.tile(np.arange(GROUPS), len(context.catalog) * len(RUNGS))
    return pl.DataFrame(
        {"title_id": titles, "rung": rungs, "segment_group": groups, "size_bytes": context.size},
        schema_overrides={"title_id": pl.String, "rung": pl.String},
    ).with_columns(pl.lit("p").alias("package_id"), pl.col("size_bytes").ceil().cast(pl.Int64).clip(1))


def _titles_frame(context: Any) -> pl.DataFrame:
    """Release dates of the window; what is older than the data has none."""
    start = context.date - dt.timedelta(days=context.d)
    days = context.catalog["release_day"].to_list()
    return pl.DataFrame(
        {
            "title_id": _title_ids(context),
            "release_date": [start + dt.timedelta(days=int(day)) if day > -3000 else None for day in days],
            "kind": context.catalog["kind"],
        },
        schema_overrides={"release_date": pl.Date},
    )


def _sessions_frame(region: str, counts: np.ndarray, today: dt.date) -> pl.DataFrame:
    """Every session asks for group 0 first, so those requests are the sessions."""
    starts = counts.reshape(len(counts), -1, len(RUNGS), GROUPS)[:, :, :, 0].sum(axis=2)
    day, title = np.nonzero(starts)
    first = today - dt.timedelta(days=len(counts))
    return pl.DataFrame(
        {
            "region_id": [region] * len(day),
            "title_id": [f"t-{index:05d}" for index in title],
            "event_day": [first + dt.timedelta(days=int(index)) for index in day],
            "sessions": starts[day, title].astype(np.float64),
        },
        schema={"region_id": pl.String, "title_id": pl.String, "event_day": pl.Date, "sessions": pl.Float64},
    )
