"""Whatever happens to an edge's disk: it is never over its capacity, and it never lists what it does not have whole."""

import asyncio
import hashlib
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from playback_api.edge import (
    EdgeCounters,
    EdgeDisk,
    EdgeStore,
    FillGroup,
    FillObject,
    Journal,
    PlanTooLargeError,
    PurgeOrder,
)
from playback_api.edge.eviction import S3Fifo

CAPACITY_BYTES = 500
RESERVE_SHARE = 0.1


def content_of(number):
    """Object ``number``: sizes from 0 to 120 bytes, one larger than the whole disk."""
    return bytes([number % 251]) * (number * 37 % 121 if number != 40 else 1100)


def key_of(number):
    return f"t-{number % 5}/r/a/{number}.m4s"


def number_of(key):
    return int(key.rpartition("/")[2].removesuffix(".m4s"))


def group_of(number):
    """Group ``number`` has three objects; neighbours share one."""
    numbers = [2 * number, 2 * number + 1, 2 * number + 2]
    return FillGroup(
        title_id=f"t-{number % 5}",
        package_id=f"pk{number % 2}",
        rung="240p",
        segment_group=number,
        value=float(number * 7 % 11),
        objects=[
            FillObject(key=key_of(n), size_bytes=len(content_of(n)), sha256=hashlib.sha256(content_of(n)).hexdigest())
            for n in numbers
        ],
    )


place_some = st.tuples(st.just("place"), st.lists(st.integers(0, 40), min_size=4, max_size=12, unique=True))
some_plan = st.tuples(st.just("plan"), st.lists(st.integers(0, 18), max_size=3, unique=True))
steps = st.one_of(
    place_some,
    place_some,
    some_plan,
    some_plan,
    st.tuples(st.just("pull"), st.lists(st.integers(0, 40), min_size=1, max_size=10, unique=True)),
    st.tuples(st.just("ask"), st.integers(0, 40)),
    st.tuples(st.just("pull-planned"), st.lists(st.integers(0, 40), min_size=1, max_size=10, unique=True)),
    st.tuples(st.just("promote"), st.none()),
    st.tuples(st.just("lose"), st.integers(0, 40)),
    st.tuples(st.just("purge-title"), st.integers(0, 4)),
    st.tuples(st.just("purge-old"), st.none()),
    st.tuples(st.just("purge-cached"), st.none()),
    st.tuples(st.just("restart"), st.sampled_from(["same", "other"])),
)


class Edge:
    """A store and the bookkeeping of what a test may expect of it."""

    def __init__(self, folder):
        self.folder = folder
        self.store = self.open("boot")
        self.generation = self.store.generation
        self.listing = self.store.inventory().complete

    def open(self, boot_id):
        return EdgeStore(
            edge_id="e",
            disk=EdgeDisk(self.folder),
            journal=Journal(self.folder, synchronise=lambda _: None),
            capacity_bytes=CAPACITY_BYTES,
            pull_reserve_share=RESERVE_SHARE,
            counters=EdgeCounters(),
            boot_id=boot_id,
        )

    async def do(self, action, argument):
        store = self.store
        if action == "pull":
            await asyncio.gather(*(store.add_cached(key_of(n), content_of(n)) for n in argument))
        elif action == "ask":
            store.find(key_of(argument))
        elif action == "plan":
            groups = [group_of(n) for n in argument]
            try:
                store.check_plan(groups)
            except PlanTooLargeError:
                return
            await store.adopt_plan(f"plan-{argument}", groups)
        elif action == "place":
            planned = store.planned_objects()
            keys = {planned[n % len(planned)] for n in argument if planned}
            await asyncio.gather(*(store.add_placed(key, content_of(number_of(key))) for key in keys))
        elif action == "pull-planned":
            planned = store.planned_objects()
            keys = {planned[n % len(planned)] for n in argument if planned}
            await asyncio.gather(*(store.add_cached(key, content_of(number_of(key))) for key in keys))
        elif action == "promote":
            for key in store.planned_objects():
                await store.promote(key)
        elif action == "lose":
            holding = store.find(key_of(argument))
            if holding is not None:
                Path(holding.path).unlink()
                store.discard_damaged(key_of(argument), holding)
        elif action == "purge-title":
            await store.purge(PurgeOrder(title_ids=[f"t-{argument}"]))
        elif action == "purge-old":
            await store.purge(PurgeOrder(keep_plan=True))
        elif action == "purge-cached":
            await store.purge(PurgeOrder(cached=True))
        elif action == "restart":
            self.store = self.open("boot" if argument == "same" else self.store.inventory().plan_id or "boot")

    def check(self):
        store = self.store
        on_disk = {}
        for area in ("placed", "cached"):
            root = self.folder / area
            for path in root.rglob("*"):
                if path.is_file():
                    on_disk[area, path.relative_to(root).as_posix()] = path.read_bytes()
        inventory = store.inventory()
        sizes = {area: sum(len(c) for (a, _), c in on_disk.items() if a == area) for area in ("placed", "cached")}
        assert sum(sizes.values()) <= CAPACITY_BYTES
        assert store.used_bytes == sum(sizes.values())
        assert (inventory.placed_bytes, inventory.cached_bytes) == (sizes["placed"], sizes["cached"])
        assert not list((self.folder / "incoming").iterdir())
        assert len({key for _, key in on_disk}) == len(on_disk), "an object is both placed and pulled"
        for (_, key), content in on_disk.items():
            assert content == content_of(number_of(key))
        for rungs in inventory.complete.values():
            for number in rungs["240p"]:
                assert all(("placed", item.key) in on_disk for item in group_of(number).objects)
        assert inventory.generation >= self.generation
        if inventory.complete != self.listing:
            assert inventory.generation > self.generation
        self.generation, self.listing = inventory.generation, inventory.complete


@settings(max_examples=100, deadline=None)
@given(st.lists(steps, min_size=15, max_size=40))
def test_disk_stays_within_capacity_and_true(operations):
    async def play():
        with tempfile.TemporaryDirectory() as folder:
            edge = Edge(Path(folder))
            for action, argument in operations:
                await edge.do(action, argument)
                edge.check()

    asyncio.run(play())


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 60), max_size=300), st.integers(50, 2000))
def test_eviction_frees_what_is_asked_and_counts_right(asked, capacity_bytes):
    cache = S3Fifo()
    held = {}
    for number in asked:
        key, size_bytes = str(number), number * 37 % 301
        if key in cache:
            cache.hit(key)
            continue
        if size_bytes > capacity_bytes:
            continue
        while cache.used_bytes + size_bytes > capacity_bytes:
            del held[cache.evict()]
        cache.admit(key, size_bytes)
        held[key] = size_bytes
        assert cache.used_bytes == sum(held.values()) <= capacity_bytes
        assert set(cache.held_keys()) == set(held)
