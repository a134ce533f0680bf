"""The off-peak window of a region: the local hours in which fills may use the links.

Hours are wall-clock hours of the region's time zone, so the window moves with daylight saving time. A window may pass
midnight (22 to 4); equal hours mean that it never closes.
"""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

from orchestration.edge.topology import Region


def is_open(region: Region, now: dt.datetime) -> bool:
    """Whether the region's window is open at an aware time."""
    start, end = region.fill_start_hour, region.fill_end_hour
    hour = now.astimezone(ZoneInfo(region.time_zone)).hour
    if start == end:
        return True
    if start < end:
        return start <= hour < end
    return hour >= start or hour < end


def next_opening(region: Region, now: dt.datetime) -> dt.datetime:
    """When the window opens next, in UTC; ``now`` itself while it is open.

    On the day the clocks go forward, a window that starts in the hour that is skipped opens at the moment of the
    change; on the day they go back, one that starts in the hour that comes twice opens the first time.
    """
    if is_open(region, now):
        return now.astimezone(dt.UTC)
    return _next_time_of_hour(region, region.fill_start_hour, now)


def closing(region: Region, now: dt.datetime) -> dt.datetime | None:
    """When the open window closes, in UTC; None while it is closed or when it never closes."""
    if not is_open(region, now) or region.fill_start_hour == region.fill_end_hour:
        return None
    return _next_time_of_hour(region, region.fill_end_hour, now)


def _next_time_of_hour(region: Region, hour: int, now: dt.datetime) -> dt.datetime:
    zone = ZoneInfo(region.time_zone)
    today = now.astimezone(zone).date()
    for days_ahead in range(3):
        day = today + dt.timedelta(days=days_ahead)
        moment = dt.datetime.combine(day, dt.time(hour), tzinfo=zone).astimezone(dt.UTC)
        if moment > now:
            return moment
    raise AssertionError("every hour of the clock comes within two days")
