"""How near off-policy evaluation comes to the truth, in a made-up world where the truth is known.

Usage: ``PYTHONPATH=. nice python benchmarks/recs_off_policy.py``. Pages show the region's popular titles, with the
exploration of the home page. Each viewer plays a shown title by their true taste and by how many look at its place.
From these pages alone it is estimated what rows of a personal model would have earned, beside what they do earn in
this world.
"""

from __future__ import annotations

import argparse
import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ml.recommender import OnlineRecommender, read_interactions, read_title_facts
from ml.recommender.assembly import assemble
from ml.recommender.errors import SupportTooThin
from ml.recommender.off_policy import OffPolicyEstimate, ShownPlaces, estimate
from ml.recommender.top_n import Recipe, fit_top_n
from orchestration.sample import SampleWorld, WorldSize, make_world
from playback_api.domain.home.exploration import (
    EPSILON,
    FIRST_EXPLORED_POSITION,
    ExplorationPool,
    day_generator,
    explore,
)

NOW = dt.datetime(2026, 10, 1, tzinfo=dt.UTC)
ROW_LENGTH = 20
EXAMINATION_EXPONENT = 0.7
PLAYS_OF_A_WHOLE_CATALOGUE = 4.0
"""How many titles a viewer would play who looked at all of them."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Stage:
    """A world, what each viewer would play of it, and two rankings.

    Attributes:
        appeal: [V, T] the chance that a viewer who looks at a title plays it.
        popular: [V, K] rows of title numbers for each viewer.
        personal: [V, K - 2] what the model would put behind the first two places of popularity, which never explore.
    """

    world: SampleWorld
    appeal: NDArray[np.float64]
    popular: NDArray[np.int64]
    personal: NDArray[np.int64]

    def truth(self, rows: NDArray[np.int64], viewers: NDArray[np.int64]) -> float:
        """Plays a page that rows earn from the places that explore, without a draw of luck."""
        looks = (1.0 + FIRST_EXPLORED_POSITION + np.arange(rows.shape[1])) ** -EXAMINATION_EXPONENT
        known = rows[viewers] >= 0
        played = np.take_along_axis(self.appeal[viewers], np.maximum(rows[viewers], 0), axis=1)
        return float((np.where(known, played, 0.0) * looks).sum(axis=1).mean())


def make_stage(*, seed: int, size: WorldSize) -> Stage:
    """A world with its history, popularity by region and a model trained on the history."""
    world = make_world(seed=seed, now=NOW, media_title_ids=["a"], size=size)
    viewers = np.arange(len(world.viewers))
    weights = world.choice_weights(viewers, NOW.date())
    appeal = np.minimum(PLAYS_OF_A_WHOLE_CATALOGUE * weights / weights.sum(axis=1, keepdims=True), 1.0)
    history = world.viewing()
    counts = np.zeros((len(world.network.regions), len(world.titles)))
    np.add.at(counts, (world.region_of[history.viewer], history.title), 1.0)
    popular = np.argsort(-counts, axis=1, kind="stable")[:, :ROW_LENGTH][world.region_of]
    return Stage(
        world=world,
        appeal=appeal,
        popular=popular,
        personal=_personal_rows(world, popular[:, :FIRST_EXPLORED_POSITION]),
    )


def _personal_rows(world: SampleWorld, kept: NDArray[np.int64]) -> NDArray[np.int64]:
    history = world.viewing()
    viewer_ids, title_ids = world.viewers["viewer_id"], world.titles["title_id"]
    seconds = world.window.start.timestamp() + history.started_s
    viewing = pl.DataFrame(
        {
            "session_id": [f"h-{number}" for number in range(len(history.viewer))],
            "viewer_id": viewer_ids.gather(history.viewer),
            "title_id": title_ids.gather(history.title),
            "region_id": world.viewers["region_id"].gather(history.viewer),
            "completion": history.completion,
            "started_at": pl.Series(seconds * 1e6).cast(pl.Int64).cast(pl.Datetime("us", "UTC")),
        }
    )
    facts = read_title_facts(world.titles.with_columns(package_id=pl.lit("p")))
    interactions = read_interactions(viewing, title_ids=facts.title_ids)
    model = OnlineRecommender(*assemble(fit_top_n(interactions, Recipe()), interactions, facts, model_version=""))
    number_of = {title_id: number for number, title_id in enumerate(title_ids)}
    rows = np.full((len(world.viewers), ROW_LENGTH - kept.shape[1]), -1)
    for viewer, viewer_id in enumerate(viewer_ids):
        exclude = [title_ids[title] for title in kept[viewer].tolist()]
        answer = model.recommend(viewer_id=viewer_id, recent=[], exclude=exclude, region_id=None, k=rows.shape[1])
        rows[viewer, : len(answer.titles)] = [number_of[title.title_id] for title in answer.titles]
    return rows


def show_pages(stage: Stage, viewers: NDArray[np.int64], *, epsilon: float, seed: int) -> ShownPlaces:
    """A page for each of the viewers, by popularity with the exploration of the home page, and what was played."""
    rng = np.random.default_rng([seed, 7])
    title_ids = [str(number) for number in range(len(stage.world.titles))]
    members = set(title_ids)
    placed: list[tuple[int, int, int, float, bool]] = []
    for page, viewer in enumerate(viewers.tolist()):
        ranked = [title_ids[title] for title in stage.popular[viewer]]
        pool = ExplorationPool(title_ids, members, ranked)
        generator = day_generator(f"{viewer}", f"{seed}-{page}")
        placed += [
            (page, int(placing.title_id), position, placing.propensity, placing.explored)
            for position, placing in enumerate(explore(ranked, pool, generator, epsilon=epsilon))
            if position >= FIRST_EXPLORED_POSITION
        ]
    pages, titles, positions, propensities, explored = (np.array(column) for column in zip(*placed, strict=True))
    chance = stage.appeal[viewers[pages], titles] * (1.0 + positions) ** -EXAMINATION_EXPONENT
    return ShownPlaces(
        pages=pages,
        titles=titles,
        positions=positions,
        propensities=propensities,
        explored=explored,
        played=rng.random(len(pages)) < chance,
        viewers=viewers,
    )


def compare(stage: Stage, pages: int, *, epsilon: float, seed: int) -> tuple[OffPolicyEstimate, float]:
    """An estimate for the personal rows from pages of popularity, and the truth of these viewers."""
    viewers = np.random.default_rng([seed, 8]).integers(0, len(stage.world.viewers), pages)
    shown = show_pages(stage, viewers, epsilon=epsilon, seed=seed)
    return estimate(shown, stage.personal[viewers], seed=seed), stage.truth(stage.personal, viewers)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--titles", type=int, default=WorldSize().titles)
    parser.add_argument("--pages", type=int, nargs="+", default=[3_000, 30_000, 150_000])
    parser.add_argument("--worlds", type=int, default=3)
    given = parser.parse_args(arguments)
    print("pages  world  truth   SNIPS                     doubly robust             error  places in effect")
    for seed in range(1, given.worlds + 1):
        stage = make_stage(seed=seed, size=WorldSize(titles=given.titles))
        for pages in given.pages:
            try:
                found, truth = compare(stage, pages, epsilon=EPSILON, seed=seed)
            except SupportTooThin as reason:
                print(f"{pages:6d} {seed:5d}   {reason}")
                continue
            snips, robust = found.snips, found.doubly_robust
            print(
                f"{pages:6d} {seed:5d}   {truth:.4f}  {snips.mean:.4f} ({snips.low:.4f} to {snips.high:.4f})  "
                f"{robust.mean:.4f} ({robust.low:.4f} to {robust.high:.4f})  {snips.mean / truth - 1:+.1%} "
                f"{robust.mean / truth - 1:+.1%}  {found.effective_places:.0f}  (shown {found.shown.mean:.4f}, "
                f"looks fall by {found.examination_exponent:.2f})"
            )


if __name__ == "__main__":
    main()
