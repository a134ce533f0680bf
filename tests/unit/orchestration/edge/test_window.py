import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from orchestration.edge.topology import Region, read_network
from orchestration.edge.window import closing, is_open, next_opening


def region(time_zone, start, end):
    return Region(
        region_id="r",
        name="R",
        country="XX",
        time_zone=time_zone,
        network_profile="fast",
        fill_start_hour=start,
        fill_end_hour=end,
    )


def utc(text):
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


STOCKHOLM = region("Europe/Stockholm", 2, 6)


@pytest.mark.parametrize(
    ("now", "open_now"),
    [
        ("2026-01-15T00:59", False),
        ("2026-01-15T01:00", True),  # 02:00 in winter, UTC+1
        ("2026-01-15T04:59", True),
        ("2026-01-15T05:00", False),
        ("2026-07-15T00:00", True),  # 02:00 in summer, UTC+2
        ("2026-07-15T04:00", False),
    ],
)
def test_hours_are_those_of_the_region_in_winter_and_in_summer(now, open_now):
    assert is_open(STOCKHOLM, utc(now)) is open_now


def test_next_opening_and_closing():
    noon = utc("2026-01-15T12:00")
    assert next_opening(STOCKHOLM, noon) == utc("2026-01-16T01:00")
    assert closing(STOCKHOLM, noon) is None
    night = utc("2026-01-15T03:00")
    assert next_opening(STOCKHOLM, night) == night
    assert closing(STOCKHOLM, night) == utc("2026-01-15T05:00")


def test_window_that_starts_in_the_skipped_hour_opens_with_the_change():
    # On 29 March 2026 the clocks go from 02:00 to 03:00 at 01:00 UTC.
    before = utc("2026-03-29T00:30")
    opens_at = next_opening(STOCKHOLM, before)
    assert opens_at == utc("2026-03-29T01:00")
    assert is_open(STOCKHOLM, opens_at)
    assert closing(STOCKHOLM, opens_at) == utc("2026-03-29T04:00")


def test_window_that_starts_in_the_doubled_hour_opens_the_first_time_and_stays_open():
    # On 25 October 2026 the clocks go from 03:00 back to 02:00 at 01:00 UTC.
    opens_at = next_opening(STOCKHOLM, utc("2026-10-24T22:00"))
    assert opens_at == utc("2026-10-25T00:00")
    assert all(is_open(STOCKHOLM, opens_at + dt.timedelta(minutes=15 * n)) for n in range(20))
    assert closing(STOCKHOLM, opens_at) == utc("2026-10-25T05:00")


@pytest.mark.parametrize(
    "change", ["2026-03-28T21:00", "2026-10-24T20:00"], ids=["clocks go forward", "clocks go back"]
)
@pytest.mark.parametrize(("start", "end"), [(0, 2), (1, 3), (0, 6), (22, 6), (22, 2), (2, 3), (3, 5)])
def test_clocks_that_change_within_a_window_neither_lengthen_its_hours_nor_leave_a_gap(start, end, change):
    place = region("Europe/Stockholm", start, end)
    moments = [utc(change) + dt.timedelta(minutes=15 * n) for n in range(48)]
    opened = [is_open(place, moment) for moment in moments]
    for moment, open_now in zip(moments, opened, strict=True):
        local_hour = moment.astimezone(ZoneInfo(place.time_zone)).hour
        assert open_now == (start <= local_hour < end if start < end else local_hour >= start or local_hour < end)
        closes_at = closing(place, moment)
        if open_now and not all(opened[moments.index(moment) :]):
            first_closed = next(later for later in moments if later > moment and not is_open(place, later))
            assert closes_at == first_closed, "an edge stops by itself at the moment that its window closes"
        elif not open_now:
            assert closes_at is None
            assert next_opening(place, moment) > moment


def test_a_window_is_an_hour_shorter_or_longer_on_the_night_of_the_change():
    place = region("Europe/Stockholm", 0, 6)
    spring, autumn = utc("2026-03-28T23:00"), utc("2026-10-24T22:00")
    assert closing(place, spring) == spring + dt.timedelta(hours=5)
    assert closing(place, autumn) == autumn + dt.timedelta(hours=7)


def test_window_over_midnight():
    late = region("America/Sao_Paulo", 22, 4)
    assert is_open(late, utc("2026-05-02T02:00"))  # 23:00 the day before
    assert closing(late, utc("2026-05-02T02:00")) == utc("2026-05-02T07:00")
    assert next_opening(late, utc("2026-05-02T12:00")) == utc("2026-05-03T01:00")


def test_equal_hours_never_close():
    always = region("Asia/Kolkata", 0, 0)
    assert is_open(always, utc("2026-05-02T12:34"))
    assert closing(always, utc("2026-05-02T12:34")) is None


def test_every_declared_region_opens_within_a_day():
    now = utc("2026-05-02T12:00")
    for declared in read_network().regions:
        opens_at = next_opening(declared, now)
        assert opens_at - now <= dt.timedelta(days=1)
        assert is_open(declared, opens_at)
        assert not is_open(declared, opens_at - dt.timedelta(seconds=1)) or opens_at == now
