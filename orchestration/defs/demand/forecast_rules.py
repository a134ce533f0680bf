"""What a forecast must satisfy before it becomes the current one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

COMPLETE = "no_missing_numbers"
REGIONS = "every_region_present"
ORDERED = "quantiles_ordered"
PLAUSIBLE = "total_near_recent_totals"
DRIFT = "error_near_backtest"
LOWEST_RATIO, HIGHEST_RATIO = 0.4, 2.5
"""Band of the mean forecast day over the mean of the last seven days on which anything was seen."""

LARGEST_RISE = 1.25
"""How many times the error that the back-test had measured one day ahead that of the last days may be."""

NUMBERS = ("sessions", "chance", "q10", "q50", "q90")
ROUNDING = 1e-9


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Whether a rule holds, and the numbers that say so."""

    rule: str
    passed: bool
    detail: str


def examine(forecast: pl.DataFrame, demand: pl.DataFrame, regions: Sequence[str]) -> list[Finding]:
    """Hold a forecast against every rule.

    Args:
        forecast: region_id, title_id, day, sessions, chance, q10, q50, q90.
        demand: region_id, title_id, event_day, sessions, of complete days only.
        regions: The seeds' regions.
    """
    missing = sum(int((~forecast[name].is_finite().fill_null(value=False)).sum()) for name in NUMBERS)
    absent = sorted(set(regions) - set(forecast["region_id"]))
    unordered = forecast.filter(
        (pl.col("q10") > pl.col("q50") + ROUNDING) | (pl.col("q50") > pl.col("q90") + ROUNDING) | (pl.col("q10") < 0)
    )
    return [
        Finding(rule=COMPLETE, passed=missing == 0, detail=f"{missing} numbers are missing or not finite"),
        Finding(rule=REGIONS, passed=not absent, detail=f"regions without a forecast: {absent or 'none'}"),
        Finding(rule=ORDERED, passed=not len(unordered), detail=f"{len(unordered)} rows with quantiles out of order"),
        _plausible(forecast, demand),
    ]


def _plausible(forecast: pl.DataFrame, demand: pl.DataFrame) -> Finding:
    recent = demand.group_by("event_day").agg(pl.col("sessions").sum()).sort("event_day").tail(7)["sessions"].mean()
    ahead = forecast.group_by("day").agg(pl.col("sessions").sum())["sessions"].mean()
    if not isinstance(recent, int | float) or recent <= 0 or not isinstance(ahead, int | float):
        return Finding(rule=PLAUSIBLE, passed=True, detail="no recent day to compare with")
    ratio = ahead / recent
    return Finding(
        rule=PLAUSIBLE,
        passed=LOWEST_RATIO <= ratio <= HIGHEST_RATIO,
        detail=f"{ahead:.1f} sessions a day forecast, {recent:.1f} a day lately: ratio {ratio:.2f}, "
        f"allowed {LOWEST_RATIO} to {HIGHEST_RATIO}",
    )


def find_drift(lately: pl.DataFrame, backtest_wape: float | None) -> Finding:
    """Hold the error of the last days against what the back-test had measured one day ahead.

    Args:
        lately: sessions and wape of days and regions that are over.
        backtest_wape: Of the published method, by region, title and day; None when it was not measured.
    """
    sessions = float(lately["sessions"].sum())
    if not sessions or not backtest_wape:
        return Finding(rule=DRIFT, passed=True, detail="no day with a forecast, or no back-test, to compare with")
    wape = float((lately["wape"].fill_null(0.0) * lately["sessions"]).sum()) / sessions
    return Finding(
        rule=DRIFT,
        passed=wape <= LARGEST_RISE * backtest_wape,
        detail=f"WAPE {wape:.3f} over {lately['day'].n_unique()} days, {backtest_wape:.3f} one day ahead in the "
        f"back-test: ratio {wape / backtest_wape:.2f}, allowed {LARGEST_RISE}",
    )
