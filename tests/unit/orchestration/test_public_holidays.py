import datetime as dt
import logging
from dataclasses import replace

from orchestration.edge.topology import read_network
from orchestration.public_holidays import HOLIDAYS_SCHEMA, public_holidays


def test_every_region_of_the_seeds_has_the_holidays_of_its_country():
    regions = read_network().regions
    found = public_holidays(regions, dt.date(2025, 12, 20), dt.date(2026, 1, 31))
    assert found.schema == HOLIDAYS_SCHEMA
    assert set(found["region_id"]) == {region.region_id for region in regions}
    days = {(region, day) for region, day, _ in found.iter_rows()}
    assert ("eu-north", dt.date(2026, 1, 6)) in days
    assert ("ap-south", dt.date(2026, 1, 26)) in days
    assert ("sa-east", dt.date(2026, 1, 6)) not in days
    assert found["day"].is_between(dt.date(2025, 12, 20), dt.date(2026, 1, 31)).all()


def test_a_country_without_a_calendar_is_told_and_the_others_go_on(caplog):
    known = read_network().regions[0]
    strange = replace(known, region_id="moon", country="XX")
    with caplog.at_level(logging.WARNING):
        found = public_holidays([strange, known], dt.date(2026, 1, 1), dt.date(2026, 1, 31))
    assert set(found["region_id"]) == {known.region_id}
    assert "XX of moon" in caplog.text
