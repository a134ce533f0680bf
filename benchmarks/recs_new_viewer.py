"""How much a viewer whom training never saw gets of the ranking that a full history gives, without retraining.

Usage: ``PYTHONPATH=. python benchmarks/recs_new_viewer.py --split ml1m-last``, a leave-last split by
``harness/recs_eval.py split``. Some users are left out of training altogether. Their watching then arrives as a live
profile would send it, at ``OnlineRecommender``: all of it, or only the newest few titles, and the title held out is to
be found. Beside it the very first titles of these users, the one after them to be found: another question, whose
scale is what popularity answers to it and not the full history, of which there is none yet.
"""

from __future__ import annotations

import argparse
import datetime as dt
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.recs_entry import SEED, fit_online, title_id_of
from ml.recommender.online import OnlineRecommender, RecentWatch
from ml.recommender.ranking_metrics import Interval, bootstrap_interval, gain_at

CUT = 10
NEWEST = (1, 2, 5, 10, 20)
START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--split", type=Path, required=True)
    parser.add_argument("--viewers", type=int, default=1000, help="left out of training")
    arguments = parser.parse_args()
    train, test = (pd.read_parquet(arguments.split / f"{part}.parquet") for part in ("train", "test"))
    last_movie = dict(zip(test.user_id.tolist(), test.movie_id.tolist(), strict=True))
    users = np.random.default_rng(SEED).permutation(sorted(last_movie))[: arguments.viewers].tolist()
    new = train.user_id.isin(users)
    recommender, popular = fit_online(train[~new])
    watched = {user: movies.tolist() for user, movies in train[new].groupby("user_id").movie_id}

    full = [rank_of(recommender, watched[user], last_movie[user]) for user in users]
    whole = report("full history", full, None)
    for count in NEWEST:
        ranks = [rank_of(recommender, watched[user][-count:], last_movie[user]) for user in users]
        report(f"newest {count}", ranks, whole)
    report("popularity", [place_of(title_id_of(last_movie[user]), popular) for user in users], whole)
    for count in NEWEST:
        long_enough = [user for user in users if len(watched[user]) > count]
        ranks = [rank_of(recommender, watched[user][:count], watched[user][count]) for user in long_enough]
        report(f"first {count}, the next to be found", ranks, None)
        unseen = [
            place_of(title_id_of(watched[user][count]), unwatched(popular, watched[user][:count]))
            for user in long_enough
        ]
        report("  the same by popularity", unseen, None)


def rank_of(recommender: OnlineRecommender, movies: Sequence[int], wanted: int) -> int:
    """The place of a movie in the list for a viewer who is known by these movies alone, oldest first."""
    recent = [
        RecentWatch(title_id=title_id_of(movie), completion=1.0, watched_at=START + dt.timedelta(minutes=place))
        for place, movie in enumerate(movies)
    ]
    answer = recommender.recommend(viewer_id=None, recent=recent, exclude=(), region_id=None, k=CUT)
    return place_of(title_id_of(wanted), [title.title_id for title in answer.titles])


def unwatched(title_ids: Sequence[str], movies: Sequence[int]) -> list[str]:
    """The first titles without those that were watched."""
    seen = {title_id_of(movie) for movie in movies}
    return [title_id for title_id in title_ids[: CUT + len(seen)] if title_id not in seen][:CUT]


def place_of(title_id: str, listed: Sequence[str]) -> int:
    """0 is first, -1 is not there."""
    return listed.index(title_id) if title_id in listed else -1


def report(name: str, ranks: Sequence[int], whole: Interval | None) -> Interval:
    """Print a line and give NDCG@10 back."""
    ndcg = bootstrap_interval(gain_at(np.array(ranks), CUT), seed=SEED)
    share = "" if whole is None else f"  {ndcg.mean / whole.mean:.0%} of full history"
    print(f"{name:32s} {len(ranks)} viewers  NDCG@10 {ndcg.mean:.4f} ({ndcg.low:.4f} to {ndcg.high:.4f}){share}")
    return ndcg


if __name__ == "__main__":
    main()
