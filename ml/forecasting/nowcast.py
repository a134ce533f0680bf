"""A day that has begun: what was watched so far held against the forecast's band, and the forecast renewed by it.

The quantiles of a forecast are of whole days. Of a day's sessions the part that begins by a moment is binomial, so that
the band of a part is that of the day, thinned: it narrows with the share of the day, and widens by what chance adds.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import polars as pl

SECONDS_A_DAY = 86_400
PRIOR_SESSIONS = 20.0
"""Until a region has more, its sessions are taken to begin evenly over the day."""
SIGMAS = 1.2816
"""How far the 10 and 90 % quantiles of a normal distribution are from its mean."""
PRIOR_DAYS = 1.0
"""What a forecast weighs against sessions that were seen, once they have left its band: so many days of watching. Most
titles out of the band are there by chance and come back."""
MIN_EXCESS_SHARE = 0.05
MIN_EXCESS_SESSIONS = 15.0
"""A region has left the band when so large a share of what was watched, and so many sessions, are above it. Of 300
titles some are above their 90 % quantile at any time."""
QUANTITIES = ("sessions", "q10", "q90")


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How a region's day goes.

    Attributes:
        share_of_day: Share of the day's sessions that should have begun in the part that is looked at.
        sessions: Seen in that part.
        expected: Of the forecast, in it.
        excess: Sessions above the band, summed over titles.
        absent: Sessions that are missing to reach it.
        titles: :func:`hold_against_band`.
    """

    share_of_day: float
    sessions: float
    expected: float
    excess: float
    absent: float
    titles: pl.DataFrame

    @property
    def leaves_band(self) -> bool:
        """Whether viewers come for what no forecast told; fewer than forecast leave nothing to bring."""
        return self.excess >= max(MIN_EXCESS_SESSIONS, MIN_EXCESS_SHARE * self.sessions)

    def describe(self) -> str:
        """One sentence with the numbers."""
        where = "outside" if self.leaves_band else "within"
        return (
            f"{where} the band: {self.sessions:.0f} sessions, {self.expected:.1f} expected, {self.excess:.0f} "
            f"above the band (a plan is due at {max(MIN_EXCESS_SESSIONS, MIN_EXCESS_SHARE * self.sessions):.0f}), "
            f"{self.absent:.0f} missing below it"
        )


def measure_pace(forecast: pl.DataFrame, seen: pl.DataFrame, part: float) -> Pace:
    """Hold a region's day against its forecast; arguments as for :func:`hold_against_band`."""
    titles = hold_against_band(forecast, seen, part)
    return Pace(
        share_of_day=part,
        **{name: float(titles[name].sum()) for name in ("sessions", "expected", "excess", "absent")},
        titles=titles,
    )


def share_of_day(started_at: pl.Series, moment: dt.time) -> float:
    """Share of a day's sessions that have begun by a moment (UTC).

    Args:
        started_at: When the sessions of some complete days began, UTC.
        moment: Time of day.
    """
    clock_s = moment.hour * 3600 + moment.minute * 60 + moment.second
    # sums of minutes would not fit the small integers that the parts of a time are
    parts = started_at.dt.hour().cast(pl.Int64) * 3600 + started_at.dt.minute().cast(pl.Int64) * 60
    begun = int((parts + started_at.dt.second().cast(pl.Int64) < clock_s).sum())
    return (begun + PRIOR_SESSIONS * clock_s / SECONDS_A_DAY) / (len(started_at) + PRIOR_SESSIONS)


def hold_against_band(forecast: pl.DataFrame, seen: pl.DataFrame, part: float) -> pl.DataFrame:
    """What was seen of each title in a part of a day, beside the band of its forecast.

    Args:
        forecast: title_id, sessions, q10, q90 of the whole day, one region.
        seen: title_id, sessions of a part of it, such as the day so far. A title that nobody watched may be absent, and
            so may one from the forecast.
        part: Share of the day's sessions that should be in that part, see :func:`share_of_day`.

    Returns:
        title_id, forecast (of the whole day), expected (in the part), low, high, sessions, excess, absent; the greatest
        excess first.
    """
    chance = SIGMAS * (part * (1.0 - part)) ** 0.5
    return (
        forecast.select("title_id", pl.col("sessions").alias("forecast"), "q10", "q90")
        .join(seen.select("title_id", pl.col("sessions").cast(pl.Float64)), on="title_id", how="full", coalesce=True)
        .with_columns(pl.exclude("title_id").fill_null(0.0))
        .with_columns(
            (part * pl.col("forecast")).alias("expected"),
            (part * pl.col("q10") - chance * pl.col("q10").sqrt()).clip(lower_bound=0.0).floor().alias("low"),
            (part * pl.col("q90") + chance * pl.col("q90").sqrt()).ceil().alias("high"),
        )
        .with_columns(
            (pl.col("sessions") - pl.col("high")).clip(lower_bound=0.0).alias("excess"),
            (pl.col("low") - pl.col("sessions")).clip(lower_bound=0.0).alias("absent"),
        )
        .drop("q10", "q90")
        .sort(["excess", "title_id"], descending=[True, False])
    )


def renew(forecast: pl.DataFrame, pace: Pace) -> pl.DataFrame:
    """A forecast of whole days, renewed where the day's pace left its band; all other titles keep theirs.

    The mean of a Poisson rate whose prior is the forecast, weighing ``PRIOR_DAYS``.

    Args:
        forecast: title_id, sessions, q10, q90 of a day, that of the pace or a later one.
        pace: How the day goes.

    Returns:
        The same columns, with a row for each title of either.
    """
    rate = (PRIOR_DAYS * pl.col("sessions") + pl.col("seen")) / (PRIOR_DAYS + pace.share_of_day)
    outside = (pl.col("excess") > 0) | (pl.col("absent") > 0)
    told = pace.titles.select("title_id", pl.col("sessions").alias("seen"), "excess", "absent")
    return (
        forecast.select("title_id", *QUANTITIES)
        .join(told, on="title_id", how="full", coalesce=True)
        .with_columns(pl.exclude("title_id").fill_null(0.0))
        .select(
            "title_id",
            pl.when(outside).then(rate).otherwise("sessions").alias("sessions"),
            pl.when(outside).then(pl.min_horizontal("q10", rate)).otherwise("q10").alias("q10"),
            pl.when(outside).then(pl.max_horizontal("q90", rate)).otherwise("q90").alias("q90"),
        )
        .sort("title_id")
    )


def foretell_a_day_ahead(today: pl.DataFrame, tomorrow: pl.DataFrame, pace: Pace) -> pl.DataFrame:
    """Sessions of the 24 hours from now: title_id, sessions. What is left of today, and as much of tomorrow as is gone.

    Args:
        today: Forecast of the day of the pace, before it was renewed.
        tomorrow: That of the day after, likewise.
        pace: How the day goes.
    """
    parts = [
        renew(day, pace).select("title_id", pl.col("sessions") * weight)
        for day, weight in ((today, 1.0 - pace.share_of_day), (tomorrow, pace.share_of_day))
    ]
    return pl.concat(parts).group_by("title_id", maintain_order=True).agg(pl.col("sessions").sum())
