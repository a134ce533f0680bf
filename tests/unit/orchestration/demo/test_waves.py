from collections.abc import Callable

from orchestration.demo.waves import paired
from orchestration.sample.wave import PlayedSession


def test_a_session_that_failed_in_one_wave_is_left_out_of_both(played: Callable[..., PlayedSession]) -> None:
    one = [played(startup_s=1.0), played(error="no API"), played(startup_s=3.0)]
    other = [played(startup_s=0.5), played(startup_s=0.5), played(startup_s=None)]
    left, right = paired(one, other)
    assert [session.report.startup_s for session in left if session.report] == [1.0]
    assert [session.report.startup_s for session in right if session.report] == [0.5]
