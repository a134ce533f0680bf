import pytest

from playback_api.resilience import CircuitBreaker, CircuitState


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def breaker(clock):
    return CircuitBreaker("origin", failure_threshold=3, reset_after_s=10, clock=clock)


def open_it(breaker):
    for _ in range(3):
        assert breaker.allow()
        breaker.record_failure()


def test_opens_after_failures_in_a_row_only(breaker):
    for _ in range(2):
        breaker.record_failure()
    breaker.record_success()
    for _ in range(2):
        breaker.record_failure()
    assert breaker.state is CircuitState.CLOSED
    breaker.record_failure()
    assert breaker.state is CircuitState.OPEN
    assert not breaker.allow()


def test_lets_a_single_probe_through_when_rested(breaker, clock):
    open_it(breaker)
    clock.now += 4
    assert not breaker.allow()
    assert breaker.retry_after_s == 6
    clock.now += 6
    assert breaker.state is CircuitState.HALF_OPEN
    assert breaker.allow()
    assert not breaker.allow()
    breaker.record_success()
    assert breaker.state is CircuitState.CLOSED
    assert breaker.allow()
    assert breaker.allow()


def test_failed_probe_opens_it_for_another_rest(breaker, clock):
    open_it(breaker)
    clock.now += 10
    assert breaker.allow()
    breaker.record_failure()
    assert breaker.state is CircuitState.OPEN
    assert breaker.opened_count == 2
    clock.now += 9
    assert not breaker.allow()
    clock.now += 1
    assert breaker.allow()


def test_late_failures_of_calls_in_flight_do_not_prolong_the_rest(breaker, clock):
    open_it(breaker)
    clock.now += 9
    breaker.record_failure()
    clock.now += 1
    assert breaker.allow()


def test_lost_probe_gives_its_place_free(breaker, clock):
    open_it(breaker)
    clock.now += 10
    assert breaker.allow()
    clock.now += 10
    assert breaker.allow()


def test_refuses_a_threshold_that_would_never_close():
    with pytest.raises(ValueError, match="at least 1"):
        CircuitBreaker("origin", failure_threshold=0)
