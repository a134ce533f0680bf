"""A small, fixed snapshot for the tests of whatever reads one. Nothing that runs in production imports this module."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from pathlib import Path

from playback_api.snapshot.reader import ALL_REGIONS
from playback_api.snapshot.schema import (
    ModelRecord,
    PathwayRecord,
    PlacedTitles,
    PopularTitle,
    RegionRecord,
    RungRecord,
    SnapshotContent,
    SnapshotManifest,
    TitleRecord,
    Topology,
)
from playback_api.snapshot.writer import publish, write_snapshot

NOON = dt.datetime(2026, 10, 1, 12, tzinfo=dt.UTC)
GENRES = ("drama", "comedy", "documentary")
RUNGS = (("240p", 426, 240, 300_000), ("480p", 854, 480, 1_000_000), ("1080p", 1920, 1080, 4_500_000))
NORTH, SOUTH = "north", "south"
NORTH_1, NORTH_2, SOUTH_1, ORIGIN = "north-1", "north-2", "south-1", "origin"


def make_title(number: int) -> TitleRecord:
    """Title ``s-0001``, ``s-0002`` ...: genres go round, and a higher number was released earlier."""
    title_id = f"s-{number:04d}"
    package_id = f"pkg{number:04d}"
    return TitleRecord(
        title_id=title_id,
        package_id=package_id,
        name=f"The {('Quiet', 'Amber', 'Northern', 'Hidden', 'Glass')[number % 5]} Harbour {number}",
        kind="film",
        genres=[GENRES[number % 3]],
        language="en",
        maturity_age=18 if number % 7 == 0 else 7,
        release_date=dt.date(2026, 9, 28) - dt.timedelta(days=10 * number),
        duration_s=60.0 + number,
        size_bytes=1_000_000 * number,
        hls_path=f"media/{title_id}/p/{package_id}/master.m3u8",
        dash_path=f"media/{title_id}/p/{package_id}/manifest.mpd",
        poster_path=f"media/{title_id}/p/{package_id}/poster.jpg",
        synopsis=f"What happened at harbour {number}.",
        rungs=[
            RungRecord(rung=rung, width=width, height=height, bitrate_bps=bitrate_bps, codecs="avc1.640028")
            for rung, width, height, bitrate_bps in RUNGS
        ],
    )


def make_topology(base_urls: Mapping[str, str] | None = None) -> Topology:
    """Region ``north`` with two edges, ``south`` with one, and the origin."""
    urls = base_urls or {}

    def pathway(pathway_id: str, region_id: str, north_s: float, south_s: float) -> PathwayRecord:
        return PathwayRecord(
            pathway_id=pathway_id,
            base_url=urls.get(pathway_id, f"http://{pathway_id}.test"),
            region_id=region_id,
            failure_domain=pathway_id,
            latency_s_by_region={NORTH: north_s, SOUTH: south_s},
        )

    return Topology(
        regions=[
            RegionRecord(region_id=NORTH, name="North", time_zone="Europe/Stockholm"),
            RegionRecord(region_id=SOUTH, name="South", time_zone="America/Sao_Paulo"),
        ],
        pathways=[
            pathway(NORTH_1, NORTH, 0.008, 0.210),
            pathway(NORTH_2, NORTH, 0.009, 0.210),
            pathway(SOUTH_1, SOUTH, 0.220, 0.014),
            pathway(ORIGIN, "", 0.050, 0.190),
        ],
    )


def make_content(
    *,
    title_count: int = 12,
    base_urls: Mapping[str, str] | None = None,
    placement: dict[str, PlacedTitles] | None = None,
    recommender_folder: Path | None = None,
) -> SnapshotContent:
    """Titles, popularity in both regions (in opposite orders) and, by default, ``s-0001`` placed whole on north-1."""
    titles = [make_title(number) for number in range(1, title_count + 1)]
    ids = [title.title_id for title in titles]
    whole = {rung: [0, 1, 2] for rung in ("manifest", "artwork", "audio-en", *(rung[0] for rung in RUNGS))}
    return SnapshotContent(
        titles=titles,
        popularity={ALL_REGIONS: _rank(ids), NORTH: _rank(ids), SOUTH: _rank(ids[::-1])},
        topology=make_topology(base_urls),
        placement=placement if placement is not None else {NORTH_1: {"s-0001": whole}},
        placement_plan_ids={NORTH: "plan-1"},
        models=[ModelRecord(name="top-n", version="3", metric_name="ndcg_at_10", metric_value=0.153)],
        recommender_folder=recommender_folder,
    )


def _rank(title_ids: list[str]) -> list[PopularTitle]:
    return [
        PopularTitle(title_id=title_id, score=float(len(title_ids) - place)) for place, title_id in enumerate(title_ids)
    ]


def publish_content(
    store_folder: Path,
    content: SnapshotContent,
    *,
    clock: Callable[[], dt.datetime] = lambda: NOON,
    lifetime: dt.timedelta = dt.timedelta(days=1),
) -> SnapshotManifest:
    """Write and publish in one go."""
    manifest = write_snapshot(store_folder, content, clock=clock, lifetime=lifetime)
    publish(store_folder, manifest.snapshot_id)
    return manifest
