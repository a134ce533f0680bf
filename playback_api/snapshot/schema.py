"""The serving snapshot: the immutable set of files that the API answers from.

Here belong the records and the manifest. The writer and the reader beside this module are the two halves of the
format; neither knows a web framework.

    snapshots/<snapshot_id>/manifest.json       schema version, times, every file with size and sha256
    snapshots/<snapshot_id>/titles.msgpack      list[TitleRecord], playable titles only
    snapshots/<snapshot_id>/popularity.msgpack  dict[region_id, list[PopularTitle]], best first; "*" is all regions
    snapshots/<snapshot_id>/topology.msgpack    Topology
    snapshots/<snapshot_id>/placement.msgpack   dict[edge_id, PlacedTitles]
    snapshots/<snapshot_id>/models.msgpack      list[ModelRecord]
    snapshots/<snapshot_id>/experiments.msgpack list[ExperimentRecord]; absent before version 1.1
    snapshots/<snapshot_id>/recommender/...     files of ml.recommender.online, absent while nothing is trained; below
                                                challenger/ the same of a model on trial, if there is one
    snapshots/CURRENT                           the id of the snapshot to serve, replaced by atomic rename
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import msgspec

SCHEMA_VERSION = (1, 2)
"""Readers refuse another major version and accept any minor one."""

CHALLENGER_FOLDER = "challenger"
"""Where, below the recommender's files, those of the model on trial are."""

#: title_id -> rung -> segment groups, the shape in which placements and inventories are compared
PlacedTitles = dict[str, dict[str, list[int]]]


class TitleRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A playable title. ``manifest`` paths are relative to any pathway's base URL."""

    title_id: str
    package_id: str
    name: str
    kind: str
    genres: list[str]
    language: str
    maturity_age: int
    release_date: dt.date
    duration_s: float
    size_bytes: int
    hls_path: str
    dash_path: str
    poster_path: str | None = None
    synopsis: str = ""
    licence_start: dt.date | None = None
    licence_end: dt.date | None = None
    rungs: list[RungRecord] = []


class RungRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A video rung of a title's ladder."""

    rung: str
    width: int
    height: int
    bitrate_bps: int
    codecs: str


class PopularTitle(msgspec.Struct, frozen=True, kw_only=True):
    """A title's share of recent, decayed viewing in a region."""

    title_id: str
    score: float


class RegionRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A market."""

    region_id: str
    name: str
    time_zone: str


class PathwayRecord(msgspec.Struct, frozen=True, kw_only=True):
    """An edge, or the origin when ``region_id`` is empty, as routing and players see it."""

    pathway_id: str
    base_url: str
    region_id: str
    weight: float = 1.0
    failure_domain: str = ""
    latency_s_by_region: dict[str, float] = {}


class Topology(msgspec.Struct, frozen=True, kw_only=True):
    """Regions and pathways; exactly one pathway is the origin."""

    regions: list[RegionRecord]
    pathways: list[PathwayRecord]


class ModelRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Which model version made what is in this snapshot, with the metric that promoted it."""

    name: str
    version: str
    metric_name: str = ""
    metric_value: float | None = None
    run_id: str = ""


Ranking = Literal["model", "challenger", "popularity"]


class ArmRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One way of making home pages. What an arm leaves open (None) is as it is without an experiment.

    Attributes:
        share: Of all viewers, 0 to 1; the shares of an experiment add up to 1.
        is_control: Whether the others are compared with it; exactly one arm is.
        exploration_share: How likely a place of the main row explores.
        ranking: What fills the main row; the challenger is the model on trial beside the champion.
    """

    arm: str
    share: float
    is_control: bool = False
    exploration_share: float | None = None
    ranking: Ranking | None = None


class ExperimentRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A comparison of ways of making home pages. ``last_day`` is the last UTC day that it runs; None: it runs on."""

    experiment_id: str
    arms: list[ArmRecord]
    last_day: dt.date | None = None

    def runs(self, today: dt.date) -> bool:
        """Whether pages of this day are made by its arms."""
        return self.last_day is None or today <= self.last_day

    @property
    def tries_challenger(self) -> bool:
        """Whether an arm is ranked by the model on trial."""
        return any(arm.ranking == "challenger" for arm in self.arms)


class FileRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One file of the snapshot."""

    path: str
    size_bytes: int
    sha256: str


class SnapshotManifest(msgspec.Struct, frozen=True, kw_only=True):
    """``manifest.json``. ``placement_plan_ids`` are the plans behind the placement, by region."""

    schema_version: tuple[int, int]
    snapshot_id: str
    created_at: dt.datetime
    expires_at: dt.datetime
    counts: dict[str, int]
    files: list[FileRecord]
    placement_plan_ids: dict[str, str] = {}


@dataclass(frozen=True, kw_only=True)
class SnapshotContent:
    """What the writer turns into files.

    Attributes:
        recommender_folder: Files written by ``ml.recommender``'s publisher, copied as they are; None while untrained.
        placement_plan_ids: The plans behind ``placement``, by region.
    """

    titles: list[TitleRecord]
    popularity: dict[str, list[PopularTitle]]
    topology: Topology
    placement: dict[str, PlacedTitles] = field(default_factory=dict)
    placement_plan_ids: dict[str, str] = field(default_factory=dict)
    models: list[ModelRecord] = field(default_factory=list)
    experiments: list[ExperimentRecord] = field(default_factory=list)
    recommender_folder: Path | None = None
