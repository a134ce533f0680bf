"""What an edge says that it holds, and what of a title that means."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from playback_api.snapshot import PlacedTitles

MANIFEST_RUNG = "manifest"
AUDIO_PREFIX = "audio-"
PREFIX_GROUP = 0
PREFIX_DURATION_S = 8.0
GROUP_DURATION_S = 20.0


class EdgeInventory(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of ``GET /edge/inventory``; only groups that are whole on disk are listed.

    Attributes:
        packages: title_id -> the package that its groups are of, where the edge says so.
    """

    edge_id: str
    generation: int
    plan_id: str | None = None
    capacity_bytes: int = 0
    placed_bytes: int = 0
    cached_bytes: int = 0
    complete: PlacedTitles = {}
    packages: dict[str, str] = {}


class Holding(msgspec.Struct, frozen=True, kw_only=True):
    """How much of one title an edge can serve from its own disk.

    Attributes:
        prefix: Whether a session can start there without a byte from upstream.
        coverage: Share (0-1) of the rungs the viewer can use that is there.
    """

    prefix: bool = False
    coverage: float = 0.0


def group_count(duration_s: float) -> int:
    """Segment groups of a title: the prefix of 8 s, then one for every 20 s."""
    return 1 + max(0, math.ceil((duration_s - PREFIX_DURATION_S) / GROUP_DURATION_S))


def find_holding(
    title_id: str,
    duration_s: float,
    usable_rungs: Sequence[str],
    planned: PlacedTitles,
    inventory: EdgeInventory,
    *,
    package_id: str | None = None,
) -> Holding:
    """What is both planned for an edge and reported by it: a plan alone is a wish, an inventory alone may be leaving.

    Args:
        title_id: The title to be played.
        duration_s: Its length.
        usable_rungs: Video rungs that the viewer's screen and network can use.
        planned: What the snapshot's plans put on this edge.
        inventory: What the edge says.
        package_id: The package to be played; groups of another one are of no use to it. None takes any.
    """
    if package_id is not None and inventory.packages.get(title_id, package_id) != package_id:
        return Holding()
    planned_rungs = planned.get(title_id, {})
    complete_rungs = inventory.complete.get(title_id, {})
    held = {
        rung: set(groups) & set(complete_rungs.get(rung, ()))
        for rung, groups in planned_rungs.items()
        if rung in complete_rungs
    }
    if not held or not usable_rungs:
        return Holding()
    audio_rungs = [rung for rung in planned_rungs if rung.startswith(AUDIO_PREFIX)]
    starts = (
        PREFIX_GROUP in held.get(MANIFEST_RUNG, ())
        and any(PREFIX_GROUP in held.get(rung, ()) for rung in usable_rungs)
        and (not audio_rungs or any(PREFIX_GROUP in held.get(rung, ()) for rung in audio_rungs))
    )
    wanted = group_count(duration_s) * len(usable_rungs)
    groups_held = sum(len(held.get(rung, ())) for rung in usable_rungs)
    return Holding(prefix=starts, coverage=min(1.0, groups_held / wanted))
