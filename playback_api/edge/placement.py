"""What shall be placed and what is: plan groups, their objects, and which groups are complete. Pure bookkeeping.

An object may belong to several groups (two packages of a title share renditions); it leaves the disk only when the
last group that names it is dropped.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from playback_api.delivery import is_immutable, is_object_key
from playback_api.edge.errors import PlanInvalidError
from playback_api.edge.schema import FillGroup, FillObject

#: key -> size of objects on the disk that nothing names any more
Orphans = dict[str, int]


class GroupId(NamedTuple):
    """What identifies a group on an edge."""

    title_id: str
    package_id: str
    rung: str
    segment_group: int


@dataclass(slots=True)
class _Group:
    objects: tuple[str, ...]
    value: float
    planned: bool
    missing: int


@dataclass(frozen=True, slots=True)
class _Object:
    size_bytes: int
    sha256: str


def group_id_of(group: FillGroup) -> GroupId:
    """The id of a group as it came over the wire."""
    return GroupId(group.title_id, group.package_id, group.rung, group.segment_group)


def unique_objects(groups: Iterable[FillGroup]) -> dict[str, FillObject]:
    """The objects of a plan by key, each once, in the plan's order.

    Raises:
        PlanInvalidError: A key is none, a group comes twice, or an object comes with two sizes or hashes.
    """
    objects: dict[str, FillObject] = {}
    seen: set[GroupId] = set()
    for group in groups:
        group_id = group_id_of(group)
        if group_id in seen:
            raise PlanInvalidError(f"the plan has the group {'/'.join(map(str, group_id))} twice; list it once")
        seen.add(group_id)
        for item in group.objects:
            if not (is_object_key(item.key) and is_immutable(item.key)):
                raise PlanInvalidError(f"{item.key!r} is no key of a media object; keys are paths below media/")
            known = objects.setdefault(item.key, item)
            if known != item:
                raise PlanInvalidError(f"the plan gives {item.key} two sizes or hashes; objects never change")
    return objects


class PlacementBook:
    """Groups by id, objects by key, and what of them is on the disk."""

    def __init__(self) -> None:
        self._groups: dict[GroupId, _Group] = {}
        self._objects: dict[str, _Object] = {}
        self._groups_of: dict[str, set[GroupId]] = defaultdict(set)
        self._present: set[str] = set()
        self._complete_groups = 0
        self.placed_bytes = 0

    def __len__(self) -> int:
        return len(self._present)

    def adopt_plan(self, groups: Sequence[FillGroup]) -> Orphans:
        """Make ``groups`` the plan; earlier groups stay on the disk, unplanned, until they are dropped.

        Returns:
            Objects on the disk that contradict the new plan and must be deleted.
        """
        contradicted: Orphans = {}
        for group in self._groups.values():
            group.planned = False
        for wanted in groups:
            for item in wanted.objects:
                facts = _Object(item.size_bytes, item.sha256)
                if self._objects.get(item.key, facts) != facts:
                    for stale_id in list(self._groups_of[item.key]):
                        contradicted |= self.drop(stale_id)
        for wanted in groups:
            contradicted |= self._add(wanted, planned=True)
        return contradicted

    def restore(self, group: FillGroup, *, planned: bool) -> None:
        """Take over a group from the journal."""
        self._add(group, planned=planned)

    def _add(self, wanted: FillGroup, *, planned: bool) -> Orphans:
        group_id = group_id_of(wanted)
        keys = tuple(dict.fromkeys(item.key for item in wanted.objects))
        known = self._groups.pop(group_id, None)  # and in again at the end: planned groups stand in the plan's order
        if known is not None and known.objects == keys:
            known.planned, known.value = planned, wanted.value
            self._groups[group_id] = known
            return {}
        for item in wanted.objects:
            self._objects[item.key] = _Object(item.size_bytes, item.sha256)
            self._groups_of[item.key].add(group_id)
        missing = sum(key not in self._present for key in keys)
        self._groups[group_id] = _Group(keys, wanted.value, planned, missing)
        self._complete_groups += missing == 0
        if known is None:
            return {}
        self._complete_groups -= known.missing == 0
        return self._release(group_id, set(known.objects).difference(keys))

    def drop(self, group_id: GroupId) -> Orphans:
        """Forget a group; returns the objects on the disk that no other group names."""
        group = self._groups.pop(group_id)
        self._complete_groups -= group.missing == 0
        return self._release(group_id, group.objects)

    def _release(self, group_id: GroupId, keys: Iterable[str]) -> Orphans:
        orphans: Orphans = {}
        for key in keys:
            users = self._groups_of[key]
            users.discard(group_id)
            if not users:
                if key in self._present:
                    self._present.remove(key)
                    self.placed_bytes -= self._objects[key].size_bytes
                    orphans[key] = self._objects[key].size_bytes
                del self._groups_of[key], self._objects[key]
        return orphans

    def mark_present(self, key: str) -> int:
        """An object is on the disk, whole and right; returns how many groups became complete by it."""
        if key in self._present:
            return 0
        self._present.add(key)
        self.placed_bytes += self._objects[key].size_bytes
        completed = 0
        for group_id in self._groups_of[key]:
            group = self._groups[group_id]
            group.missing -= 1
            completed += group.missing == 0
        self._complete_groups += completed
        return completed

    def mark_absent(self, key: str) -> bool:
        """An object is not on the disk any more; returns whether it was."""
        if key not in self._present:
            return False
        self._present.remove(key)
        self.placed_bytes -= self._objects[key].size_bytes
        for group_id in self._groups_of[key]:
            group = self._groups[group_id]
            self._complete_groups -= group.missing == 0
            group.missing += 1
        return True

    def is_present(self, key: str) -> bool:
        """Whether an object is on the disk as placed."""
        return key in self._present

    def is_wanted(self, key: str) -> bool:
        """Whether any group names the object."""
        return key in self._objects

    def size_of(self, key: str) -> int:
        """Size that an object of some group has or shall have."""
        return self._objects[key].size_bytes

    def sha256_of(self, key: str) -> str:
        """Hash that an object of some group has or shall have."""
        return self._objects[key].sha256

    @property
    def complete_group_count(self) -> int:
        """Groups with all their objects on the disk, planned or not."""
        return self._complete_groups

    def planned_objects(self) -> Iterator[str]:
        """The plan's objects in its order, each once."""
        seen: set[str] = set()
        for group in self._groups.values():
            if group.planned:
                for key in group.objects:
                    if key not in seen:
                        seen.add(key)
                        yield key

    def plan_progress(self) -> tuple[int, int]:
        """(planned groups, those of them that are complete)."""
        planned = [group for group in self._groups.values() if group.planned]
        return len(planned), sum(group.missing == 0 for group in planned)

    def unplanned(self) -> list[GroupId]:
        """Groups outside the plan, the first to go first: incomplete ones, then those of least value."""
        found = [
            (group.missing == 0, group.value, group_id) for group_id, group in self._groups.items() if not group.planned
        ]
        return [group_id for *_, group_id in sorted(found)]

    def has_group(self, group_id: GroupId) -> bool:
        """Whether the group is known, complete or not."""
        return group_id in self._groups

    def is_complete(self, group_id: GroupId) -> bool:
        """Whether every object of a known group is on the disk."""
        return self._groups[group_id].missing == 0

    def planned_groups(self) -> list[GroupId]:
        """The plan's groups in its order."""
        return [group_id for group_id, group in self._groups.items() if group.planned]

    def groups_of_titles(self, title_ids: frozenset[str]) -> list[GroupId]:
        """Every group of some titles."""
        return [group_id for group_id in self._groups if group_id.title_id in title_ids]

    def complete(self) -> dict[str, dict[str, list[int]]]:
        """Complete groups as title_id -> rung -> segment groups, sorted.

        Of a title in the plan only the plan's package counts: what is left of an older one serves sessions that
        still play it, but no new session should be sent here for it.
        """
        listing: dict[str, dict[str, list[int]]] = {}
        for group_id in sorted(self._listed()):
            groups = listing.setdefault(group_id.title_id, {}).setdefault(group_id.rung, [])
            if group_id.segment_group not in groups:
                groups.append(group_id.segment_group)
        for rungs in listing.values():
            for groups in rungs.values():
                groups.sort()
        return listing

    def packages(self) -> dict[str, str]:
        """The package that a title's complete groups are of; titles with groups of several are left out."""
        found: dict[str, set[str]] = defaultdict(set)
        for group_id in self._listed():
            found[group_id.title_id].add(group_id.package_id)
        return {title_id: next(iter(ids)) for title_id, ids in sorted(found.items()) if len(ids) == 1}

    def _listed(self) -> list[GroupId]:
        planned: dict[str, set[str]] = defaultdict(set)
        for group_id, group in self._groups.items():
            if group.planned:
                planned[group_id.title_id].add(group_id.package_id)
        return [
            group_id
            for group_id, group in self._groups.items()
            if group.missing == 0 and group_id.package_id in planned.get(group_id.title_id, {group_id.package_id})
        ]

    def to_journal(self) -> list[tuple[FillGroup, bool]]:
        """Every group with whether it is planned, in order: what ``restore`` takes back."""
        return [
            (
                FillGroup(
                    title_id=group_id.title_id,
                    package_id=group_id.package_id,
                    rung=group_id.rung,
                    segment_group=group_id.segment_group,
                    value=group.value,
                    objects=[
                        FillObject(key=key, size_bytes=self.size_of(key), sha256=self.sha256_of(key))
                        for key in group.objects
                    ],
                ),
                group.planned,
            )
            for group_id, group in self._groups.items()
        ]
