"""What training costs as viewers and titles grow, and what a page costs at 10,000 titles, on drawn viewing.

Usage: ``PYTHONPATH=. python benchmarks/recs_scale.py training --viewers 10000 --titles 3000`` trains both models and
publishes, and prints CPU seconds and peak memory of each step; one size a process, so that the peaks are its own.
``PYTHONPATH=. python benchmarks/recs_scale.py first-stage --viewers 20000 --titles 20000`` trains the item-item weights
and rules alone, which is where titles cost, and makes a thousand lists from them.
``PYTHONPATH=. python benchmarks/recs_scale.py pages --titles 10000`` asks for whole home pages of the model, of the
model with something watched a minute ago, and of popularity, the baseline, and prints CPU milliseconds of one thread.

The viewing is drawn: viewers of fifty tastes watch about twenty titles each within sixty days, by Zipf's law within the
taste.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl

from ml.recommender import (
    RankerRecipe,
    Recipe,
    publish,
    read_interactions,
    read_title_facts,
    train_affinity,
    train_top_n,
)
from ml.recommender.affinity import fit_affinity
from ml.recommender.candidate_features import FEATURES
from ml.recommender.top_n import fit_top_n
from ml.recommender.trees import Trees
from playback_api.domain.counters import Counters
from playback_api.domain.home.recommender import open_recommender
from playback_api.domain.home.rows import BECAUSE
from playback_api.domain.home.services import HomeService
from playback_api.domain.served import ServedSnapshots
from playback_api.profile import Preferences, ViewerProfile, WatchedTitle
from playback_api.snapshot import SnapshotReader
from playback_api.snapshot.testing import NORTH, make_content, publish_content

SEED = 0
TASTES = 50
EVENTS_PER_VIEWER = 20
DAYS = 60
END = dt.datetime(2026, 10, 1, tzinfo=dt.UTC)
PAGE_VIEWERS = 2000
LISTED_VIEWERS = 1000
WATCHED_LATELY = 3
REGIONS = (NORTH, "south", "east", "west")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=("training", "first-stage", "pages"))
    parser.add_argument("--viewers", type=int, default=10_000)
    parser.add_argument("--titles", type=int, default=3000)
    arguments = parser.parse_args()
    if arguments.part == "training":
        measure_training(arguments.viewers, arguments.titles)
    elif arguments.part == "first-stage":
        measure_first_stage(arguments.viewers, arguments.titles)
    else:
        asyncio.run(measure_pages(arguments.titles))


def draw_viewing(viewers: int, titles: int) -> pl.DataFrame:
    """Sessions as in ``serving.srv_viewing``."""
    rng = np.random.default_rng(SEED)
    count = viewers * EVENTS_PER_VIEWER
    viewer = np.repeat(np.arange(viewers), EVENTS_PER_VIEWER)
    own = rng.integers(0, TASTES, viewers)[viewer]
    taste = np.where(rng.random(count) < 0.7, own, rng.integers(0, TASTES, count))
    per_taste = titles // TASTES
    chance = np.arange(1, per_taste + 1) ** -0.8
    place = np.searchsorted(np.cumsum(chance) / chance.sum(), rng.random(count))
    watched_s = rng.uniform(0, DAYS * 86_400, count)
    return pl.DataFrame(
        {
            "session_id": pl.int_range(count, eager=True).cast(pl.String),
            "viewer_id": pl.Series(viewer).cast(pl.String).str.zfill(8),
            "title_id": _title_ids(np.minimum(place, per_taste - 1) * TASTES + taste),
            "region_id": np.array(REGIONS)[viewer % len(REGIONS)],
            "completion": rng.beta(2, 1, count),
            "started_at": pl.Series((END.timestamp() - watched_s) * 1e6).cast(pl.Int64).cast(pl.Datetime("us", "UTC")),
        }
    )


def draw_titles(titles: int) -> pl.DataFrame:
    """The catalogue as in ``serving.srv_titles``: the taste is the genre."""
    numbers = np.arange(titles)
    return pl.DataFrame(
        {
            "title_id": _title_ids(numbers),
            "package_id": numbers.astype(str),
            "genres": [[f"g{number % TASTES}"] for number in numbers],
            "release_date": [dt.date(2020, 1, 1)] * titles,
        }
    )


def _title_ids(numbers: np.ndarray) -> pl.Series:
    """The ids that the snapshot's sample titles have; those count from one."""
    return pl.format("s-{}", pl.Series(numbers + 1).cast(pl.String).str.zfill(4)).pipe(pl.select).to_series()


def measure_training(viewers: int, titles: int) -> None:
    """Print what each step costs."""
    print(f"# {viewers} viewers, {titles} titles")
    with measured("draw"):
        viewing, catalogue = draw_viewing(viewers, titles), draw_titles(titles)
    with measured("affinity model"):
        affinity = train_affinity(viewing, seed=SEED)
    with measured("ranking model, evaluated"):
        trained = train_top_n(viewing, catalogue, seed=SEED)
    print(f"  ranker: {trained.ranker.reason} ({trained.ranker.viewers} viewers)")
    with measured("lists for all and publishing"), tempfile.TemporaryDirectory() as folder:
        facts = read_title_facts(catalogue)
        interactions = read_interactions(viewing, title_ids=facts.title_ids)
        published = publish(Path(folder), trained.model, affinity.model, interactions, facts, model_version="benchmark")
    print(f"  published {published.size_bytes / 1e6:.0f} MB")


def measure_first_stage(viewers: int, titles: int) -> None:
    """Print what the part of training costs that grows with titles, and what a list does."""
    print(f"# {viewers} viewers, {titles} titles")
    facts = read_title_facts(draw_titles(titles))
    with measured("viewing"):
        interactions = read_interactions(draw_viewing(viewers, titles), title_ids=facts.title_ids)
    with measured("item-item weights and rules"):
        model = fit_top_n(interactions, Recipe())
    few = replace(
        interactions.subset(interactions.viewers < LISTED_VIEWERS), viewer_ids=interactions.viewer_ids[:LISTED_VIEWERS]
    )
    with measured(f"{LISTED_VIEWERS} lists and publishing"), tempfile.TemporaryDirectory() as folder:
        published = publish(Path(folder), model, None, few, facts, model_version="benchmark")
    print(f"  published {published.size_bytes / 1e6:.0f} MB")


@contextmanager
def measured(step: str) -> Iterator[None]:
    """Print CPU seconds of a step and the most memory that the process has held so far."""
    started = time.process_time()
    yield
    peak_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"  {step:30s} {time.process_time() - started:8.1f} CPU s, peak {peak_gb:.2f} GB", flush=True)


class _Profiles:
    """Live profiles, all of the same length."""

    def __init__(self, recent: Callable[[str], list[WatchedTitle]]) -> None:
        self._recent = recent

    def profile(self, viewer_id: str) -> ViewerProfile:
        return ViewerProfile(
            viewer_id=viewer_id, resume=[], recent=self._recent(viewer_id), watch_list=[], preferences=Preferences()
        )


class _Router:
    def artwork_base_url(self, *_: object) -> str:
        return "http://edge.test"


class _Recorder:
    def record(self, impression: object) -> None:
        pass


async def measure_pages(titles: int) -> None:
    """Print the distribution of what a page costs, trees included."""
    viewing, catalogue = draw_viewing(10 * PAGE_VIEWERS, titles), draw_titles(titles)
    facts = read_title_facts(catalogue)
    interactions = read_interactions(viewing, title_ids=facts.title_ids)
    recipe = Recipe()
    plain = fit_top_n(interactions, recipe)
    affinity = fit_affinity(interactions, seed=SEED)
    viewer_ids = list(interactions.viewer_ids)[:PAGE_VIEWERS]
    for name, model in {
        "first stage": plain,
        "both stages": replace(plain, trees=draw_trees(recipe.ranker)),
    }.items():
        with tempfile.TemporaryDirectory() as home:
            folder = Path(home, "model")
            few = interactions.subset(interactions.viewers < PAGE_VIEWERS)
            known = replace(few, viewer_ids=viewer_ids)
            published = publish(folder, model, affinity, known, facts, model_version="benchmark")
            print(f"# {name}: {published.size_bytes / 1e6:.2f} MB for {published.viewers} viewers")
            publish_content(Path(home), make_content(title_count=titles, recommender_folder=folder))
            snapshots = ServedSnapshots(SnapshotReader(Path(home)), open_recommender, Counters())
            await snapshots.refresh()
            quiet = _Profiles(lambda _: [])
            if name == "first stage":
                report(snapshots, "popularity (baseline)", quiet, [f"{10**7 + row}" for row in range(PAGE_VIEWERS)])
                report(snapshots, "stored list", quiet, viewer_ids)
            report(snapshots, f"watched lately, {name}", _Profiles(watched_lately(titles)), viewer_ids)


def draw_trees(recipe: RankerRecipe) -> Trees:
    """As many and as deep as training grows: what they say costs the same."""
    rng = np.random.default_rng(SEED)
    nodes = 2**recipe.max_depth - 1
    return Trees(
        features=rng.integers(0, len(FEATURES), (recipe.rounds, nodes)).astype(np.uint8),
        thresholds=rng.normal(size=(recipe.rounds, nodes)).astype(np.float32),
        values=rng.normal(size=(recipe.rounds, nodes + 1)).astype(np.float32),
    )


def watched_lately(titles: int) -> Callable[[str], list[WatchedTitle]]:
    """Some titles after everything that training knows."""
    rng = np.random.default_rng(SEED)

    def recent(_: str) -> list[WatchedTitle]:
        return [
            WatchedTitle(title_id=title_id, completion=0.9, finished=True, watched_at=END + dt.timedelta(hours=1))
            for title_id in _title_ids(rng.integers(0, titles, WATCHED_LATELY)).to_list()
        ]

    return recent


def report(snapshots: ServedSnapshots, name: str, profiles: _Profiles, viewer_ids: list[str]) -> None:
    """Ask for a page of every viewer and print quantiles."""
    counters = Counters()
    service = HomeService(
        snapshots, _Router(), profiles, _Recorder(), counters, clock=lambda: END + dt.timedelta(hours=2)
    )
    for region_id in REGIONS:  # the shelf of the day is made once
        service.page(viewer_ids[0], region_id, max_age=None)
    costs_ms, because = [], 0
    for viewer_id in viewer_ids:
        region_id = REGIONS[int(viewer_id) % len(REGIONS)]
        started = time.thread_time()
        page = service.page(viewer_id, region_id, max_age=None)
        costs_ms.append(1e3 * (time.thread_time() - started))
        because += sum(len(row.titles) for row in page.rows if row.row_id.startswith(BECAUSE))
    p50, p99 = np.quantile(costs_ms, [0.5, 0.99])
    print(f"{name:32s} {len(costs_ms)} pages  p50 {p50:6.2f} ms  p99 {p99:6.2f} ms", end="")
    print(f"  {because / len(costs_ms):.1f} titles because of others  {counters.as_dict()}", flush=True)


if __name__ == "__main__":
    main()
