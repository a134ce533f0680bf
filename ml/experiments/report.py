"""What people look at of a running experiment: a table of arms, and a plot of differences."""

from __future__ import annotations

import io

import polars as pl

_HEADER = "| experiment | arm | measure | viewers | of assigned | mean | difference | 95 %, at all times | verdict |"


def comparison_table(arms: pl.DataFrame) -> str:
    """``marts.fct_experiment_arms`` as a Markdown table."""
    rows = [
        f"| {row['experiment_id']} | {row['arm']} | {row['metric']} | {row['viewers']} | {row['viewers_assigned']} "
        f"| {_number(row['mean'])} | {_number(row['difference'])} "
        f"| {_number(row['difference_low'])} to {_number(row['difference_high'])} | {row['verdict']} |"
        for row in _ordered(arms).iter_rows(named=True)
    ]
    return "\n".join([_HEADER, "|---|---|---|---:|---:|---:|---:|---|---|", *rows])


def differences_plot(arms: pl.DataFrame) -> bytes:
    """A PNG: the difference of each arm from its control as a share of the control's mean, with its interval."""
    from matplotlib.figure import Figure

    control = arms.filter("is_control").select("experiment_id", "metric", pl.col("adjusted_mean").alias("base"))
    shown = (
        _ordered(arms)
        .join(control, on=["experiment_id", "metric"], maintain_order="left")
        .filter(pl.col("difference_low").is_not_null() & (pl.col("base") > 0))
    )
    figure = Figure(figsize=(8, 1.2 + 0.4 * max(shown.height, 1)), layout="constrained")
    axes = figure.subplots()
    for place, row in enumerate(shown.iter_rows(named=True)):
        low, middle, high = (
            100 * row[name] / row["base"] for name in ("difference_low", "difference", "difference_high")
        )
        axes.errorbar(middle, place, xerr=[[middle - low], [high - middle]], marker="o", capsize=3, color="C0")
    axes.set_yticks(range(shown.height), [f"{arm}: {metric}" for arm, metric in shown.select("arm", "metric").rows()])
    axes.axvline(0, color="grey", linewidth=1)
    axes.set_xlabel("difference from the control, %" if shown.height else "too few viewers to compare yet")
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=110)
    return png.getvalue()


def _ordered(arms: pl.DataFrame) -> pl.DataFrame:
    return arms.sort("experiment_id", "metric", ~pl.col("is_control"), "arm")


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"
