"""What the genres that viewers picked when they signed up give, before they have watched anything.

Usage: ``PYTHONPATH=. python benchmarks/recs_onboarding.py --seeds 11 12 13 14 15``, a sample world a seed. A fifth of
the viewers is taken out of the viewing altogether; the model learns from what the others watched in the first four
fifths of it. What the new viewers watched in the last fifth, at most the first ten titles of each, is to be found by
``OnlineRecommender``, which knows their region and age band, with and without the picks. NDCG@10; the difference is
paired by viewer.
"""

from __future__ import annotations

import argparse
import datetime as dt

import numpy as np
import polars as pl

from ml.recommender import read_interactions, read_title_facts, read_viewer_facts
from ml.recommender.assembly import assemble
from ml.recommender.online import OnlineRecommender
from ml.recommender.popularity import measure_popularity
from ml.recommender.ranking_metrics import bootstrap_interval, gain_at
from ml.recommender.top_n import Recipe, fit_top_n
from orchestration.sample.world import SampleWorld, make_world

SEED = 0
NOW = dt.datetime(2026, 10, 1, tzinfo=dt.UTC)
CUT = 10
NEW_SHARE, LATER_SHARE = 0.2, 0.2
WATCHED = 0.3
"""A title counts as wanted from this share of it."""
IDEAL = np.cumsum(gain_at(np.arange(CUT), CUT))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", required=True)
    gains = [measure(seed) for seed in parser.parse_args().seeds]
    pooled = {name: np.concatenate([of_world[name] for of_world in gains]) for name in gains[0]}
    print(f"all worlds, {report(pooled)}")


def measure(seed: int) -> dict[str, np.ndarray]:
    """NDCG@10 of each new viewer of a world, by what is known of them."""
    world = make_world(seed=seed, now=NOW, media_title_ids=["m-1"])
    viewing, viewers = viewing_of(world), world.viewers
    titles = world.titles.with_columns(package_id=pl.lit("p"))
    new = viewers["viewer_id"].sample(int(NEW_SHARE * viewers.height), seed=seed)
    cut = viewing["started_at"].quantile(1 - LATER_SHARE, "lower")
    is_new, is_later = pl.col("viewer_id").is_in(new.to_list()), pl.col("started_at") > cut
    facts = read_title_facts(titles)
    interactions = read_interactions(viewing.filter(~is_new & ~is_later), title_ids=facts.title_ids)
    model = fit_top_n(interactions, Recipe())
    known = {
        "region and age": viewers.with_columns(preferred_genres=pl.lit(None)),
        "picks too": viewers,
    }
    recommenders = {
        name: OnlineRecommender(
            *assemble(model, interactions, facts, model_version="", viewer_facts=read_viewer_facts(frame))
        )
        for name, frame in known.items()
    }
    popularity = measure_popularity(interactions)
    region_of = dict(viewers.select("viewer_id", "region_id").iter_rows())
    found: dict[str, list[float]] = {"region": [], **{name: [] for name in recommenders}}
    wanted = viewing.filter(is_new & is_later & (pl.col("completion") >= WATCHED)).unique(
        ["viewer_id", "title_id"], maintain_order=True
    )
    for (viewer_id,), rows in wanted.group_by("viewer_id", maintain_order=True):
        region_id, titles_wanted = region_of[viewer_id], set(rows["title_id"].head(CUT))
        shares = popularity.shares[popularity.region_ids.index(region_id)]
        popular = [interactions.title_ids[title] for title in np.argsort(-shares, kind="stable")[:CUT]]
        found["region"].append(ndcg(popular, titles_wanted))
        for name, recommender in recommenders.items():
            answer = recommender.recommend(viewer_id=viewer_id, recent=[], exclude=[], region_id=region_id, k=CUT)
            found[name].append(ndcg([title.title_id for title in answer.titles], titles_wanted))
    gains = {name: np.array(values) for name, values in found.items()}
    print(f"world {seed}, {report(gains)}", flush=True)
    return gains


def viewing_of(world: SampleWorld) -> pl.DataFrame:
    """The history as ``serving.srv_viewing`` has it."""
    viewing = world.viewing()
    started_us = ((viewing.started_s + world.window.start.timestamp()) * 1e6).astype(np.int64)
    return pl.DataFrame(
        {
            "session_id": pl.int_range(len(viewing), eager=True).cast(pl.String),
            "viewer_id": world.viewers["viewer_id"].gather(viewing.viewer),
            "title_id": world.titles["title_id"].gather(viewing.title),
            "region_id": world.viewers["region_id"].gather(viewing.viewer),
            "completion": viewing.completion,
            "started_at": pl.Series(started_us).cast(pl.Datetime("us", "UTC")),
        }
    )


def ndcg(listed: list[str], wanted: set[str]) -> float:
    """Of one list."""
    places = np.flatnonzero([title_id in wanted for title_id in listed])
    return float(gain_at(places, CUT).sum() / IDEAL[min(CUT, len(wanted)) - 1])


def report(gains: dict[str, np.ndarray]) -> str:
    """Means, and what the picks add."""
    means = ", ".join(f"{name} {values.mean():.4f}" for name, values in gains.items())
    added = bootstrap_interval(gains["picks too"] - gains["region and age"], seed=SEED)
    viewers = len(gains["picks too"])
    return f"{viewers} new viewers: {means}; picks add {added.mean:+.4f} ({added.low:+.4f} to {added.high:+.4f})"


if __name__ == "__main__":
    main()
