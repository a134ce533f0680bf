from __future__ import annotations

import numpy as np

from ml.recommender import tune
from ml.recommender.features import read_interactions, read_title_facts
from ml.recommender.ranker import RankerRecipe
from ml.recommender.top_n import Recipe, fit_top_n
from ml.recommender.tune import _GRID, TREND_SHARES, _most_popular_of_the_best

PERSONAL = next(place for place, blend in enumerate(_GRID) if blend.trend_share == 0.0)
TREND = next(place for place, blend in enumerate(_GRID) if blend.trend_share == max(TREND_SHARES))


def gains_of(viewers: int, lead: float) -> np.ndarray:
    """One personal blend ahead of one that follows the trend, by viewer at random; all others find nothing."""
    rng = np.random.default_rng(0)
    gains = np.zeros((viewers, len(_GRID)))
    gains[:, TREND] = 0.5
    gains[:, PERSONAL] = 0.5 + lead + rng.permutation(np.linspace(-0.5, 0.5, viewers))
    return gains


def test_a_lead_that_few_viewers_cannot_prove_is_left_to_the_trend():
    assert _most_popular_of_the_best(gains_of(50, lead=0.03)) == TREND


def test_the_same_lead_is_followed_once_enough_viewers_show_it():
    assert _most_popular_of_the_best(gains_of(2000, lead=0.03)) == PERSONAL


def test_of_blends_with_the_same_trend_the_best_is_taken():
    gains = gains_of(50, lead=0.03)
    gains[:, TREND + 1 : TREND + 1 + len(TREND_SHARES)] = 0.5
    gains[:, TREND + len(TREND_SHARES)] = 0.51
    assert _GRID[TREND + len(TREND_SHARES)].trend_share == _GRID[TREND].trend_share
    assert _most_popular_of_the_best(gains) == TREND + len(TREND_SHARES)


def test_blend_and_trees_share_the_training_at_a_cut(build_viewing, build_titles, monkeypatch):
    trained = []

    def counted(known, recipe):
        trained.append(len(known))
        return fit_top_n(known, recipe)

    monkeypatch.setattr(tune, "fit_top_n", counted)
    facts = read_title_facts(build_titles())
    interactions = read_interactions(build_viewing(), title_ids=facts.title_ids)
    recipe = Recipe(ranker=RankerRecipe(min_viewers=10))
    tuned = tune.choose_recipe(interactions, facts, recipe, seed=0)
    assert tuned.ranker.viewers > 0, "trees were tried"
    assert len(trained) == len(set(trained)) > 1
