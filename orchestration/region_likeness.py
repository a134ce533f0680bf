"""How much regions are alike before anybody there has watched anything: by language and by clock.

A region that has just opened is foretold from those that are like it. Languages are those of the Unicode CLDR (how much
of a country speaks each), clocks those of the seeds.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from zoneinfo import ZoneInfo

import polars as pl

from orchestration.edge.topology import Region

LIKENESS_SCHEMA = {"region_id": pl.String, "other_id": pl.String, "likeness": pl.Float64}
HOURS_APART = 1.5
"""So many hours between two clocks take likeness down by a factor of e."""
LEAST_LIKENESS = 1e-3
"""Of two regions that share no language: better than nobody."""
WINTER = dt.datetime(2026, 1, 15, tzinfo=dt.UTC)
"""When clocks are compared; that one of two has summer time is no distance."""


def likeness_of(regions: Sequence[Region]) -> pl.DataFrame:
    """The likeness of every region to every other one, 0 to 1.

    It is the squared cosine of what the two countries speak, less by the hours between their clocks. Of these the
    shares of what a country would watch were told best among a few simple forms, on public charts of the year 2021.

    Returns:
        region_id, other_id, likeness.
    """
    from babel.core import get_global  # a tenth of a second that only who asks should pay

    spoken = get_global("territory_languages")
    languages = {
        region.region_id: {
            language: facts["population_percent"] for language, facts in spoken.get(region.country, {}).items()
        }
        for region in regions
    }
    clocks = {region.region_id: _hours_from_utc(region.time_zone) for region in regions}
    rows = [
        (
            one.region_id,
            other.region_id,
            max(_cosine(languages[one.region_id], languages[other.region_id]) ** 2, LEAST_LIKENESS)
            * math.exp(-_hours_between(clocks[one.region_id], clocks[other.region_id]) / HOURS_APART),
        )
        for one in regions
        for other in regions
        if one != other
    ]
    return pl.DataFrame(rows, schema=LIKENESS_SCHEMA, orient="row")


def _cosine(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    lengths = math.hypot(*one.values()) * math.hypot(*other.values())
    return sum(share * other.get(language, 0.0) for language, share in one.items()) / lengths if lengths else 0.0


def _hours_from_utc(time_zone: str) -> float:
    offset = WINTER.astimezone(ZoneInfo(time_zone)).utcoffset()
    return offset.total_seconds() / 3600 if offset is not None else 0.0


def _hours_between(one: float, other: float) -> float:
    apart = abs(one - other)
    return min(apart, 24.0 - apart)
