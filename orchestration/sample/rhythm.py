"""When people watch: the curves of the week and the day, in each region's local time.

Viewing peaks in the evening, and on weekends it begins earlier and is higher. The curves are made up, in the shape that
streaming services publish; moments are drawn from them by inverting their running sum.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

WEEKDAY_FACTORS = (0.90, 0.88, 0.91, 0.96, 1.10, 1.22, 1.14)
"""Monday to Sunday."""
HOLIDAY_FACTOR = 1.35

_WEEKDAY_HOURS = (
    0.70, 0.40, 0.22, 0.14, 0.12, 0.16, 0.30, 0.45, 0.50, 0.48, 0.48, 0.55,
    0.68, 0.66, 0.62, 0.70, 0.90, 1.25, 1.70, 2.20, 2.55, 2.45, 1.90, 1.20,
)  # fmt: skip
_WEEKEND_HOURS = (
    0.95, 0.60, 0.34, 0.20, 0.15, 0.15, 0.24, 0.42, 0.70, 0.95, 1.10, 1.15,
    1.22, 1.28, 1.34, 1.38, 1.42, 1.55, 1.80, 2.10, 2.35, 2.30, 1.95, 1.40,
)  # fmt: skip
_SECONDS_AN_HOUR = 3600


@dataclass(frozen=True, kw_only=True)
class Window:
    """A stretch of whole UTC days.

    Attributes:
        first_day: Its first day.
        days: Its length.
    """

    first_day: dt.date
    days: int

    @classmethod
    def before(cls, now: dt.datetime, days: int) -> Window:
        """The days up to and including yesterday."""
        return cls(first_day=now.astimezone(dt.UTC).date() - dt.timedelta(days=days), days=days)

    @property
    def end_day(self) -> dt.date:
        """The day after its last."""
        return self.first_day + dt.timedelta(days=self.days)

    @property
    def dates(self) -> list[dt.date]:
        """All its days."""
        return [self.first_day + dt.timedelta(days=day) for day in range(self.days)]

    @property
    def start(self) -> dt.datetime:
        """Its first moment."""
        return dt.datetime.combine(self.first_day, dt.time(), dt.UTC)


@dataclass(frozen=True, kw_only=True)
class LocalCalendar:
    """By what a region's days go.

    Attributes:
        time_zone: Its time zone.
        holidays: Its public holidays.
    """

    time_zone: str
    holidays: frozenset[dt.date] = frozenset()


def weight_at(calendar: LocalCalendar, moment: dt.datetime) -> float:
    """How much is watched in the hour of a moment, by its local day and hour; 1 is about average.

    A public holiday has the hours of a weekend and more viewing than one.
    """
    local = moment.astimezone(ZoneInfo(calendar.time_zone))
    factor, is_free = WEEKDAY_FACTORS[local.weekday()], local.weekday() >= 5
    if local.date() in calendar.holidays:
        factor, is_free = max(factor, HOLIDAY_FACTOR), True
    hours = _WEEKEND_HOURS if is_free else _WEEKDAY_HOURS
    return factor * hours[local.hour] * 24 / sum(hours)


def day_weight(calendar: LocalCalendar, day: dt.date) -> float:
    """How much is watched in a UTC day; 1 is about average."""
    start = dt.datetime.combine(day, dt.time(), dt.UTC)
    return sum(weight_at(calendar, start + dt.timedelta(hours=hour)) for hour in range(24)) / 24


class Rhythm:
    """The viewing of a window, hour by hour, for several regions.

    Args:
        window: The days.
        calendars: One for each region.
    """

    def __init__(self, window: Window, calendars: Sequence[LocalCalendar]) -> None:
        self.window = window
        hours = window.days * 24
        moments = [window.start + dt.timedelta(hours=hour) for hour in range(hours)]
        weights = np.array([[weight_at(calendar, moment) for moment in moments] for calendar in calendars])
        self._running = np.concatenate([np.zeros((len(calendars), 1)), np.cumsum(weights, axis=1)], axis=1)
        self._edges_s = np.arange(hours + 1, dtype=np.float64) * _SECONDS_AN_HOUR

    def draw_moments(
        self,
        rng: np.random.Generator,
        regions: NDArray[np.int64],
        start_s: NDArray[np.float64],
        end_s: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """Draw one moment for each row, within the row's part of the window.

        Args:
            rng: Source of randomness.
            regions: Index of the region whose curve is followed.
            start_s: Earliest moment, seconds after the window's start.
            end_s: Latest moment.

        Returns:
            Seconds after the window's start.
        """
        share = rng.random(len(regions))
        moments = np.empty(len(regions))
        for region in range(len(self._running)):
            rows = regions == region
            running = self._running[region]
            low = np.interp(start_s[rows], self._edges_s, running)
            high = np.interp(end_s[rows], self._edges_s, running)
            moments[rows] = np.interp(low + share[rows] * (high - low), running, self._edges_s)
        return moments
