"""The pictures of a back-test: what came beside what was forecast, whose errors they are, quantiles, features."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING

import polars as pl

from ml.forecasting import FALLBACK, MODEL

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FEATURES_SHOWN = 15
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
    from matplotlib.figure import Figure

    pairs = examples.select("region_id", "title_id").unique(maintain_order=True).rows()
    if not pairs:
        return None
    columns = 3
    rows = -(-len(pairs) // columns)
    figure = Figure(figsize=(4.2 * columns, 2.4 * rows), layout="constrained")
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
    return _png(figure)


def plot_breakdown(slices: pl.DataFrame, calibration: pl.DataFrame, importance: pl.DataFrame) -> bytes | None:
    """A PNG: errors by slice and method, how often the quantiles held, what the model goes by; None without a score.

    Args:
        slices: ``BacktestResult.slices``.
        calibration: ``BacktestResult.calibration``.
        importance: ``BacktestResult.importance``.
    """
    from matplotlib.figure import Figure

    if slices.is_empty():
        return None
    figure = Figure(figsize=(12.6, 8.4), layout="constrained")
    errors, held, features = figure.subplot_mosaic([["errors", "errors"], ["held", "features"]]).values()
    names = slices.select("by", "slice").unique(maintain_order=True)
    for shift, (method, colour, _) in enumerate(LINES[1:]):
        own = names.join(
            slices.filter(pl.col("method") == method), on=["by", "slice"], how="left", maintain_order="left"
        )
        places = [place + 0.27 * (shift - 1) for place in range(len(names))]
        errors.bar(places, own["wape_total"].fill_null(0.0).to_list(), 0.25, color=colour, label=method)
    labels = [f"{by}:\n{name}" for by, name in names.iter_rows()]
    errors.set_xticks(range(len(names)), labels, fontsize=7, rotation=30, ha="right")
    errors.set_title("WAPE of sums over the horizon, by slice", loc="left", fontsize=9)
    errors.legend(fontsize=7)
    for level, of_level in calibration.filter(pl.col("horizon") > 0).group_by("quantile", maintain_order=True):
        days = of_level["horizon"].to_list()
        below, reached = of_level["below"].to_list(), of_level["at_or_below"].to_list()
        (line,) = held.plot(days, reached, linewidth=1.2, label=f"q{100 * float(str(level[0])):.0f}")
        held.fill_between(days, below, reached, alpha=0.3, color=line.get_color())
        held.axhline(float(str(level[0])), color="black", linewidth=0.8, linestyle=":")
    held.set_ylim(0, 1)
    if held.lines:
        held.legend(fontsize=7, loc="upper left")
    held.set_title("share of actual sessions below and at each quantile, by days ahead", loc="left", fontsize=9)
    top = importance.sort(pl.max_horizontal("sessions", "chance"), descending=True).head(FEATURES_SHOWN).reverse()
    for shift, part in enumerate(("sessions", "chance")):
        places = [place + 0.38 * shift for place in range(len(top))]
        features.barh(places, top[part].to_list(), 0.36, label=part)
    features.set_yticks(range(len(top)), top["feature"].to_list(), fontsize=7)
    features.set_title("what the model goes by: share of gain", loc="left", fontsize=9)
    features.legend(fontsize=7)
    return _png(figure)


def plot_totals(lately: pl.DataFrame, ahead: pl.DataFrame) -> bytes:
    """A PNG: a panel a region with the sessions of the last days, what had been forecast of them, and what comes.

    Args:
        lately: region_id, day, sessions, forecast.
        ahead: The forecast: region_id, day, sessions.
    """
    from matplotlib.figure import Figure

    regions = sorted({*lately["region_id"], *ahead["region_id"]}) or ["no region"]
    figure = Figure(figsize=(4.2 * len(regions), 3), layout="constrained")
    for index, region_id in enumerate(regions):
        axes = figure.add_subplot(1, len(regions), index + 1)
        over = lately.filter(pl.col("region_id") == region_id).sort("day")
        own = ahead.filter(pl.col("region_id") == region_id)
        to_come = own.group_by("day").agg(pl.col("sessions").sum()).sort("day")
        days = over["day"].to_list()
        axes.plot(days, over["sessions"].to_list(), color="black", marker="o", markersize=3, label="actual")
        axes.plot(days, over["forecast"].to_list(), "x", color="tab:blue", label="had been forecast")
        axes.plot(to_come["day"].to_list(), to_come["sessions"].to_list(), color="tab:blue", label="forecast")
        axes.set_title(region_id, fontsize=9)
        axes.tick_params(labelsize=6)
        axes.tick_params(axis="x", rotation=30)
        axes.set_ylim(bottom=0)
    figure.axes[0].legend(fontsize=6)
    return _png(figure)


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=90)
    return buffer.getvalue()


def png_markdown(png: bytes, title: str) -> str:
    """A picture as Markdown that needs no file."""
    return f"![{title}](data:image/png;base64,{base64.b64encode(png).decode()})"
