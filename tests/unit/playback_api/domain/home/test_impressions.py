import asyncio

import pytest

from playback_api.domain.counters import Counters
from playback_api.domain.home.impressions import ImpressionRecorder
from playback_api.events import Impression, LogWriteError
from playback_api.snapshot.testing import NOON


class Log:
    def __init__(self, *, failing=False):
        self.failing = failing
        self.stored = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.closed = False

    def start(self):
        pass

    async def append(self, kind, payload):
        await self.gate.wait()
        if self.failing:
            raise LogWriteError("disk full")
        self.stored.append(payload)

    async def close(self):
        self.closed = True


def impression(number):
    return Impression(
        impression_id=f"i-{number}", viewer_id="v-1", region="north", shown_at=NOON, snapshot_id="s",
        model_version="", items=[],
    )  # fmt: skip


async def test_everything_that_waits_is_stored_before_closing():
    log, counters = Log(), Counters()
    recorder = ImpressionRecorder(lambda: log, counters)
    recorder.start()
    for number in range(600):
        recorder.record(impression(number))
    await recorder.close()
    assert len(log.stored) == 600
    assert log.closed
    assert counters.value("impressions_stored") == 600


async def test_a_full_queue_drops_and_counts_and_never_raises():
    log, counters = Log(), Counters()
    log.gate.clear()
    recorder = ImpressionRecorder(lambda: log, counters, max_waiting=3)
    recorder.start()
    for number in range(10):
        recorder.record(impression(number))
    assert counters.value("impressions_dropped", reason="queue-full") == 7
    log.gate.set()
    await recorder.close()
    assert len(log.stored) == 3


async def test_a_log_that_cannot_store_costs_the_impression_and_is_counted():
    log, counters = Log(failing=True), Counters()
    recorder = ImpressionRecorder(lambda: log, counters)
    recorder.start()
    recorder.record(impression(1))
    await recorder.close()
    assert counters.value("impressions_dropped", reason="LogWriteError") == 1
    assert counters.value("impressions_stored") == 0


async def test_closing_what_never_started_is_no_error():
    await ImpressionRecorder(lambda: pytest.fail("opened"), Counters()).close()
