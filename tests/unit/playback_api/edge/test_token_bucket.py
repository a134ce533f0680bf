import pytest

from playback_api.edge.token_bucket import TokenBucket


class Time:
    def __init__(self):
        self.now = 0.0

    def clock(self):
        return self.now

    async def sleep(self, duration_s):
        self.now += duration_s


@pytest.mark.parametrize("size_bytes", [10, 1000, 100_000])
async def test_long_run_rate_holds_for_any_object_size(size_bytes):
    time = Time()
    bucket = TokenBucket(8000, clock=time.clock, sleep=time.sleep)
    for _ in range(100):
        await bucket.take(size_bytes)
    assert time.now == pytest.approx(100 * size_bytes / 1000, rel=0.01, abs=0.3)


async def test_idle_time_saves_up_a_burst_only():
    time = Time()
    bucket = TokenBucket(8000, burst_s=0.5, clock=time.clock, sleep=time.sleep)
    time.now = 1000.0
    await bucket.take(500)
    assert time.now == 1000.0
    await bucket.take(500)
    assert time.now == 1000.5


async def test_no_rate_no_wait():
    time = Time()
    bucket = TokenBucket(0, clock=time.clock, sleep=time.sleep)
    await bucket.take(10**12)
    assert time.now == 0.0
