"""Public holidays of the regions: days on which more is watched, known years ahead.

The calendars are those of the package ``holidays``, by the country of a region. What forecasts make of them stands in
``ml.forecasting``.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Sequence

import polars as pl

from orchestration.edge.topology import Region

logger = logging.getLogger(__name__)

HOLIDAYS_SCHEMA = {"region_id": pl.String, "day": pl.Date, "name": pl.String}


def public_holidays(regions: Sequence[Region], first_day: dt.date, last_day: dt.date) -> pl.DataFrame:
    """The public holidays of every region from one day to another, both included.

    Returns:
        region_id, day, name; none for a country without a calendar, which is logged.
    """
    from holidays import country_holidays  # a tenth of a second that only who asks should pay

    rows: list[tuple[str, dt.date, str]] = []
    for region in regions:
        try:
            calendar = country_holidays(region.country, years=range(first_day.year, last_day.year + 1))
        except NotImplementedError:
            logger.warning("no public holidays are known for %s of %s", region.country, region.region_id)
            continue
        rows += [(region.region_id, day, name) for day, name in calendar.items() if first_day <= day <= last_day]
    return pl.DataFrame(rows, schema=HOLIDAYS_SCHEMA, orient="row").sort("region_id", "day")
