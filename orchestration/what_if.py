"""`matinee plan --what-if`: asks the planner what other disks would do, of this installation's own data.

Reads the lake, the store and what edges answer; writes nothing but the files that it is asked for.
"""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import polars as pl
from rich.console import Console
from rich.table import Table

from ml.forecasting import forecast
from ml.forecasting.model import DemandModel
from ml.placement import LRU, NoDemand
from orchestration.defs.demand.forecast import choose_model
from orchestration.defs.demand.forecast_store import read_backtest
from orchestration.defs.demand.inputs import DemandInputs, read_inputs
from orchestration.defs.edge.hit_ratio_plot import plot_hit_ratio_by_size
from orchestration.defs.edge.planning import (
    HISTORY_DAYS,
    PlanConfig,
    PlanInputs,
    forecast_of_days,
    read_plan_inputs,
)
from orchestration.defs.edge.what_if import PLAN, WHOLE_REGION, WhatIfError, read_scenarios, sweep
from orchestration.edge.topology import read_network
from orchestration.resources.edges import EdgeFleet
from orchestration.resources.warehouse import Warehouse
from orchestration.settings import Settings, read_settings
from orchestration.store import LocalStore

COMPARED = {
    "byte hit": "byte_hit_ratio",
    "local starts": "local_start_ratio",
    "upstream MB a day": "upstream_bytes_a_day",
    "peak Mbit/s": "peak_upstream_bps",
}
"""Columns of the table that have the plan's number and, behind a stroke, that of LRU."""
LIMITS = {"fill_budget": "fill budget", "upstream": "upstream limit"}
"""Columns of what a plan was held to, told where it was asked."""
MEGA = 1e6
WIDTH_OF_A_FILE = 170


@dataclass(frozen=True, kw_only=True)
class WhatIfReport:
    """What was found.

    Attributes:
        rows: As :func:`orchestration.defs.edge.what_if.sweep` gives them, of all regions.
        days: The days that were replayed.
        method: Why the model, or the fallback, forecast each of them.
        notes: What was assumed or left out, by region.
    """

    rows: pl.DataFrame
    days: tuple[dt.date, ...]
    method: str
    notes: tuple[str, ...]


def ask(
    settings: Settings, questions: Sequence[str], *, regions: Sequence[str] = (), days: int = 3, today: str = ""
) -> WhatIfReport:
    """Ask for every region, or for those named.

    The demand of a day is forecast as it would have been in its own night: by what is published (the model trained on
    the days before the first replayed day, or the fallback), from the days before.

    Args:
        settings: The installation.
        questions: See :func:`orchestration.defs.edge.what_if.read_scenarios`.
        regions: Ids; none for all.
        days: How many of the last complete days are replayed.
        today: The first day that is not complete; empty for today (UTC).

    Raises:
        WhatIfError: A question cannot be read, or there is nothing to replay.
        WarehouseTableMissing: The installation has no sessions yet.
    """
    scenarios = read_scenarios(questions)
    known = [region.region_id for region in read_network().regions]
    if strangers := sorted(set(regions) - set(known)):
        raise WhatIfError(f"unknown regions: {', '.join(strangers)}; there are {', '.join(known)}")
    if days < 1:
        raise WhatIfError(f"{days} days to replay; give at least 1")
    # not all the resources of the graph: dbt and MLflow are slow to import and not asked
    warehouse = Warehouse(lake_folder=str(settings.lake_folder))
    store = LocalStore(settings.store_folder)
    edges = EdgeFleet(secret=settings.secret, urls=settings.edge_urls)
    config = PlanConfig(today=today)
    demand_inputs = read_inputs(warehouse, store, config.date())
    complete = demand_inputs.demand.filter(pl.col("event_day") < config.date())["event_day"].unique().sort()
    replayed = tuple(complete.tail(days))
    if len(complete) <= days:
        raise WhatIfError(f"{len(complete)} complete days of viewing are too few to replay {days} of them")
    model, reason = choose_model(demand_inputs, read_backtest(store), replayed[0])
    demand = {day: _foretell(model, demand_inputs, day) for day in replayed}
    frames, notes = [], []
    for region_id in regions or known:
        try:
            inputs = read_plan_inputs(region_id, config, warehouse, store, edges, history_days=HISTORY_DAYS + days)
        except NoDemand as error:
            raise WhatIfError(str(error)) from error
        frames.append(sweep(inputs, demand, scenarios))
        notes += [f"{region_id}: {note}" for note in _assumed(inputs)]
    return WhatIfReport(
        rows=pl.concat(frames),
        days=replayed,
        method=reason,
        notes=tuple(notes),
    )


def run_what_if(
    questions: Sequence[str],
    *,
    regions: Sequence[str],
    days: int,
    today: str,
    plot_path: Path | None,
    json_path: Path | None,
) -> None:
    """Ask, print the table, and write the files that are wanted.

    Raises:
        WhatIfError: As :func:`ask`.
        SettingsError: The installation's settings cannot be read.
        WarehouseTableMissing: The installation has no sessions yet.
    """
    report = ask(read_settings(), questions, regions=regions, days=days, today=today)
    # a file or a pipe has no width of its own, and a table that is cut is none
    console = Console(width=None if sys.stdout.isatty() else WIDTH_OF_A_FILE)
    console.print(_table(report.rows))
    console.print(
        f"Replayed {report.days[0]} to {report.days[-1]}, each planned from a forecast of the days before it "
        f"({report.method})."
    )
    for note in report.notes:
        console.print(f"[dim]{note}[/dim]")
    if plot_path is not None:
        plot_path.write_bytes(plot_hit_ratio_by_size(report.rows))
        console.print(f"wrote {plot_path}", soft_wrap=True)
    if json_path is not None:
        content = {"days": report.days, "method": report.method, "notes": report.notes, "rows": report.rows.to_dicts()}
        json_path.write_bytes(msgspec.json.format(msgspec.json.encode(content), indent=2))
        console.print(f"wrote {json_path}", soft_wrap=True)


def _foretell(model: DemandModel | None, inputs: DemandInputs, day: dt.date) -> pl.DataFrame:
    ahead = forecast(
        model,
        inputs.demand,
        inputs.titles,
        today=day,
        horizon_days=1,
        regions=inputs.regions,
        signals=inputs.signals,
    )
    expected, _ = forecast_of_days(ahead, day, 1)
    return expected


def _assumed(inputs: PlanInputs) -> Iterator[str]:
    """What today's disks were taken to be where edges did not say."""
    for edge_id, capacity_bytes in inputs.edges.select("edge_id", "capacity_bytes").iter_rows():
        if any(sentence.startswith(edge_id) for sentence in inputs.silent_edges):
            yield f"{edge_id} does not answer; its disk is taken to have the seeds' {capacity_bytes / MEGA:,.0f} MB"


def _table(rows: pl.DataFrame) -> Table:
    table = Table(title="What if: the plan / pull-through alone (LRU)")
    limits = {name: title for name, title in LIMITS.items() if (rows[name] != "").any()}
    for title in ("region", "edge"):
        table.add_column(title)
    numbers = ("capacity", *limits.values(), "disk MB", "% of catalogue", *COMPARED)
    for title in (*numbers, "first fill MB", "MB a night"):
        table.add_column(title, justify="right")
    same = ["region_id", "capacity", *LIMITS, "edge_id"]
    alone = rows.filter(pl.col("placement") == LRU).select(*same, *COMPARED.values())
    # a region of one edge is told once
    told = (pl.col("edge_id") != WHOLE_REGION) | (pl.col("edge_id").n_unique().over("region_id") > 2)
    beside = rows.filter(told, pl.col("placement") == PLAN).join(alone, on=same, suffix="_alone", maintain_order="left")
    for row in beside.iter_rows(named=True):
        table.add_row(
            row["region_id"],
            "all" if row["edge_id"] == WHOLE_REGION else row["edge_id"],
            row["capacity"],
            *(row[name] or "any" for name in limits),
            f"{row['capacity_bytes'] / MEGA:,.1f}",
            f"{100 * row['catalogue_share']:.1f}",
            *(f"{_number(name, row[name])} / {_number(name, row[name + '_alone'])}" for name in COMPARED.values()),
            f"{row['first_fill_bytes'] / MEGA:,.1f}",
            "" if row["fill_bytes_a_night"] is None else f"{row['fill_bytes_a_night'] / MEGA:,.1f}",
        )
    return table


def _number(name: str, value: float) -> str:
    return f"{value:.3f}" if name.endswith("_ratio") else f"{value / MEGA:,.2f}"
