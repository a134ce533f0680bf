"""The picture of a back-test: what came and what was forecast, for the top titles of every region."""

from __future__ import annotations

import base64
import io

import polars as pl

from ml.forecasting import FALLBACK, MODEL

LINES = (
    ("actual", "black", "-"),
    (MODEL, "tab:blue", "-"),
    (FALLBACK, "tab:orange", "--"),
    ("persistence", "tab:gray", ":"),
)


def plot_examples(examples: pl.DataFrame) -> bytes | None:
    """A PNG with one panel a title and region; None when there is nothing to show.

    Args:
        examples: ``BacktestResult.examples``.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    pairs = examples.select("region_id", "title_id").unique(maintain_order=True).rows()
    if not pairs:
        return None
    columns = 3
    rows = -(-len(pairs) // columns)
    figure = Figure(figsize=(4.2 * columns, 2.4 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    for index, (region_id, title_id) in enumerate(pairs):
        axes = figure.add_subplot(rows, columns, index + 1)
        line = examples.filter((pl.col("region_id") == region_id) & (pl.col("title_id") == title_id)).sort("day")
        for name, colour, style in LINES:
            axes.plot(
                line["day"].to_list(), line[name].to_list(), color=colour, linestyle=style, linewidth=1.2, label=name
            )
        axes.set_title(f"{region_id}: {title_id}", fontsize=8)
        axes.tick_params(labelsize=6)
        axes.tick_params(axis="x", rotation=30)
        axes.set_ylim(bottom=0)
    figure.axes[0].legend(fontsize=6)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=90)
    return buffer.getvalue()


def png_markdown(png: bytes, title: str) -> str:
    """A picture as Markdown that needs no file."""
    return f"![{title}](data:image/png;base64,{base64.b64encode(png).decode()})"
