import datetime as dt
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from orchestration.sample.rhythm import LocalCalendar, Rhythm, Window, day_weight, weight_at

WINDOW = Window(first_day=dt.date(2026, 3, 2), days=28)  # four whole weeks from a Monday


def test_a_window_ends_yesterday():
    window = Window.before(dt.datetime(2026, 5, 14, 23, 59, tzinfo=dt.UTC), 7)

    assert window.dates[0] == dt.date(2026, 5, 7)
    assert window.dates[-1] == dt.date(2026, 5, 13)
    assert window.end_day == dt.date(2026, 5, 14)


@pytest.mark.parametrize("zone", ["Europe/Stockholm", "America/Sao_Paulo", "Asia/Kolkata"])
def test_the_peak_is_in_the_local_evening(zone):
    moments = [dt.datetime(2026, 3, 4, tzinfo=dt.UTC) + dt.timedelta(minutes=30 * n) for n in range(48)]
    peak = max(moments, key=lambda moment: weight_at(LocalCalendar(time_zone=zone), moment)).astimezone(ZoneInfo(zone))

    assert 19 <= peak.hour <= 22


def test_weekends_are_higher_and_an_average_day_is_one():
    weights = [day_weight(LocalCalendar(time_zone="UTC"), day) for day in WINDOW.dates]

    assert min(weights[5], weights[6]) > max(weights[:4])
    assert np.mean(weights) == pytest.approx(1.0, abs=0.03)


def test_a_public_holiday_has_the_afternoon_of_a_weekend_and_more_viewing():
    plain = LocalCalendar(time_zone="America/Sao_Paulo")
    tuesday, saturday = dt.date(2026, 3, 10), dt.date(2026, 3, 14)
    festive = LocalCalendar(time_zone="America/Sao_Paulo", holidays=frozenset({tuesday, saturday}))
    afternoon = dt.datetime.combine(tuesday, dt.time(17), dt.UTC)

    assert weight_at(festive, afternoon) > 1.5 * weight_at(plain, afternoon)
    for day in (tuesday, saturday):
        assert day_weight(festive, day) > max(day_weight(plain, other) for other in WINDOW.dates)
    assert day_weight(festive, dt.date(2026, 3, 12)) == day_weight(plain, dt.date(2026, 3, 12))


def test_moments_follow_the_curve_and_stay_in_their_part():
    rhythm = Rhythm(WINDOW, [LocalCalendar(time_zone=zone) for zone in ("UTC", "Asia/Kolkata")])
    count = 40_000
    regions = np.repeat([0, 1], count // 2)
    start_s = np.full(count, 7 * 86400.0)
    moments = rhythm.draw_moments(np.random.default_rng(1), regions, start_s, start_s + 7 * 86400.0)

    assert moments.min() >= 7 * 86400.0
    assert moments.max() <= 14 * 86400.0
    for region, offset_h in ((0, 0.0), (1, 5.5)):
        local_hour = ((moments[regions == region] / 3600 + offset_h) % 24).astype(int)
        by_hour = np.bincount(local_hour, minlength=24)
        assert 19 <= by_hour.argmax() <= 21
        assert by_hour[2:6].sum() < 0.1 * count / 2
