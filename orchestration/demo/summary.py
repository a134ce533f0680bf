"""What the demo prints at its end, and the same as JSON."""

from __future__ import annotations

from pathlib import Path

import msgspec
from rich.console import Console
from rich.markdown import Markdown
from rich.table import Table


class StageLine(msgspec.Struct, kw_only=True):
    """One stage: how many of what it made, and how long it took."""

    name: str
    count: int
    unit: str
    seconds: float
    note: str = ""


class Comparison(msgspec.Struct, kw_only=True):
    """One measure with pull-through alone and with the plan filled."""

    pull_only: float | None = None
    placed: float | None = None


class ModelLine(msgspec.Struct, kw_only=True):
    """The champion and what it was judged by."""

    name: str = ""
    version: str = ""
    metric: str = ""
    value: float | None = None
    baseline: str = ""
    baseline_value: float | None = None


class ForecastLine(msgspec.Struct, kw_only=True):
    """The published forecast and its back-test beside persistence."""

    published: str = ""
    reason: str = ""
    metrics: dict[str, float] = {}


class ExperienceLine(msgspec.Struct, kw_only=True):
    """What the viewers of one wave experienced in one region, measured by their players."""

    wave: str
    region_id: str
    sessions: int
    startup_s_median: float
    startup_s_p95: float
    rebuffer_ratio: float
    mean_bitrate_bps: float
    edge_hit_ratio: float
    local_start_ratio: float


class DemoSummary(msgspec.Struct, kw_only=True):
    """The outcome of one `matinee demo`."""

    stages: list[StageLine] = []
    titles_published: int = 0
    quarantined: list[dict[str, str]] = []
    sessions_played: int = 0
    beats_lost: int = 0
    beats_accepted: int = 0
    beats_in_lake: int = 0
    edge_hit_ratio: Comparison = msgspec.field(default_factory=Comparison)
    startup_s: Comparison = msgspec.field(default_factory=Comparison)
    rebuffer_ratio: Comparison = msgspec.field(default_factory=Comparison)
    local_start_ratio: Comparison = msgspec.field(default_factory=Comparison)
    model: ModelLine = msgspec.field(default_factory=ModelLine)
    forecast: ForecastLine = msgspec.field(default_factory=ForecastLine)
    snapshot_id: str = ""
    experience: list[ExperienceLine] = []
    emulation: str = ""
    urls: dict[str, str] = {}
    seconds: float = 0.0


def write_summary(summary: DemoSummary, path: Path) -> None:
    """Write the summary as indented JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(summary), indent=2) + b"\n")


def print_summary(summary: DemoSummary, console: Console) -> None:
    """Print the summary as tables."""
    console.print()
    console.print(_stage_table(summary))
    if summary.quarantined:
        console.print("[bold]Quarantined[/bold] (the others went on)")
        for report in summary.quarantined:
            console.print(f"  {report['file']}: {report['reason']}")
    if summary.emulation:
        console.print("[bold]Emulated distance[/bold] (virtual time; the bytes move over loopback)")
        console.print(Markdown(summary.emulation))
    console.print(_experience_table(summary))
    console.print(_comparison_table(summary))
    model, forecast = summary.model, summary.forecast
    if model.name:
        baseline = f" ({model.baseline} {model.baseline_value:.4f})" if model.baseline_value is not None else ""
        value = "" if model.value is None else f" {model.value:.4f}"
        console.print(f"[bold]Model[/bold] {model.name} version {model.version}: {model.metric}{value}{baseline}")
    if forecast.published:
        console.print(f"[bold]Forecast[/bold] {forecast.published}: {forecast.reason}")
    console.print(f"[bold]Snapshot[/bold] {summary.snapshot_id}")
    lost = f"[red]{summary.beats_lost} beats never taken[/red], " if summary.beats_lost else ""
    console.print(
        f"[bold]Totals[/bold] {summary.titles_published} titles published, {summary.sessions_played} sessions played, "
        f"{summary.beats_accepted} beats accepted, {summary.beats_in_lake} beats in the lake, {lost}"
        f"{summary.seconds:.0f} s in all"
    )
    for name, url in summary.urls.items():
        console.print(f"  {name:<22} {url}")
    if not summary.urls:
        console.print("[bold]make up[/bold] serves this again, with its pages and Dagster's")


def _stage_table(summary: DemoSummary) -> Table:
    table = Table(title="Stages", title_justify="left")
    for heading, justify in (("stage", "left"), ("count", "right"), ("of", "left"), ("seconds", "right"), ("", "left")):
        table.add_column(heading, justify=justify)  # type: ignore[arg-type]
    for line in summary.stages:
        table.add_row(line.name, f"{line.count:,}", line.unit, f"{line.seconds:.1f}", line.note)
    return table


def _experience_table(summary: DemoSummary) -> Table:
    table = Table(title="What the viewers experienced", title_justify="left")
    for heading in (
        "wave",
        "region",
        "sessions",
        "start-up median",
        "p95",
        "rebuffer",
        "bit rate",
        "edge hit",
        "local start",
    ):
        table.add_column(heading, justify="left" if heading in ("wave", "region") else "right")
    for line in summary.experience:
        table.add_row(
            line.wave,
            line.region_id,
            str(line.sessions),
            f"{line.startup_s_median:.2f} s",
            f"{line.startup_s_p95:.2f} s",
            f"{line.rebuffer_ratio:.2%}",
            f"{line.mean_bitrate_bps / 1e6:.2f} Mbit/s",
            f"{line.edge_hit_ratio:.1%}",
            f"{line.local_start_ratio:.1%}",
        )
    return table


def _comparison_table(summary: DemoSummary) -> Table:
    table = Table(title="Pre-positioning: same viewers, same seeds, same edges at the start", title_justify="left")
    for heading in ("measure", "pull only", "placed"):
        table.add_column(heading, justify="left" if heading == "measure" else "right")
    rows = (
        ("edge hit ratio (bytes)", summary.edge_hit_ratio, "{:.1%}"),
        ("sessions that start locally", summary.local_start_ratio, "{:.1%}"),
        ("start-up, mean", summary.startup_s, "{:.3f} s"),
        ("rebuffer ratio", summary.rebuffer_ratio, "{:.2%}"),
    )
    for name, comparison, form in rows:
        figures = ["-" if value is None else form.format(value) for value in (comparison.pull_only, comparison.placed)]
        table.add_row(name, *figures)
    return table
