import datetime as dt
from collections.abc import Callable

from orchestration.demo.waves import paired, wave_start
from orchestration.sample.wave import PlayedSession


def test_a_session_that_failed_in_one_wave_is_left_out_of_both(played: Callable[..., PlayedSession]) -> None:
    one = [played(startup_s=1.0), played(error="no API"), played(startup_s=3.0)]
    other = [played(startup_s=0.5), played(startup_s=0.5), played(startup_s=None)]
    left, right = paired(one, other)
    assert [session.report.startup_s for session in left if session.report] == [1.0]
    assert [session.report.startup_s for session in right if session.report] == [0.5]


def test_a_wave_ends_on_the_day_on_which_it_starts() -> None:
    noon = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
    late = dt.datetime(2026, 3, 1, 23, 40, tzinfo=dt.UTC)
    early = dt.datetime(2026, 3, 2, 0, 5, tzinfo=dt.UTC)
    assert wave_start(noon) == noon
    assert wave_start(early) == early
    assert wave_start(late) == dt.datetime(2026, 3, 1, 22, 30, tzinfo=dt.UTC)
