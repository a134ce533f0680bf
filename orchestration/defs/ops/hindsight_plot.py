"""The picture of a day that is over: each plan between pull-through and the oracle, and what forecast errors cost."""

from __future__ import annotations

import io

import polars as pl

from ml.placement import LRU, ORACLE

MEASURES = {"byte_hit_ratio": "bytes served locally", "local_start_ratio": "sessions that start locally"}
PLACEMENTS = {f"_{LRU}": ("pull-through alone", "lightgrey"), "": ("the plan", "C0"), f"_{ORACLE}": ("oracle", "C2")}
COSTS = {
    "too_low_bytes": ("fetched, forecast too low", "C3"),
    "crowded_out_bytes": ("fetched, crowded out", "C1"),
    "too_high_bytes": ("filled, forecast too high", "C4"),
    "unwatched_bytes": ("filled, other parts watched", "C8"),
}
MEGA = 1e6


def plot_hindsight(edges: pl.DataFrame) -> bytes:
    """A PNG: a panel for each measure and one for the bytes, in each a group of bars an edge.

    Args:
        edges: Rows as ``ops/hindsight`` has them.
    """
    from matplotlib.figure import Figure

    names = edges["edge_id"].to_list()
    places = range(len(names))
    figure = Figure(figsize=(max(8.0, 1.1 * len(names) + 4), 8), layout="constrained")
    *measured, bytes_panel = figure.subplots(len(MEASURES) + 1, 1)
    for axes, (measure, title) in zip(measured, MEASURES.items(), strict=True):
        for shift, (suffix, (label, colour)) in enumerate(PLACEMENTS.items()):
            heights = edges[f"{measure}{suffix}"].fill_null(0.0).to_list()
            bars = axes.bar([place + 0.27 * (shift - 1) for place in places], heights, 0.25, label=label, color=colour)
            axes.bar_label(bars, fmt="%.2f", fontsize=7)
        axes.set_title(title, loc="left", fontsize=10)
        axes.set_ylim(0, 1.08)
    for shift, (column, (label, colour)) in enumerate(COSTS.items()):
        heights = (edges[column] / MEGA).to_list()
        bytes_panel.bar([place + 0.2 * (shift - 1.5) for place in places], heights, 0.19, label=label, color=colour)
    bytes_panel.set_title("what a perfect forecast would have saved, MB", loc="left", fontsize=10)
    bytes_panel.margins(y=0.25)
    for axes in (measured[0], bytes_panel):
        axes.legend(fontsize=7, ncols=4, loc="upper right")
    for axes in (*measured, bytes_panel):
        axes.set_xticks(places, names, fontsize=8)
        axes.grid(axis="y", alpha=0.3)
    image = io.BytesIO()
    figure.savefig(image, format="png", dpi=90)
    return image.getvalue()
