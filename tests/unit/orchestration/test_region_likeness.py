import math
from dataclasses import replace

import pytest

from orchestration.edge.topology import read_network
from orchestration.region_likeness import LIKENESS_SCHEMA, likeness_of


def region(region_id, country, time_zone):
    return replace(read_network().regions[0], region_id=region_id, country=country, time_zone=time_zone)


def test_language_counts_and_so_does_the_clock():
    regions = [
        region("at", "AT", "Europe/Vienna"),
        region("de", "DE", "Europe/Berlin"),
        region("it", "IT", "Europe/Rome"),
        region("ar", "AR", "America/Argentina/Buenos_Aires"),
        region("es", "ES", "Europe/Madrid"),
        region("cl", "CL", "America/Santiago"),
    ]
    table = likeness_of(regions)
    assert table.schema == LIKENESS_SCHEMA
    like = {(one, other): value for one, other, value in table.iter_rows()}
    assert len(like) == 6 * 5
    assert like["at", "de"] == pytest.approx(like["de", "at"])
    assert like["at", "de"] > 5 * like["at", "it"]
    assert like["ar", "cl"] > like["ar", "es"] > like["ar", "de"]
    assert all(0 < value <= 1 for value in like.values())


def test_a_country_that_nobody_knows_goes_by_the_clock_and_the_date_line_is_no_wall():
    regions = [
        region("moon", "XX", "Pacific/Auckland"),
        region("hawaii", "US", "Pacific/Honolulu"),
        region("uk", "GB", "Europe/London"),
    ]
    like = {(one, other): value for one, other, value in likeness_of(regions).iter_rows()}
    assert like["moon", "hawaii"] > 10 * like["moon", "uk"] > 0
    assert not any(math.isnan(value) for value in like.values())
