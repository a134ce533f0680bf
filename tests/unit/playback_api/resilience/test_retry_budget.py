from playback_api.resilience import RetryBudget


def test_retries_are_a_share_of_requests_once_savings_are_spent():
    budget = RetryBudget(ratio=0.1, min_retries_per_s=0, max_tokens=5, clock=lambda: 0.0)
    retried = 0
    for _ in range(1000):
        budget.record_request()
        retried += budget.try_retry()
    assert 100 <= retried <= 105
    assert budget.refused_count == 1000 - retried


def test_a_quiet_service_may_retry_by_time():
    now = [0.0]
    budget = RetryBudget(min_retries_per_s=0.5, max_tokens=2, clock=lambda: now[0])
    assert budget.try_retry()
    assert budget.try_retry()
    assert not budget.try_retry()
    now[0] = 2.0
    assert budget.try_retry()
    now[0] = 1000.0
    assert budget.tokens == 2
