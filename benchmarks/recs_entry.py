"""Adapters that let a ratings harness measure the recommender: ``recommend`` for rankings, ``rate`` for ratings.

Both take the columns user_id, movie_id, rating and ``ts`` (unix seconds) or ``seq`` (position in the user's order), and
use the code that the product trains and serves with: blends are chosen on the training part, lists come out of
``OnlineRecommender``. Popularity answers for users without history, as the serving plane's fallback does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ml.recommender.affinity import choose_affinity_recipe, fit_affinity
from ml.recommender.assembly import assemble
from ml.recommender.features import Interactions, TitleFacts
from ml.recommender.online import OnlineRecommender
from ml.recommender.popularity import measure_popularity
from ml.recommender.top_n import Recipe, fit_top_n
from ml.recommender.tune import choose_recipe

if TYPE_CHECKING:
    import pandas as pd

SEED = 0
DAY_S = 86_400.0


def recommend(train: pd.DataFrame, users: np.ndarray, k: int) -> pd.DataFrame:
    """The ``k`` best movies for each user: user_id, movie_id, score."""
    import pandas as pd

    recommender, popular = fit_online(train)
    fallback = [(title_id, -float(place)) for place, title_id in enumerate(popular[:k])]
    rows = []
    for user in users.tolist():
        viewer_id = viewer_id_of(user)
        answer = recommender.recommend(viewer_id=viewer_id, recent=[], exclude=[], region_id=None, k=k)
        listed = [(title.title_id, title.score) for title in answer.titles] or fallback
        rows += [(user, int(title_id.removeprefix("ml-")), score) for title_id, score in listed]
    return pd.DataFrame(rows, columns=["user_id", "movie_id", "score"])


def fit_online(train: pd.DataFrame) -> tuple[OnlineRecommender, list[str]]:
    """What serves after training on these ratings, and all titles by popularity."""
    interactions = interactions_of_ratings(train)
    facts = facts_of_nothing(interactions.title_ids)
    tuned = choose_recipe(interactions, facts, Recipe(), seed=SEED)
    print(f"# {tuned.recipe.blend}, validation NDCG@10 {tuned.validation_ndcg_at_10:.4f}", flush=True)
    print(f"# ranker: {tuned.ranker.reason}, NDCG@10 {tuned.ranker.gain}", flush=True)
    model = fit_top_n(interactions, tuned.recipe, tuned.ranker.trees)
    recommender = OnlineRecommender(*assemble(model, interactions, facts, model_version="benchmark"))
    by_popularity = np.argsort(-measure_popularity(interactions).shares[0], kind="stable")
    return recommender, [interactions.title_ids[title] for title in by_popularity]


def rate(train: pd.DataFrame, pairs: pd.DataFrame) -> np.ndarray:
    """Predicted ratings of pairs of user_id and movie_id, by the affinity model."""
    interactions = interactions_of_ratings(train)
    recipe = choose_affinity_recipe(interactions, seed=SEED)
    print(f"# {recipe}", flush=True)
    model = fit_affinity(interactions, recipe, seed=SEED)
    viewers = [viewer_id_of(user) for user in pairs.user_id]
    titles = [title_id_of(movie) for movie in pairs.movie_id]
    return model.predict(viewers, titles)


def interactions_of_ratings(ratings: pd.DataFrame) -> Interactions:
    """Ratings as interactions: the rating is the affinity, and every rated movie was watched."""
    clock = "seq" if "seq" in ratings else "ts"
    ordered = ratings.sort_values(["user_id", clock], kind="stable") if clock in ratings else ratings
    ordered = ordered.sort_values("user_id", kind="stable")
    user_ids, viewers = np.unique(ordered.user_id.to_numpy(), return_inverse=True)
    movie_ids, titles = np.unique(ordered.movie_id.to_numpy(), return_inverse=True)
    if clock == "ts" and "ts" in ordered:
        watched_at = ordered.ts.to_numpy(np.float64)
    else:  # only an order per user is known: as if everybody had watched one title a day until the same day
        watched_at = -ordered.groupby("user_id").cumcount(ascending=False).to_numpy() * DAY_S
    return Interactions(
        viewer_ids=[viewer_id_of(user) for user in user_ids.tolist()],
        title_ids=[title_id_of(movie) for movie in movie_ids.tolist()],
        region_ids=["everywhere"],
        viewers=viewers.astype(np.int32),
        titles=titles.astype(np.int32),
        regions=np.zeros(len(ordered), np.int32),
        affinities=ordered.rating.to_numpy(np.float32),
        weights=np.ones(len(ordered), np.float32),
        watched_at=watched_at,
    )


def facts_of_nothing(title_ids: list[str]) -> TitleFacts:
    """A catalogue in which everything may be shown and nothing is known of any title."""
    count = len(title_ids)
    return TitleFacts(
        title_ids=title_ids,
        recommendable=np.ones(count, bool),
        genres=np.zeros((count, 1), np.float16),
        release_days=np.full(count, np.nan),
    )


def viewer_id_of(user: int) -> str:
    """As the model names them."""
    return f"v-{user:08d}"


def title_id_of(movie: int) -> str:
    """As the model names it."""
    return f"ml-{movie:08d}"
