"""Which edges of a region can hand a fill's groups to each other, so that they need not come from the origin."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import msgspec

from orchestration.edge.fill import PlannedFill
from orchestration.edge.inventory import EdgeAnswer, PlacedGroup, complete_groups
from orchestration.edge.orders import FillGroup


def point_to_siblings(
    fills: Sequence[PlannedFill], answers: Iterable[EdgeAnswer], urls: Mapping[str, str]
) -> list[PlannedFill]:
    """Name in each order the sibling that holds a group wholly, by its inventory, where there is one.

    Of several that hold a group, edges take different ones, so that no sibling has to serve them all. An edge may have
    dropped a group when it is asked for it: then the origin is.

    Args:
        fills: The orders of one region.
        answers: What the region's edges answered when asked for their inventories.
        urls: Where the edges answer.
    """
    holders: dict[tuple[PlacedGroup, str | None], list[str]] = {}
    for answer in answers:
        if answer.inventory is not None and answer.edge_id in urls:
            for group in sorted(complete_groups(answer.inventory)):
                package_id = answer.inventory.packages.get(group.title_id)
                holders.setdefault((group, package_id), []).append(answer.edge_id)

    def pointed(group: FillGroup, fill: PlannedFill, number: int) -> FillGroup:
        group_id = PlacedGroup(group.title_id, group.rung, group.segment_group)
        holding = holders.get((group_id, group.package_id), [])
        if not holding or fill.edge_id in holding:
            return group
        return msgspec.structs.replace(group, sibling_url=urls[holding[number % len(holding)]])

    return [
        replace(
            fill,
            order=msgspec.structs.replace(
                fill.order, groups=[pointed(group, fill, number) for group in fill.order.groups]
            ),
        )
        for number, fill in enumerate(fills)
    ]
