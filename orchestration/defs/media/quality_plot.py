"""The picture of a ladder: what quality costs at each size, the hull over sizes, and where the rungs are."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence

from orchestration.media.correction import Delivered
from orchestration.media.hull import RatePoint, convex_hull, fit_curves


def plot_hull(
    points: Sequence[RatePoint], rungs: Sequence[tuple[float, Delivered]], sizes: Iterable[tuple[int, int]]
) -> bytes | None:
    """A PNG; None when there is nothing to show.

    Args:
        points: What the search measured; empty for a fixed ladder.
        rungs: Bit rate and what was measured of each rung.
        sizes: The rungs' sizes, whose curves are shown beside those of the sizes that were probed.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    if not points and not rungs:
        return None
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    curves = fit_curves(points, {*sizes, *((point.width, point.height) for point in points)})
    for curve in curves:
        grid = curve.grid
        (line,) = axes.plot(
            [point.bitrate_bps / 1000 for point in grid],
            [point.vmaf for point in grid],
            linewidth=1,
            label=f"{curve.width}x{curve.height}",
        )
        mine = [point for point in points if (point.width, point.height) == (curve.width, curve.height)]
        axes.plot(
            [point.bitrate_bps / 1000 for point in mine], [point.vmaf for point in mine], "x", color=line.get_color()
        )
    hull = convex_hull(point for curve in curves for point in curve.grid)
    axes.plot(
        [point.bitrate_bps / 1000 for point in hull], [point.vmaf for point in hull], "k:", linewidth=1, label="hull"
    )
    axes.plot([rate / 1000 for rate, _ in rungs], [item.vmaf for _, item in rungs], "ko", label="delivered")
    for rate, item in rungs:
        axes.annotate(item.rung, (rate / 1000, item.vmaf), textcoords="offset points", xytext=(4, -9), fontsize=7)
    axes.set_xscale("log")
    axes.set_xlabel("kbit/s")
    axes.set_ylabel("VMAF")
    axes.grid(visible=True, alpha=0.3)
    axes.legend(fontsize=7)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=90)
    return buffer.getvalue()


def png_markdown(png: bytes) -> str:
    """A picture as Markdown that needs no file."""
    return f"![quality over bit rate](data:image/png;base64,{base64.b64encode(png).decode()})"
