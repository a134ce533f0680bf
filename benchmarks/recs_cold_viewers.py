"""What the age band of viewers who have watched nothing gives, beside popularity in their region.

Usage: ``PYTHONPATH=. python benchmarks/recs_cold_viewers.py --users users.parquet --split gt30 gt20``: splits in time
by ``harness/recs_eval.py split``, and a table of user_id and age. Viewers of the test part who are not in the training
part are asked for at ``OnlineRecommender``, which knows their age band alone. The difference is paired by viewer; the
last line is over all splits, each viewer counted once with the mean over the splits in which they are new.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl

from benchmarks.recs_entry import SEED, facts_of_nothing, interactions_of_ratings, title_id_of, viewer_id_of
from ml.recommender import read_viewer_facts
from ml.recommender.assembly import assemble
from ml.recommender.online import OnlineRecommender
from ml.recommender.popularity import measure_popularity
from ml.recommender.ranking_metrics import bootstrap_interval
from ml.recommender.top_n import Recipe, fit_top_n

sys.path.insert(0, str(Path(__file__).parent / "harness"))

import recs_eval

LISTED = 20
BAND_STARTS = (18, 25, 35, 45, 55)
BANDS = ("under-18", "18-24", "25-34", "35-44", "45-54", "55+")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=Path, required=True)
    parser.add_argument("--split", type=Path, nargs="+", required=True)
    arguments = parser.parse_args()
    viewer_facts = read_viewer_facts(viewers_of(pd.read_parquet(arguments.users)))
    differences = []
    for split in arguments.split:
        data = recs_eval.load_split(split)
        interactions = interactions_of_ratings(data.train)
        model, facts = fit_top_n(interactions, Recipe()), facts_of_nothing(list(interactions.title_ids))
        recommender = OnlineRecommender(
            *assemble(model, interactions, facts, model_version="benchmark", viewer_facts=viewer_facts)
        )
        popular = np.argsort(-measure_popularity(interactions).shares[0], kind="stable")[:LISTED]
        number_of = {title_id_of(movie): number for number, movie in enumerate(data.items.tolist())}
        by_age = np.array([listed_for(recommender, user, number_of) for user in data.cold_users.tolist()])
        wanted = data.positives(data.test_cold, data.cold_users)
        popularity_gains = recs_eval.metrics(data, np.tile(popular, (len(wanted), 1)), wanted)[1]
        age_gains = recs_eval.metrics(data, by_age, wanted)[1]
        differences.append(pd.Series(age_gains - popularity_gains, index=data.cold_users))
        print(f"{split.name}: popularity {popularity_gains.mean():.4f}, by age {age_gains.mean():.4f}", end="")
        print(difference_in_words(differences[-1].to_numpy()))
    by_viewer = pd.concat(differences).groupby(level=0).mean()
    print(f"all splits{difference_in_words(by_viewer.to_numpy())}")


def viewers_of(users: pd.DataFrame) -> pl.DataFrame:
    """As ``serving.srv_viewers`` tells of them."""
    bands = np.array(BANDS)[np.digitize(users.age, BAND_STARTS)]
    viewer_ids = [viewer_id_of(user) for user in users.user_id]
    return pl.DataFrame({"viewer_id": viewer_ids, "age_band": bands}).with_columns(preferred_genres=pl.lit(None))


def listed_for(recommender: OnlineRecommender, user: int, number_of: dict[str, int]) -> list[int]:
    """Numbers of the titles that a viewer without history gets."""
    answer = recommender.recommend(viewer_id=viewer_id_of(user), recent=[], exclude=[], region_id=None, k=LISTED)
    return [number_of[title.title_id] for title in answer.titles]


def difference_in_words(difference: np.ndarray) -> str:
    """The mean with its 95 % interval."""
    interval = bootstrap_interval(difference, seed=SEED)
    return f", {len(difference)} viewers, difference {interval.mean:+.4f} ({interval.low:+.4f} to {interval.high:+.4f})"


if __name__ == "__main__":
    main()
