"""After the day: what a plan earned, what a perfect forecast would have earned, and which bytes the difference cost.

All of it is read from a replay of the day whose candidate is the plan that was in force. That plan knew only the days
before it, so that, other than at the gate, nothing here flatters it.
"""

from __future__ import annotations

import polars as pl

from ml.placement.replay import CANDIDATE, LRU, ORACLE, ReplayResult

OUTCOMES = ("sessions", "starts", "asked_bytes", "local_placed_bytes")


def measure_edges(result: ReplayResult) -> pl.DataFrame:
    """What a plan earned at each edge, beside pull-through alone and the oracle.

    An edge answers for the titles that the plan sends there; the two others are measured on the same titles, wherever
    they would have sent them, so that the rows of a region add up.

    Args:
        result: A replay of ``candidate`` beside ``lru`` and ``oracle``.

    Returns:
        One row an edge: edge_id, sessions, earned_bytes (served from what was placed), byte_hit_ratio and
        local_start_ratio of the plan and, with the suffixes ``_lru`` and ``_oracle``, of the others, regret_bytes
        (from upstream, though the oracle would have served them locally) and regret_starts (sessions likewise).
    """
    whole = 1.0 / result.sampled_share
    sums = _side_by_side(result).group_by("edge_id").agg(pl.exclude("title_id").sum()).sort("edge_id")
    ratios = [
        expression
        for suffix in ("", f"_{LRU}", f"_{ORACLE}")
        for expression in (
            (1.0 - pl.col(f"upstream_bytes{suffix}") / pl.col("asked_bytes")).alias(f"byte_hit_ratio{suffix}"),
            (pl.col(f"local_starts{suffix}") / pl.col("starts")).alias(f"local_start_ratio{suffix}"),
        )
    ]
    return sums.select(
        "edge_id",
        (pl.col("sessions") * whole).round().cast(pl.Int64),
        (pl.col("local_placed_bytes") * whole).alias("earned_bytes"),
        *ratios,
        ((pl.col("upstream_bytes") - pl.col(f"upstream_bytes_{ORACLE}")) * whole).alias("regret_bytes"),
        ((pl.col(f"local_starts_{ORACLE}") - pl.col("local_starts")) * whole).alias("regret_starts"),
    )


def cost_forecast_errors(result: ReplayResult, forecast: pl.DataFrame) -> pl.DataFrame:
    """Where a forecast cost bytes, title by title at each edge.

    Args:
        result: A replay of ``candidate`` beside ``lru`` and ``oracle``; what stood on the edges before the plan was
            filled must have been given to it as resident.
        forecast: title_id, sessions, q10, q90, of the region and day, as the plan knew them.

    Returns:
        One row an edge and title that cost something: edge_id, title_id, forecast, sessions, is_surprise (the sessions
        lie outside of q10 to q90), and bytes in four columns. Fetched from upstream though the oracle would have served
        them locally: ``too_low_bytes`` of a title with more sessions than forecast, ``crowded_out_bytes`` of one
        without, whose room went to others. Filled for the day and asked for by nobody: ``too_high_bytes`` of a title
        with fewer sessions than forecast, ``unwatched_bytes`` of one without, such as rungs and endings that its
        viewers did not ask for.
    """
    whole = 1.0 / result.sampled_share
    asked = _side_by_side(result).select(
        "edge_id",
        "title_id",
        "sessions",
        ((pl.col("upstream_bytes") - pl.col(f"upstream_bytes_{ORACLE}")).clip(lower_bound=0) * whole).alias("fetched"),
    )
    filled = result.by_title.filter((pl.col("placement") == CANDIDATE) & (pl.col("unasked_fill_bytes") > 0)).select(
        "edge_id", "title_id", "unasked_fill_bytes"
    )
    sessions = asked.select("title_id", pl.col("sessions") * whole)
    known = forecast.select("title_id", pl.col("sessions").alias("forecast"), "q10", "q90")
    numbers = ("sessions", "forecast", "fetched", "unasked_fill_bytes", "q10", "q90")
    rows = (
        asked.drop("sessions")
        .join(filled, on=["edge_id", "title_id"], how="full", coalesce=True)
        .join(sessions, on="title_id", how="left")
        .join(known, on="title_id", how="left")
        .with_columns(pl.col(numbers).fill_null(0.0))
    )
    more, fewer = pl.col("sessions") > pl.col("forecast"), pl.col("sessions") < pl.col("forecast")
    costs = {
        "too_low_bytes": pl.col("fetched") * more,
        "crowded_out_bytes": pl.col("fetched") * ~more,
        "too_high_bytes": pl.col("unasked_fill_bytes") * fewer,
        "unwatched_bytes": pl.col("unasked_fill_bytes") * ~fewer,
    }
    total = pl.sum_horizontal(list(costs))
    return (
        rows.select(
            "edge_id",
            "title_id",
            "forecast",
            "sessions",
            (~pl.col("sessions").is_between("q10", "q90")).alias("is_surprise"),
            **costs,
        )
        .filter(total > 0)
        .sort([total, "edge_id", "title_id"], descending=[True, False, False])
    )


def _side_by_side(result: ReplayResult) -> pl.DataFrame:
    """Titles that were asked for: ``OUTCOMES`` under the plan; upstream_bytes and local_starts under each placement."""
    asked = result.by_title.filter(pl.col("sessions") > 0)
    compared = ("upstream_bytes", "local_starts")
    titles = asked.filter(pl.col("placement") == CANDIDATE).select("edge_id", "title_id", *OUTCOMES, *compared)
    for name in (LRU, ORACLE):
        other = asked.filter(pl.col("placement") == name).select("title_id", pl.col(compared).name.suffix(f"_{name}"))
        titles = titles.join(other, on="title_id", how="left", maintain_order="left")
    return titles
