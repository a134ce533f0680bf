"""What must not be in a snapshot that is published, though every byte of it is intact.

The graph's blocking check asks ``find_faults`` before ``CURRENT`` moves. A reader does not: what was published is
served.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable

from playback_api.snapshot.reader import ALL_REGIONS, Snapshot

IDENTIFIER = r"[a-z0-9-]{1,64}"


def find_faults(snapshot: Snapshot) -> list[str]:
    """Everything that would make the API answer wrongly from this snapshot, in words; empty when it is fit."""
    return [
        *_title_faults(snapshot),
        *_topology_faults(snapshot),
        *_popularity_faults(snapshot),
        *_placement_faults(snapshot),
        *_experiment_faults(snapshot),
    ]


def _title_faults(snapshot: Snapshot) -> Iterable[str]:
    if not snapshot.titles:
        yield "no title is playable; package at least one"
    if len(snapshot.title_by_id) != len(snapshot.titles):
        yield "a title_id stands more than once in titles"
    for title in snapshot.titles:
        if not title.rungs:
            yield f"title {title.title_id} has no video rung"
        for name, path in (("hls_path", title.hls_path), ("dash_path", title.dash_path)):
            if not path or path.startswith("/") or "://" in path:
                yield f"title {title.title_id} has {name} {path!r}; it must be relative to a pathway's base URL"
        if title.duration_s <= 0:
            yield f"title {title.title_id} has a duration of {title.duration_s} s"


def _topology_faults(snapshot: Snapshot) -> Iterable[str]:
    origins = [pathway.pathway_id for pathway in snapshot.topology.pathways if not pathway.region_id]
    if len(origins) != 1:
        yield f"there must be one origin, and there are {len(origins)}: {origins}"
    if len(snapshot.pathway_by_id) != len(snapshot.topology.pathways):
        yield "a pathway_id stands more than once in the topology"
    if not snapshot.topology.regions:
        yield "no region is declared"
    for pathway in snapshot.topology.pathways:
        if not pathway.base_url.startswith(("http://", "https://")):
            yield f"pathway {pathway.pathway_id} has base URL {pathway.base_url!r}"
        if pathway.region_id and pathway.region_id not in snapshot.region_ids:
            yield f"pathway {pathway.pathway_id} stands in unknown region {pathway.region_id!r}"


def _popularity_faults(snapshot: Snapshot) -> Iterable[str]:
    for region_id in snapshot.popularity:
        if region_id != ALL_REGIONS and region_id not in snapshot.region_ids:
            yield f"popularity names unknown region {region_id!r}"


def _placement_faults(snapshot: Snapshot) -> Iterable[str]:
    for edge_id, placed in snapshot.placement.items():
        if edge_id not in snapshot.pathway_by_id:
            yield f"a plan places titles on unknown edge {edge_id!r}"
        unknown = sorted(set(placed) - set(snapshot.title_by_id))
        if unknown:
            yield f"the plan of edge {edge_id} places {len(unknown)} unknown titles: {', '.join(unknown[:5])}"


def _experiment_faults(snapshot: Snapshot) -> Iterable[str]:
    counts = Counter(experiment.experiment_id for experiment in snapshot.experiments)
    yield from (f"experiment {name!r} is declared {count} times" for name, count in counts.items() if count > 1)
    for experiment in snapshot.experiments:
        arms = [arm.arm for arm in experiment.arms]
        for name in (experiment.experiment_id, *arms):
            if not re.fullmatch(IDENTIFIER, name):
                yield f"experiment {experiment.experiment_id!r}: {name!r} is no identifier ({IDENTIFIER})"
        if len(set(arms)) != len(arms):
            yield f"experiment {experiment.experiment_id!r} has an arm twice: {arms}"
        if sum(arm.is_control for arm in experiment.arms) != 1:
            yield f"experiment {experiment.experiment_id!r} needs exactly one arm as its control"
        if any(arm.share <= 0 for arm in experiment.arms) or not math.isclose(sum(a.share for a in experiment.arms), 1):
            yield f"experiment {experiment.experiment_id!r} needs shares above 0 that add up to 1"
        if any(not 0 <= (arm.exploration_share or 0) < 1 for arm in experiment.arms):
            yield f"experiment {experiment.experiment_id!r} needs exploration shares from 0 to below 1"
    yield from _fought_over(snapshot)


def _fought_over(snapshot: Snapshot) -> Iterable[str]:
    """Two experiments that run at the same time and set the same thing would compare each other's arms."""
    today = snapshot.manifest.created_at.date()
    running = [experiment for experiment in snapshot.experiments if experiment.runs(today)]
    for setting in ("exploration_share", "ranking"):
        users = [each.experiment_id for each in running if any(getattr(arm, setting) is not None for arm in each.arms)]
        if len(users) > 1:
            yield f"experiments {users} run at the same time and all set {setting}; end all but one"
