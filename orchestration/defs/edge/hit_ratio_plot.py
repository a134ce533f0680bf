"""The curve for whoever buys the disks: hits and local starts by edge size, planned and with pull-through alone."""

from __future__ import annotations

import io

import polars as pl

from orchestration.defs.edge.what_if import PLAN, WHOLE_REGION

MEASURES = {"byte_hit_ratio": "bytes served locally", "local_start_ratio": "sessions that start locally"}


def plot_hit_ratio_by_size(rows: pl.DataFrame) -> bytes:
    """A PNG: one column of panels a region, one row a measure, one line an edge, placement, budget and limit.

    Args:
        rows: What :func:`orchestration.defs.edge.what_if.sweep` gives, of any number of regions.
    """
    from matplotlib.figure import Figure

    regions = rows["region_id"].unique(maintain_order=True).to_list()
    figure = Figure(figsize=(4.6 * len(regions) + 0.6, 6.4), layout="constrained")
    grid = figure.subplots(len(MEASURES), len(regions), squeeze=False, sharex=True, sharey="row")
    lines = rows.filter(pl.col("edge_id") != WHOLE_REGION).sort("catalogue_share")
    for column, region_id in enumerate(regions):
        here = lines.filter(pl.col("region_id") == region_id)
        colours = {edge_id: f"C{index}" for index, edge_id in enumerate(here["edge_id"].unique().sort())}
        for row, (measure, title) in enumerate(MEASURES.items()):
            axes = grid[row][column]
            by_line = here.group_by("edge_id", "placement", "fill_budget", "upstream", maintain_order=True)
            for key, line in sorted(by_line, key=lambda item: [str(part) for part in item[0]]):
                edge_id, placement, budget, upstream = key
                label = f"{edge_id}, {placement}" + (f", {budget} a night" if budget else "")
                label += f", {upstream} a day" if upstream else ""
                style = "-" if placement == PLAN else "--"
                axes.plot(
                    (100 * line["catalogue_share"]).to_list(),
                    line[measure].to_list(),
                    linestyle=style,
                    color=colours[str(edge_id)],
                    marker=".",
                    label=label,
                )
            axes.set_ylim(0, 1)
            axes.grid(alpha=0.3)
            axes.set_title(f"{region_id}: {title}", fontsize=9, loc="left")
        grid[0][column].legend(fontsize=7, loc="lower right")
        grid[-1][column].set_xlabel("disk of an edge, % of the catalogue's bytes", fontsize=8)
    image = io.BytesIO()
    figure.savefig(image, format="png", dpi=90)
    return image.getvalue()
