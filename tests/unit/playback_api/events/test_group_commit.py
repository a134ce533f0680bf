import asyncio
import errno
import os
import threading

import pytest

from playback_api.events import (
    MAX_PAYLOAD_BYTES,
    GroupCommitLog,
    LogBusy,
    LogClosed,
    LogWriteError,
    RecordKind,
    RecordTooLarge,
    SegmentLogReader,
    SegmentLogWriter,
)


class HeldDisk:
    """An ``os.fsync`` that waits until it is let go."""

    def __init__(self):
        self.entered = threading.Event()
        self.let_go = threading.Event()
        self.let_go.set()
        self.syncs = 0
        self.error = None

    def sync(self, file):
        self.entered.set()
        self.let_go.wait(10)
        self.syncs += 1
        if self.error:
            raise self.error
        os.fsync(file)

    def hold(self):
        self.entered.clear()
        self.let_go.clear()


@pytest.fixture
def disk():
    return HeldDisk()


@pytest.fixture
async def log(tmp_path, disk):
    async with GroupCommitLog(SegmentLogWriter(tmp_path, "w", sync=disk.sync), max_waiting_records=10) as log:
        yield log
        disk.let_go.set()


def payloads(root):
    reader = SegmentLogReader(root)
    return sorted(r.payload for segment in reader.segments("w") for r, _ in reader.read("w", segment))


async def held_commit(log, disk):
    """One append that sits in fsync."""
    disk.hold()
    task = asyncio.create_task(log.append(RecordKind.BEATS, b"held"))
    await asyncio.to_thread(disk.entered.wait, 10)
    return task


async def test_an_append_returns_after_its_fsync(tmp_path, log, disk):
    await log.append(RecordKind.BEATS, b"warm")
    held = await held_commit(log, disk)
    await asyncio.sleep(0)
    assert not held.done()

    disk.let_go.set()
    await held

    assert payloads(tmp_path) == [b"held", b"warm"]


async def test_what_arrives_during_an_fsync_shares_the_next(tmp_path, log, disk):
    await log.append(RecordKind.BEATS, b"warm")
    held = await held_commit(log, disk)
    others = [asyncio.create_task(log.append(RecordKind.BEATS, b"%d" % n)) for n in range(8)]
    await asyncio.sleep(0)
    disk.syncs = 0
    disk.let_go.set()
    await asyncio.gather(held, *others)

    assert disk.syncs == 2
    assert log.commits == 3
    assert len(payloads(tmp_path)) == 10


async def test_a_full_queue_is_said_at_once(log, disk):
    await log.append(RecordKind.BEATS, b"warm")
    held = await held_commit(log, disk)
    waiting = [asyncio.create_task(log.append(RecordKind.BEATS, b"x")) for _ in range(10)]
    await asyncio.sleep(0)

    with pytest.raises(LogBusy, match="10 records wait"):
        await log.append(RecordKind.BEATS, b"one too many")

    disk.let_go.set()
    await asyncio.gather(held, *waiting)
    await log.append(RecordKind.BEATS, b"taken again")


async def test_a_failed_commit_fails_everyone_in_it_and_no_one_after(tmp_path, log, disk):
    await log.append(RecordKind.BEATS, b"warm")
    disk.error = OSError(errno.ENOSPC, "No space left on device")
    results = await asyncio.gather(
        *(log.append(RecordKind.BEATS, b"lost") for _ in range(3)), return_exceptions=True
    )  # fmt: skip
    disk.error = None
    await log.append(RecordKind.BEATS, b"after")

    assert [type(result) for result in results] == [LogWriteError] * 3
    assert log.failed_commits == 1
    assert payloads(tmp_path) == [b"after", b"warm"]


async def test_a_cancelled_caller_disturbs_no_other(tmp_path, log, disk):
    await log.append(RecordKind.BEATS, b"warm")
    held = await held_commit(log, disk)
    other = asyncio.create_task(log.append(RecordKind.BEATS, b"other"))
    held.cancel()
    disk.let_go.set()
    await other

    assert b"other" in payloads(tmp_path)


async def test_a_record_too_large_fails_alone(log):
    with pytest.raises(RecordTooLarge):
        await log.append(RecordKind.BEATS, bytes(MAX_PAYLOAD_BYTES + 1))
    await log.append(RecordKind.BEATS, b"small")


async def test_close_stores_what_waits_and_then_takes_nothing(tmp_path, disk):
    log = GroupCommitLog(SegmentLogWriter(tmp_path, "w", sync=disk.sync))
    with pytest.raises(LogClosed):
        await log.append(RecordKind.BEATS, b"not started")
    log.start()
    waiting = asyncio.create_task(log.append(RecordKind.BEATS, b"last"))
    await asyncio.sleep(0)
    await log.close()
    await waiting

    assert payloads(tmp_path) == [b"last"]
    with pytest.raises(LogClosed):
        await log.append(RecordKind.BEATS, b"late")
