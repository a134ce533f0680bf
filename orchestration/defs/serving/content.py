"""From the warehouse's serving tables to the content of a snapshot. Frames in, records out; no I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from orchestration.defs.serving.sources import PublishedRecommender
from orchestration.edge.plan import PlacementPlan
from playback_api.snapshot import (
    ExperimentRecord,
    PlacedTitles,
    PopularTitle,
    RungRecord,
    SnapshotContent,
    TitleRecord,
    Topology,
)

TITLE_COLUMNS = [
    "title_id", "package_id", "name", "kind", "genres", "language", "maturity_age", "release_date", "duration_s",
    "size_bytes", "hls_path", "dash_path", "poster_path", "synopsis", "licence_start", "licence_end",
]  # fmt: skip
RUNG_COLUMNS = ["title_id", "package_id", "rung", "width", "height", "bitrate_bps", "codecs"]
POPULARITY_COLUMNS = ["region_id", "title_id", "rank", "score"]


@dataclass(frozen=True, kw_only=True)
class GatheredContent:
    """The content of a snapshot and what was left out of it.

    Attributes:
        not_playable: Catalogue rows without a package.
        outdated_groups: Planned segment groups of titles that are gone or were packaged anew; the next plans will not
            have them.
    """

    content: SnapshotContent
    not_playable: int
    outdated_groups: int


def gather_content(
    *,
    titles: pl.DataFrame,
    rungs: pl.DataFrame,
    popularity: pl.DataFrame,
    topology: Topology,
    plans: Sequence[PlacementPlan],
    recommender: PublishedRecommender,
    experiments: Sequence[ExperimentRecord] = (),
) -> GatheredContent:
    """Put the content together.

    Args:
        titles: ``TITLE_COLUMNS`` of ``serving.srv_titles``.
        rungs: ``RUNG_COLUMNS`` of ``serving.srv_rungs``.
        popularity: ``POPULARITY_COLUMNS`` of ``serving.srv_popularity``.
        topology: Regions and pathways.
        plans: The plans in force; what they say of another package than the current one is left out.
        recommender: The newest published recommender.
        experiments: By which the API varies home pages.
    """
    playable = titles.filter(pl.col("package_id").is_not_null())
    planned = pl.concat([plan.rows for plan in plans]) if plans else None
    current = planned.join(playable, on=["title_id", "package_id"], how="semi") if planned is not None else None
    content = SnapshotContent(
        titles=_title_records(playable, _rungs_by_package(rungs)),
        popularity=_popularity(popularity.join(playable, on="title_id", how="semi")),
        topology=topology,
        placement=group_placement(current) if current is not None else {},
        placement_plan_ids={plan.region_id: plan.plan_id for plan in plans},
        models=recommender.models,
        recommender_folder=recommender.folder,
        experiments=list(experiments),
    )
    return GatheredContent(
        content=content,
        not_playable=titles.height - playable.height,
        outdated_groups=planned.height - current.height if planned is not None and current is not None else 0,
    )


def group_placement(rows: pl.DataFrame) -> dict[str, PlacedTitles]:
    """Rows of plans (edge_id, title_id, rung, segment_group) as nested look-ups, groups in order."""
    placement: dict[str, PlacedTitles] = {}
    grouped = rows.group_by("edge_id", "title_id", "rung").agg(pl.col("segment_group").unique().sort())
    for edge_id, title_id, rung, groups in grouped.sort("edge_id", "title_id", "rung").iter_rows():
        placement.setdefault(edge_id, {}).setdefault(title_id, {})[rung] = groups
    return placement


def _title_records(
    titles: pl.DataFrame, rungs_by_package: Mapping[tuple[str, str], list[RungRecord]]
) -> list[TitleRecord]:
    rows = titles.select(TITLE_COLUMNS).sort("title_id").iter_rows(named=True)
    return [TitleRecord(**row, rungs=rungs_by_package.get((row["title_id"], row["package_id"]), [])) for row in rows]


def _rungs_by_package(rungs: pl.DataFrame) -> dict[tuple[str, str], list[RungRecord]]:
    grouped: dict[tuple[str, str], list[RungRecord]] = {}
    for row in rungs.select(RUNG_COLUMNS).sort("title_id", "bitrate_bps").iter_rows(named=True):
        record = RungRecord(
            rung=row["rung"],
            width=row["width"],
            height=row["height"],
            bitrate_bps=row["bitrate_bps"],
            codecs=row["codecs"],
        )
        grouped.setdefault((row["title_id"], row["package_id"]), []).append(record)
    return grouped


def _popularity(popularity: pl.DataFrame) -> dict[str, list[PopularTitle]]:
    ranked: dict[str, list[PopularTitle]] = {}
    ordered = popularity.sort("region_id", "rank").select("region_id", "title_id", "score")
    for region_id, title_id, score in ordered.iter_rows():
        ranked.setdefault(region_id, []).append(PopularTitle(title_id=title_id, score=float(score)))
    return ranked
