"""`matinee pace`: how every region's day goes against its forecast, and what the hourly rebalance would do now.

Reads the lake and the store; plans nothing, fills nothing.
"""

from __future__ import annotations

import datetime as dt

from rich.console import Console
from rich.table import Table

from orchestration.defs.edge.rebalance import RegionLook, look_at_regions
from orchestration.edge.topology import read_network
from orchestration.resources.warehouse import Warehouse
from orchestration.settings import Settings
from orchestration.store import LocalStore

TITLES_SHOWN = 3


def look(settings: Settings, now: dt.datetime) -> list[RegionLook]:
    """Look at every region as the schedule would at that moment."""
    warehouse = Warehouse(lake_folder=str(settings.lake_folder))
    return look_at_regions(warehouse, LocalStore(settings.store_folder), read_network(), now)


def print_looks(looks: list[RegionLook], console: Console) -> None:
    """A row a region, and below it what each would do and why."""
    table = Table(title="Sessions of the running day against the forecast's band")
    table.add_column("region")
    for title in ("until", "sessions", "expected", "above", "missing"):
        table.add_column(title, justify="right")
    table.add_column("above most")
    for found in looks:
        pace = found.pace
        if pace is None:
            continue
        most = (
            f"{title['title_id']} {title['sessions']:.0f} / {title['expected']:.1f}"
            for title in pace.titles.head(TITLES_SHOWN).iter_rows(named=True)
            if title["excess"] > 0
        )
        numbers = (pace.sessions, pace.expected, pace.excess, pace.absent)
        table.add_row(found.region_id, f"{found.moment:%d %b %H:%M}", *(f"{n:.0f}" for n in numbers), ", ".join(most))
    if table.row_count:
        console.print(table)
    for found in looks:
        calm = "cannot tell" if found.pace is None else "nothing to do"
        verdict = "plan and fill" if found.is_due else calm
        console.print(f"{found.region_id}: {verdict}: {found.reason}", soft_wrap=True)
