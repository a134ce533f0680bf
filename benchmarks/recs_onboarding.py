"""What the genres that viewers picked when they signed up give, before they have watched anything and shortly after.

Usage: ``PYTHONPATH=. python benchmarks/recs_onboarding.py --seeds 11 12 13 14 15``, a sample world a seed. A fifth of
the viewers is taken out of the viewing altogether; the model learns from what the others watched in the first four
fifths of it. What the new viewers watched in the last fifth, at most the first ten titles of each, is to be found by
``OnlineRecommender``, which knows their region and age band, with and without the picks; then the same with the first
few of these titles known, as a live profile would send them, the next ones to be found, with and without what is known
from signing up. NDCG@10; the differences are paired by viewer.
"""

from __future__ import annotations

import argparse
import datetime as dt

import numpy as np
import polars as pl

from ml.recommender import read_interactions, read_title_facts, read_viewer_facts
from ml.recommender.assembly import assemble
from ml.recommender.online import OnlineRecommender, RecentWatch
from ml.recommender.popularity import measure_popularity
from ml.recommender.ranking_metrics import bootstrap_interval, gain_at
from ml.recommender.top_n import Recipe, fit_top_n
from ml.recommender.tune import choose_recipe
from orchestration.sample.world import SampleWorld, make_world

SEED = 0
NOW = dt.datetime(2026, 10, 1, tzinfo=dt.UTC)
CUT = 10
KNOWN = (0, 1, 2, 3, 5, 10)
NEW_SHARE, LATER_SHARE = 0.2, 0.2
WATCHED = 0.3
"""A title counts as wanted from this share of it."""
IDEAL = np.cumsum(gain_at(np.arange(CUT), CUT))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", required=True)
    worlds = {f"world {seed}": measure(seed) for seed in parser.parse_args().seeds}
    for name, frame in {**worlds, "all worlds": pl.concat(worlds.values())}.items():
        print(name, report(frame), sep="\n", flush=True)


def measure(seed: int) -> pl.DataFrame:
    """NDCG@10 of each new viewer of a world: known (how many titles), region, age, picks."""
    world = make_world(seed=seed, now=NOW, media_title_ids=["m-1"])
    viewing, viewers = viewing_of(world), world.viewers
    new = viewers["viewer_id"].sample(int(NEW_SHARE * viewers.height), seed=seed)
    cut = viewing["started_at"].quantile(1 - LATER_SHARE, "lower")
    is_new, is_later = pl.col("viewer_id").is_in(new.to_list()), pl.col("started_at") > cut
    facts = read_title_facts(world.titles.with_columns(package_id=pl.lit("p")))
    interactions = read_interactions(viewing.filter(~is_new & ~is_later), title_ids=facts.title_ids)
    tuned = choose_recipe(interactions, facts, Recipe(), seed=SEED)
    model = fit_top_n(interactions, tuned.recipe, tuned.ranker.trees)

    def recommender(known: pl.DataFrame) -> OnlineRecommender:
        facts_known = read_viewer_facts(known)
        return OnlineRecommender(*assemble(model, interactions, facts, model_version="", viewer_facts=facts_known))

    nothing = viewers.with_columns(age_band=pl.lit(None, pl.String), preferred_genres=pl.lit(None))
    ways = {
        "region": recommender(nothing),
        "age": recommender(nothing.with_columns(viewers["age_band"])),
        "picks": recommender(viewers),
    }
    popularity = measure_popularity(interactions)
    region_of = dict(viewers.select("viewer_id", "region_id").iter_rows())
    wanted = viewing.filter(is_new & is_later & (pl.col("completion") >= WATCHED)).unique(
        ["viewer_id", "title_id"], keep="first", maintain_order=True
    )
    rows = []
    for (viewer_id,), watched in wanted.group_by("viewer_id", maintain_order=True):
        region_id, title_ids = region_of[viewer_id], watched["title_id"].to_list()
        shares = popularity.shares[popularity.region_ids.index(region_id)]
        by_popularity = [interactions.title_ids[title] for title in np.argsort(-shares, kind="stable")]
        for known in (count for count in KNOWN if len(title_ids) > count):
            recent = [
                RecentWatch(title_id=title_id, completion=1.0, watched_at=NOW + dt.timedelta(minutes=place))
                for place, title_id in enumerate(title_ids[:known])
            ]
            next_ones = set(title_ids[known : known + CUT])
            popular = [title_id for title_id in by_popularity if title_id not in title_ids[:known]][:CUT]
            row = {"known": known, "popular": ndcg(popular, next_ones)}
            for name, way in ways.items():
                answer = way.recommend(viewer_id=viewer_id, recent=recent, exclude=[], region_id=region_id, k=CUT)
                row[name] = ndcg([title.title_id for title in answer.titles] or popular, next_ones)
            rows.append(row)
    return pl.DataFrame(rows)


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


def report(gains: pl.DataFrame) -> str:
    """Means by number of titles known, and what knowing the picks and the age adds to knowing the region."""
    lines = []
    for known in KNOWN:
        rows = gains.filter(pl.col("known") == known)
        columns = {name: rows[name].to_numpy() for name in ("popular", "region", "age", "picks")}
        means = "  ".join(f"{name} {values.mean():.4f}" for name, values in columns.items())
        added = bootstrap_interval(columns["picks"] - columns["region"], seed=SEED)
        by_picks = bootstrap_interval(columns["picks"] - columns["age"], seed=SEED)
        lines.append(
            f"  {known:2d} known, {rows.height:4d} viewers: {means}  "
            f"picks - region {added.mean:+.4f} ({added.low:+.4f} to {added.high:+.4f})  "
            f"picks - age {by_picks.mean:+.4f} ({by_picks.low:+.4f} to {by_picks.high:+.4f})"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
