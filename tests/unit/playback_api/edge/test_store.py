import hashlib

import pytest

from playback_api.edge import EdgeCounters, EdgeDisk, EdgeStore, FillGroup, FillObject, Journal, PurgeOrder


class Disk:
    """Makes files durable, until it is full."""

    def __init__(self):
        self.full = False

    def synchronise(self, _):
        if self.full:
            raise OSError(28, "No space left on device")


@pytest.fixture
def disk():
    return Disk()


def open_store(folder, disk):
    return EdgeStore(
        edge_id="e",
        disk=EdgeDisk(folder),
        journal=Journal(folder, synchronise=disk.synchronise),
        capacity_bytes=1000,
        pull_reserve_share=0.1,
        counters=EdgeCounters(),
        boot_id="boot",
    )


def group(number, content):
    item = FillObject(key=f"t-1/r/a/{number}.m4s", size_bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
    return FillGroup(title_id="t-1", package_id="pk1", rung="240p", segment_group=number, value=1.0, objects=[item])


async def test_a_purge_on_a_full_disk_makes_room_and_can_be_repeated(tmp_path, disk):
    store = open_store(tmp_path, disk)
    await store.adopt_plan("plan-1", [group(0, b"content")])
    await store.add_placed("t-1/r/a/0.m4s", b"content")
    disk.full = True
    with pytest.raises(OSError, match="No space"):
        await store.purge(PurgeOrder(title_ids=["t-1"]))
    assert [path for path in (tmp_path / "placed").rglob("*") if path.is_file()] == []
    assert store.used_bytes == 0
    disk.full = False
    await store.purge(PurgeOrder(title_ids=["t-1"]))
    assert Journal(tmp_path).load().groups == []


async def test_a_reservation_of_generations_that_failed_is_made_later(tmp_path, disk):
    store = open_store(tmp_path, disk)
    Journal(tmp_path).save_generation(0)
    store._generation = store._generation_ceiling
    await store.adopt_plan("plan-1", [group(0, b"0"), group(1, b"1")])
    disk.full = True
    with pytest.raises(OSError, match="No space"):
        await store.add_placed("t-1/r/a/0.m4s", b"0")
    disk.full = False
    await store.add_placed("t-1/r/a/1.m4s", b"1")
    assert open_store(tmp_path, disk).generation > store.generation
