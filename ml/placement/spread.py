"""Which edge of a region is a title's home, where its further copies may stand, and which edge then answers for it."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
import polars as pl

from ml.placement.catalogue import Blocks, BoolArray, FloatArray, IntArray, require_columns
from ml.placement.errors import PlacementInputError

NO_COPY = -1
MOVE_TOLERANCE = 1.25
"""A title stays on an edge that holds it while that edge would not be loaded more than this against the best one."""


@dataclass(frozen=True, kw_only=True)
class EdgeRoom:
    """One edge as a plan sees it: what it is called, what it fails with and how many bytes a plan may use.

    ``upstream_limit_bytes`` is what it may take from upstream in the plan's life, fill and misses; infinite for all.
    """

    edge_id: str
    failure_domain: str
    capacity_bytes: float
    pull_reserve_share: float
    upstream_limit_bytes: float = float("inf")

    @property
    def usable_bytes(self) -> float:
        """Capacity less the share that is left to pull-through."""
        return self.capacity_bytes * (1.0 - self.pull_reserve_share)

    @property
    def reserve_bytes(self) -> float:
        """What is left to pull-through."""
        return self.capacity_bytes * self.pull_reserve_share


def read_edges(edges: pl.DataFrame, region_id: str) -> tuple[EdgeRoom, ...]:
    """The edges of a region, by id.

    Args:
        edges: edge_id, region_id, failure_domain, capacity_bytes, pull_reserve_share; where there are limits,
            upstream_limit_bytes (null for none).
        region_id: The region.

    Raises:
        PlacementInputError: The region has no edge, or a capacity, reserve or limit makes no sense.
    """
    require_columns(edges, ("edge_id", "region_id", "failure_domain", "capacity_bytes", "pull_reserve_share"), "edges")
    rooms = []
    for row in edges.filter(pl.col("region_id") == region_id).unique("edge_id").sort("edge_id").iter_rows(named=True):
        room = EdgeRoom(
            edge_id=row["edge_id"],
            failure_domain=row["failure_domain"],
            capacity_bytes=float(row["capacity_bytes"]),
            pull_reserve_share=float(row["pull_reserve_share"]),
            upstream_limit_bytes=float("inf") if (limit := row.get("upstream_limit_bytes")) is None else float(limit),
        )
        if not (np.isfinite(room.capacity_bytes) and room.capacity_bytes >= 0 and 0 <= room.pull_reserve_share <= 1):
            raise PlacementInputError(
                f"edge {room.edge_id}: capacity_bytes {room.capacity_bytes} and pull_reserve_share "
                f"{room.pull_reserve_share} make no sense; give bytes >= 0 and a share from 0 to 1"
            )
        if not room.upstream_limit_bytes > 0:
            raise PlacementInputError(
                f"edge {room.edge_id}: upstream_limit_bytes {room.upstream_limit_bytes} makes no sense; give "
                "bytes > 0, or null for any number"
            )
        rooms.append(room)
    if not rooms:
        raise PlacementInputError(f"region {region_id!r} has no edge; the edges frame has {edges['edge_id'].to_list()}")
    return tuple(rooms)


def spread_titles(load: FloatArray, held: BoolArray, edges: tuple[EdgeRoom, ...]) -> IntArray:
    """Order in which each title would use the edges: 0 is its home, 1 its first replica, ...

    Titles are dealt out from the heaviest down, each to the edge that stays least loaded for its room; a title that an
    edge holds already stays there unless that would tilt the load. Of edges that fail together only one is used.

    Args:
        load: Expected bytes of each title, shape [titles].
        held: Whether an edge holds the title's prefix now, shape [titles, edges].
        edges: The edges; those without room get nothing.

    Returns:
        Copy number by title and edge, ``NO_COPY`` where none may stand, shape [titles, edges].
    """
    copies = np.full((len(load), len(edges)), NO_COPY, dtype=np.int64)
    usable = [index for index, edge in enumerate(edges) if edge.usable_bytes > 0]
    if not usable:
        return copies
    room = [edges[index].usable_bytes for index in usable]
    domains = [edges[index].failure_domain for index in usable]
    carried = [0.0] * len(usable)
    holds = held[:, usable].tolist()
    for title in np.argsort(-load, kind="stable").tolist():
        weight = float(load[title])
        would_be = [(carried[place] + weight) / room[place] for place in range(len(usable))]
        order = sorted(range(len(usable)), key=would_be.__getitem__)
        limit = would_be[order[0]] * MOVE_TOLERANCE
        # holders within the limit come first, each part from the least loaded on
        stays = [held_here and ratio <= limit for held_here, ratio in zip(holds[title], would_be, strict=True)]
        order = [place for place in order if stays[place]] + [place for place in order if not stays[place]]
        carried[order[0]] += weight
        taken: set[str] = set()
        for place in order:
            if domains[place] not in taken:
                copies[title, usable[place]] = len(taken)
                taken.add(domains[place])
    return copies


def route_titles(blocks: Blocks, placed: BoolArray) -> IntArray:
    """The edge that answers for each title: one that holds a prefix of it, else by hash of its id; shape [titles].

    Args:
        blocks: The catalogue.
        placed: What each edge holds, shape [blocks, edges].
    """
    edges = placed.shape[1]
    prefix = (blocks.group == 0) & (blocks.kind == "video")
    holds = np.zeros((len(blocks.titles), edges), dtype=np.int64)
    np.add.at(holds, blocks.title[prefix], placed[prefix].astype(np.int64))
    by_hash = np.array([zlib.crc32(title.encode()) % edges for title in blocks.titles], dtype=np.int64)
    # of several holders the one with more of it, so that a replica's prefix does not draw sessions from the body
    rows = np.nonzero(placed)
    weight = np.zeros(holds.shape)
    np.add.at(weight, (blocks.title[rows[0]], rows[1]), blocks.size_bytes[rows[0]])
    weight = np.where(holds > 0, weight, -1.0)
    return np.where(holds.any(axis=1), weight.argmax(axis=1), by_hash).astype(np.int64)
