"""The quality that viewers had, drawn for those who look after it."""

import base64
import io

import dagster as dg
import polars as pl

from orchestration import taxonomy
from orchestration.resources.warehouse import Warehouse

QUALITY = dg.AssetKey(["ops", "quality_of_experience"])
TABLE = "serving.srv_qoe_daily"
PANELS = {
    "startup_s_p50": "Start-up, median (s)",
    "rebuffer_ratio": "Rebuffer ratio",
    "edge_hit_ratio": "Edge hit ratio",
}


@dg.asset(
    key=QUALITY,
    group_name=taxonomy.OPS,
    owners=taxonomy.OWNERS[taxonomy.OPS],
    kinds={"python"},
    deps=[dg.AssetKey(["warehouse", "srv_qoe_daily"])],
)
def quality_of_experience(warehouse: Warehouse) -> dg.MaterializeResult:
    """Start-up time, rebuffering and edge hits by region and day, as a picture and as the newest day's numbers.

    Made from `srv_qoe_daily`. A step in start-up or hit ratio after a fill shows what the fill was worth; a region that
    drifts away from the others has a problem of its own.
    """
    daily = warehouse.read(TABLE).sort("event_day", "region_id")
    return dg.MaterializeResult(
        metadata={
            "days": daily["event_day"].n_unique(),
            "sessions": int(daily["sessions"].sum()),
            "newest_day": dg.MarkdownMetadataValue(newest_day_table(daily)),
            "plot": dg.MarkdownMetadataValue(f"![quality by region](data:image/png;base64,{plot(daily)})"),
        }
    )


def newest_day_table(daily: pl.DataFrame) -> str:
    """The newest day, a row a region, as Markdown."""
    newest = daily.filter(pl.col("event_day") == pl.col("event_day").max())
    columns = [name for name in daily.columns if name != "event_day"]
    rows = [
        "| " + " | ".join(f"{value:.4g}" if isinstance(value, float) else str(value) for value in row) + " |"
        for row in newest.select(columns).rows()
    ]
    return "\n".join([f"| {' | '.join(columns)} |", "|" + "---|" * len(columns), *rows])


def plot(daily: pl.DataFrame) -> str:
    """One panel a measure, one line a region; a PNG in base64."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 7), layout="constrained")
    axes = figure.subplots(len(PANELS), 1, sharex=True)
    for axis, (column, title) in zip(axes, PANELS.items(), strict=True):
        for (region,), days in daily.group_by("region_id", maintain_order=True):
            axis.plot(days["event_day"].to_list(), days[column].to_list(), marker=".", label=str(region))
        axis.set_title(title, loc="left", fontsize=10)
        axis.set_ylim(bottom=0)
        axis.grid(alpha=0.3)
    if daily.height:
        axes[0].legend(loc="upper right", fontsize=8)
    image = io.BytesIO()
    figure.savefig(image, format="png", dpi=80)
    return base64.b64encode(image.getvalue()).decode()
