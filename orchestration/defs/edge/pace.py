"""How a region's day goes against the forecast, from the sessions that the lake knows by a moment."""

from __future__ import annotations

import datetime as dt
from typing import Literal

import polars as pl

from ml.forecasting.nowcast import Pace, foretell_a_day_ahead, measure_pace, renew, share_of_day

HISTORY_DAYS = 7


def read_moment(text: str) -> dt.datetime:
    """A moment in UTC from ISO 8601.

    Raises:
        ValueError: It is none, or has no offset: the machine's own zone would be a guess.
    """
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no moment; write it like 2026-11-22T12:30+00:00") from None
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} is no moment without its offset; write {text}+00:00 for UTC")
    return moment.astimezone(dt.UTC)


def measure_region(
    forecast: pl.DataFrame,
    requests: pl.DataFrame,
    region_id: str,
    moment: dt.datetime,
    *,
    known_at: dt.datetime | None = None,
) -> Pace:
    """The pace of a region's day by a moment.

    Args:
        forecast: region_id, title_id, day, sessions, q10, q90.
        requests: region_id, title_id, started_at (UTC without a zone).
        region_id: The region.
        moment: Aware.
        known_at: Until when the plan in force had looked at this day: its forecast was renewed by that, and only what
            was watched since is held against it.
    """
    own = requests.filter(pl.col("region_id") == region_id)
    today = _own_day(forecast, region_id, moment.date())
    if known_at is None:
        return _measure(today, own, moment)
    return _measure(renew(today, _measure(today, own, known_at)), own, moment, since=known_at)


def expect_a_day_ahead(
    forecast: pl.DataFrame, requests: pl.DataFrame, region_id: str, moment: dt.datetime
) -> pl.DataFrame:
    """What a region is expected to watch in the 24 hours from a moment: region_id, title_id, sessions.

    A forecast without the next day lends its newest one.
    """
    pace = measure_region(forecast, requests, region_id, moment)
    newest = max(forecast["day"].unique())
    next_day = min(moment.date() + dt.timedelta(days=1), newest)
    today, tomorrow = (_own_day(forecast, region_id, day) for day in (moment.date(), next_day))
    return foretell_a_day_ahead(today, tomorrow, pace).select(pl.lit(region_id).alias("region_id"), pl.all())


def _measure(today: pl.DataFrame, own: pl.DataFrame, moment: dt.datetime, *, since: dt.datetime | None = None) -> Pace:
    start = since or moment.replace(hour=0, minute=0, second=0, microsecond=0)
    begun = pl.col("started_at").dt.date()
    history = own.filter((begun < moment.date()) & (begun >= moment.date() - dt.timedelta(days=HISTORY_DAYS)))
    after, until = (share_of_day(history["started_at"], at.time()) for at in (start, moment))
    # a session at midnight is of the day; one at ``since`` is among those that the forecast was renewed by
    closed: Literal["both", "right"] = "both" if since is None else "right"
    seen = own.filter(
        pl.col("started_at").is_between(start.replace(tzinfo=None), moment.replace(tzinfo=None), closed=closed)
    )
    return measure_pace(today, seen.group_by("title_id").agg(pl.len().alias("sessions")), until - after)


def _own_day(forecast: pl.DataFrame, region_id: str, day: dt.date) -> pl.DataFrame:
    return forecast.filter((pl.col("region_id") == region_id) & (pl.col("day") == day))
