"""An edge's disk as one thing: placed objects, pulled objects, and the bytes that both may take together.

The store runs on one event loop. What it knows changes on the loop only; bulk reading, hashing and writing go to
threads between a reservation before and a rename after, so the disk is never over its capacity and never lists what
is not there.

After a kill the files themselves say which objects are there: each was verified before it got its name. After a crash
of the machine (another boot id) unsynced bytes may be lost, therefore placed objects are hashed again and pulled ones
forgotten.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from playback_api.edge.counters import EdgeCounters
from playback_api.edge.disk import Area, EdgeDisk
from playback_api.edge.errors import ContentMismatchError, EdgeNodeError, PlanTooLargeError
from playback_api.edge.eviction import S3Fifo
from playback_api.edge.journal import Journal, JournalGroup, JournalState
from playback_api.edge.placement import GroupId, Orphans, PlacementBook, unique_objects
from playback_api.edge.schema import EdgeInventory, FillGroup, PurgeOrder, PurgeReport

logger = logging.getLogger(__name__)

GENERATIONS_PER_RESERVATION = 1000
"""Generations are reported from memory and reserved on disk in blocks: a restart skips to the next block."""
DELETIONS_PER_TURN = 200


class NoRoomError(EdgeNodeError):
    """There is no room at this moment: other objects are being written."""


class Holding(NamedTuple):
    """An object on the disk."""

    area: Area
    path: str
    size_bytes: int


class EdgeStore:
    """Placed and pulled objects of one edge.

    Args:
        edge_id: Named in the inventory.
        disk: Its folders.
        journal: Its memory across restarts.
        capacity_bytes: What placed, pulled and incoming objects may take together.
        pull_reserve_share: Share of it that a plan may not take.
        counters: Where evictions and trouble are counted.
        boot_id: Changes when the machine restarts; empty when unknown, which counts as changed.
        after_generation: What this process reported last of the disk's former content; the generation exceeds it.
    """

    def __init__(
        self,
        *,
        edge_id: str,
        disk: EdgeDisk,
        journal: Journal,
        capacity_bytes: int,
        pull_reserve_share: float,
        counters: EdgeCounters,
        boot_id: str = "",
        after_generation: int = 0,
    ) -> None:
        self.capacity_bytes = capacity_bytes
        self.pull_reserve_bytes = int(capacity_bytes * pull_reserve_share)
        self.plan_id: str | None = None
        self._edge_id = edge_id
        self._disk = disk
        self._journal = journal
        self._counters = counters
        self._boot_id = boot_id
        self._book = PlacementBook()
        self._pulled = S3Fifo()
        self._reserved_bytes = 0
        self._next_to_drop: list[GroupId] | None = None
        self._journal_behind = False
        self._listing: tuple[dict[str, dict[str, list[int]]], dict[str, str]] | None = None
        self._generation = self._generation_ceiling = max(journal.load_generation(), after_generation)
        self._order_lock = asyncio.Lock()
        self._restore()

    # What is there

    @property
    def generation(self) -> int:
        """Rises with every change of the set of complete groups, over restarts too."""
        return self._generation

    @property
    def placed_bytes(self) -> int:
        """Bytes of placed objects."""
        return self._book.placed_bytes

    @property
    def cached_bytes(self) -> int:
        """Bytes of pulled objects."""
        return self._pulled.used_bytes

    @property
    def used_bytes(self) -> int:
        """Bytes on the disk and on their way to it; never more than the capacity."""
        return self._book.placed_bytes + self._pulled.used_bytes + self._reserved_bytes

    @property
    def is_busy(self) -> bool:
        """Whether an order is being carried out or something is being written."""
        return self._order_lock.locked() or self._reserved_bytes > 0

    @property
    def object_counts(self) -> tuple[int, int]:
        """(placed objects, pulled objects)."""
        return len(self._book), len(self._pulled)

    def find(self, key: str) -> Holding | None:
        """Look an object up, placed ones first; a pulled one counts as asked for."""
        if self._book.is_present(key):
            return Holding("placed", self._disk.path("placed", key), self._book.size_of(key))
        size_bytes = self._pulled.size_of(key)
        if size_bytes is None:
            return None
        self._pulled.hit(key)
        return Holding("cached", self._disk.path("cached", key), size_bytes)

    def is_placed(self, key: str) -> bool:
        """Whether an object is there as placed."""
        return self._book.is_present(key)

    def is_cached(self, key: str) -> bool:
        """Whether an object is there as pulled."""
        return key in self._pulled

    def is_wanted(self, key: str) -> bool:
        """Whether some group, of the plan or before it, names the object."""
        return self._book.is_wanted(key)

    def planned_objects(self) -> list[str]:
        """The plan's objects, most valuable groups first."""
        return list(self._book.planned_objects())

    def size_of(self, key: str) -> int:
        """The size that a wanted object has by its plan."""
        return self._book.size_of(key)

    def plan_progress(self) -> tuple[int, int]:
        """(groups of the plan, complete ones of them)."""
        return self._book.plan_progress()

    def inventory(self) -> EdgeInventory:
        """The complete groups, for routing and for the fill's report."""
        if self._listing is None:
            self._listing = (self._book.complete(), self._book.packages())
        complete, packages = self._listing
        return EdgeInventory(
            edge_id=self._edge_id,
            generation=self._generation,
            plan_id=self.plan_id,
            capacity_bytes=self.capacity_bytes,
            placed_bytes=self.placed_bytes,
            cached_bytes=self.cached_bytes,
            complete=complete,
            packages=packages,
        )

    # Objects come and go

    async def add_cached(self, key: str, content: bytes) -> bool:
        """Keep a pulled object if there is room for it or room can be made among the pulled ones.

        Returns:
            Whether it is on the disk now.
        """
        if self.is_placed(key) or self.is_cached(key):
            return True
        size_bytes = len(content)
        if not self._make_room_to_pull(size_bytes):
            return False
        try:
            staged = await self._write(content)
            if self.is_placed(key) or self.is_cached(key):  # came another way while this copy was written
                self._disk.discard_staged(staged)
                return True
            self._disk.adopt(staged, "cached", key)
        except OSError as error:
            self._counters.disk_errors += 1
            logger.error("the disk does not take %s: %s", key, error)
            return False
        self._pulled.admit(key, size_bytes)
        return True

    async def add_placed(self, key: str, content: bytes) -> bool:
        """Place an object that the plan wants, after checking it against the plan.

        Returns:
            Whether it is placed now; false when a purge took it out of the plan meanwhile.

        Raises:
            ContentMismatchError: Size or hash is not the plan's.
            NoRoomError: Pulled objects that are being written take the room for the moment.
            OSError: The disk does not take it.
        """
        if self.is_placed(key) or not self.is_wanted(key):
            return self.is_placed(key)
        size_bytes = self._book.size_of(key)
        if len(content) != size_bytes:
            raise ContentMismatchError(f"{len(content)} bytes came, the plan says {size_bytes}")
        if not self._make_room_to_place(size_bytes):
            raise NoRoomError(f"no room for {size_bytes} bytes beside {self._reserved_bytes} that are being written")
        sha256 = self._book.sha256_of(key)
        staged = await self._write(content, sha256=sha256)
        if self.is_placed(key) or not self.is_wanted(key) or self._book.sha256_of(key) != sha256:
            self._disk.discard_staged(staged)
            return self.is_placed(key)
        if self.is_cached(key):
            self._forget_cached(key)
        self._disk.adopt(staged, "placed", key)
        self._mark_present(key)
        return True

    async def promote(self, key: str) -> bool:
        """Make a pulled object a placed one without moving its bytes, if it is what the plan says.

        Returns:
            Whether it was; a copy that differs from the plan is removed.
        """
        if not (self.is_cached(key) and self.is_wanted(key)):
            return False
        try:
            if self._pulled.size_of(key) != self._book.size_of(key):
                raise ContentMismatchError(f"pulled with {self._pulled.size_of(key)} bytes")
            await asyncio.to_thread(self._disk.verify, "cached", key, self._book.sha256_of(key))
        except (ContentMismatchError, OSError) as error:
            if self.is_cached(key):
                self._counters.damaged_objects += 1
                logger.warning("pulled copy of %s is not what the plan says (%s); removed", key, error)
                self._forget_cached(key)
            return False
        if not (self.is_cached(key) and self.is_wanted(key)):  # evicted or purged while it was read
            return False
        self._disk.promote(key)
        self._pulled.remove(key)
        self._mark_present(key)
        return True

    def discard_damaged(self, key: str, holding: Holding) -> None:
        """Forget an object whose file turned out to be gone or of another size."""
        self._counters.damaged_objects += 1
        logger.error("%s %s is damaged or gone; it will be fetched again", holding.area, holding.path)
        if holding.area == "cached":
            if self.is_cached(key):
                self._forget_cached(key)
            return
        complete_before = self._book.complete_group_count
        if self._book.mark_absent(key):
            self._disk.delete("placed", key)
        if self._book.complete_group_count != complete_before:
            self._raise_generation()

    # Orders

    def check_plan(self, groups: list[FillGroup]) -> None:
        """Refuse a plan that makes no sense or does not fit; nothing changes.

        Raises:
            PlanInvalidError: It contradicts itself.
            PlanTooLargeError: It has more bytes than placements may take.
        """
        plan_bytes = sum(item.size_bytes for item in unique_objects(groups).values())
        if plan_bytes > self.capacity_bytes - self.pull_reserve_bytes:
            raise PlanTooLargeError(plan_bytes, self.capacity_bytes, self.pull_reserve_bytes)

    async def adopt_plan(self, plan_id: str, groups: list[FillGroup]) -> None:
        """Make a checked plan the current one. Placed groups outside it stay until room is needed.

        Raises:
            OSError: The journal could not be written; the plan is in force but would not survive a restart.
        """
        async with self._order_lock:
            listing_before = (self._book.complete(), self._book.packages())
            contradicted = self._book.adopt_plan(groups)
            self.plan_id = plan_id
            self._next_to_drop = None
            if (self._book.complete(), self._book.packages()) != listing_before:
                self._raise_generation()
            await self._save_journal()
            await self._delete_placed(contradicted)

    async def purge(self, order: PurgeOrder) -> PurgeReport:
        """Remove what a purge names; the journal forgets it before the disk does.

        Raises:
            OSError: The journal could not be written, as on a full disk. The objects are gone all the same, which may
                be the room it wanted; send the purge again to save the journal.
        """
        async with self._order_lock:
            title_ids = frozenset(order.title_ids)
            groups = self._book.groups_of_titles(title_ids)
            if order.keep_plan:
                groups += [group_id for group_id in self._book.unplanned() if group_id.title_id not in title_ids]
            doomed: Orphans = {}
            complete_before = self._book.complete_group_count
            for group_id in groups:
                doomed |= self._book.drop(group_id)
            self._next_to_drop = None
            pulled = [key for key in self._pulled.held_keys() if order.cached or key.partition("/")[0] in title_ids]
            cached_before = self._pulled.used_bytes
            for key in pulled:
                self._forget_cached(key)
            try:
                if self._book.complete_group_count != complete_before:
                    self._raise_generation()
                if groups or self._journal_behind:
                    await self._save_journal()
            finally:
                await self._delete_placed(doomed)
            return PurgeReport(
                placed_objects=len(doomed),
                placed_bytes=sum(doomed.values()),
                cached_objects=len(pulled),
                cached_bytes=cached_before - self._pulled.used_bytes,
                generation=self._generation,
            )

    # Room

    def _make_room_to_pull(self, size_bytes: int) -> bool:
        if self._book.placed_bytes + self._reserved_bytes + size_bytes > self.capacity_bytes:
            return False
        while self.used_bytes + size_bytes > self.capacity_bytes:
            self._evict_one()
        return True

    def _make_room_to_place(self, size_bytes: int) -> bool:
        """Take from pulled objects above their reserve, then from groups outside the plan, then from the rest."""
        while self.used_bytes + size_bytes > self.capacity_bytes:
            pulled_beyond_reserve = self._pulled.used_bytes > self.pull_reserve_bytes
            if not (pulled_beyond_reserve and self._evict_one()) and not self._drop_one() and not self._evict_one():
                return False
        return True

    def _evict_one(self) -> bool:
        bytes_before = self._pulled.used_bytes
        key = self._pulled.evict()
        if key is None:
            return False
        self._disk.delete("cached", key)
        self._counters.evictions += 1
        self._counters.evicted_bytes += bytes_before - self._pulled.used_bytes
        return True

    def _drop_one(self) -> bool:
        if self._next_to_drop is None:
            self._next_to_drop = self._book.unplanned()[::-1]
        while self._next_to_drop:
            group_id = self._next_to_drop.pop()
            if not self._book.has_group(group_id):
                continue
            complete_before = self._book.complete_group_count
            for key in self._book.drop(group_id):
                self._disk.delete("placed", key)
            self._counters.dropped_groups += 1
            if self._book.complete_group_count != complete_before:
                self._raise_generation()
            return True
        return False

    # Inner parts

    async def _write(self, content: bytes, *, sha256: str | None = None) -> str:
        """Stage content in a thread while its bytes are reserved; a cancelled caller leaves neither behind."""
        size_bytes = len(content)
        self._reserved_bytes += size_bytes
        writing = asyncio.create_task(asyncio.to_thread(self._disk.stage, content, sha256=sha256))
        try:
            await asyncio.wait([writing])
        except asyncio.CancelledError:
            writing.add_done_callback(lambda task: self._abandon(task, size_bytes))
            raise
        self._reserved_bytes -= size_bytes
        return writing.result()

    def _abandon(self, writing: asyncio.Task[str], size_bytes: int) -> None:
        self._reserved_bytes -= size_bytes
        if not writing.cancelled() and writing.exception() is None:
            self._disk.discard_staged(writing.result())

    async def _delete_placed(self, doomed: Orphans) -> None:
        # Still on the disk, hence still counted, until each is gone.
        self._reserved_bytes += sum(doomed.values())
        for number, (key, size_bytes) in enumerate(doomed.items(), start=1):
            self._disk.delete("placed", key)
            self._reserved_bytes -= size_bytes
            if number % DELETIONS_PER_TURN == 0:
                await asyncio.sleep(0)

    def _forget_cached(self, key: str) -> None:
        self._pulled.remove(key)
        self._disk.delete("cached", key)

    def _mark_present(self, key: str) -> None:
        if self._book.mark_present(key):
            self._raise_generation()

    def _raise_generation(self) -> None:
        self._listing = None
        self._generation += 1
        if self._generation > self._generation_ceiling:
            ceiling = self._generation + GENERATIONS_PER_RESERVATION
            self._journal.save_generation(ceiling)
            self._generation_ceiling = ceiling  # only now: a reservation that failed is tried again

    async def _save_journal(self) -> None:
        self._journal_behind = True
        await asyncio.to_thread(self._journal.save, self._journal_state())
        self._journal_behind = False

    def _journal_state(self) -> JournalState:
        groups = [JournalGroup(group=group, planned=planned) for group, planned in self._book.to_journal()]
        return JournalState(boot_id=self._boot_id, plan_id=self.plan_id, groups=groups)

    # Start

    def _restore(self) -> None:
        self._disk.prepare()
        state = self._journal.load()
        self.plan_id = state.plan_id
        trusted = state.boot_id == self._boot_id != ""
        for entry in state.groups:
            self._book.restore(entry.group, planned=entry.planned)
        for key, size_bytes in self._disk.scan("placed").items():
            if self._is_as_planned(key, size_bytes, trusted=trusted):
                self._book.mark_present(key)
            else:
                self._disk.delete("placed", key)
        for key, size_bytes in self._disk.scan("cached").items():
            if trusted and not self.is_placed(key):
                self._pulled.admit(key, size_bytes, proven=True)
            else:
                self._disk.delete("cached", key)
        self._drop_broken_leftovers()
        self._fit_to_capacity()
        self._raise_generation()
        self._journal.save(self._journal_state())

    def _is_as_planned(self, key: str, size_bytes: int, *, trusted: bool) -> bool:
        if not self._book.is_wanted(key) or self._book.size_of(key) != size_bytes:
            return False
        if trusted:
            return True
        try:
            self._disk.verify("placed", key, self._book.sha256_of(key))
        except (ContentMismatchError, OSError) as error:
            logger.warning("placed object %s did not survive the restart: %s", key, error)
            return False
        return True

    def _drop_broken_leftovers(self) -> None:
        for group_id in self._book.unplanned():
            if not self._book.is_complete(group_id):
                self._remove(self._book.drop(group_id))

    def _fit_to_capacity(self) -> None:
        """A disk that was made smaller loses pulled objects, then old groups, then the plan's least valuable ones."""
        while self.used_bytes > self.capacity_bytes and (self._evict_one() or self._drop_one()):
            pass
        for group_id in reversed(self._book.planned_groups()):
            if self.used_bytes <= self.capacity_bytes:
                return
            logger.warning(
                "capacity is %d now; dropped %s of the plan", self.capacity_bytes, "/".join(map(str, group_id))
            )
            self._remove(self._book.drop(group_id))

    def _remove(self, keys: Iterable[str]) -> None:
        for key in keys:
            self._disk.delete("placed", key)


def read_boot_id(path: Path = Path("/proc/sys/kernel/random/boot_id")) -> str:
    """What identifies this run of the machine; empty where the system does not say."""
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return ""
