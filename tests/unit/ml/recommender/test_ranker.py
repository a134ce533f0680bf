from __future__ import annotations

import lightgbm as lgb
import numpy as np
import pytest

from ml.recommender.assembly import assemble
from ml.recommender.candidate_features import FEATURES
from ml.recommender.features import newest_held_out, read_interactions, read_title_facts
from ml.recommender.model_files import Blend
from ml.recommender.online import OnlineRecommender
from ml.recommender.publication import publish
from ml.recommender.ranker import CURVE_STEP, RankerRecipe, export_trees, learn_ranker
from ml.recommender.top_n import Recipe, fit_top_n, load_top_n, save_top_n
from ml.recommender.trees import Trees, no_trees
from ml.recommender.tune import choose_recipe

SMALL = RankerRecipe(min_viewers=20, rounds=30, smallest_leaf=5)


@pytest.fixture(scope="module")
def world(build_viewing, titles):
    facts = read_title_facts(titles)
    return read_interactions(build_viewing(viewers=160), title_ids=facts.title_ids), facts


@pytest.fixture(scope="module")
def asked(world):
    interactions, facts = world
    known, held_out = newest_held_out(interactions, 0.1)
    _, arrays = assemble(fit_top_n(known, Recipe()), known, facts, model_version="")
    viewers, first = np.unique(held_out.viewers, return_index=True)
    return arrays, dict(zip(viewers.tolist(), held_out.titles[first].tolist(), strict=True))


@pytest.mark.parametrize(("leaves", "max_depth"), [(4, 2), (16, 6), (31, 6)])
def test_exported_trees_score_as_lightgbm_does(leaves, max_depth):
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(3000, 5)).astype(np.float32).round(2)
    target = rows[:, 0] * (rows[:, 1] > 0.25) + rows[:, 2]
    parameters = {"num_leaves": leaves, "max_depth": max_depth, "use_missing": False, "verbosity": -1, "num_threads": 1}
    booster = lgb.train(parameters, lgb.Dataset(rows, target), 20)
    trees = export_trees(booster.dump_model()["tree_info"], max_depth)
    np.testing.assert_allclose(trees.scores(rows), booster.predict(rows), atol=1e-4)


def test_a_tree_that_is_a_single_leaf_gives_its_value_to_everybody():
    trees = export_trees([{"tree_structure": {"leaf_value": 0.5}}], 3)
    np.testing.assert_array_equal(trees.scores(np.zeros((2, 4), np.float32)), [0.5, 0.5])


def test_without_trees_everything_scores_zero():
    np.testing.assert_array_equal(no_trees().scores(np.ones((3, 2), np.float32)), 0.0)


def test_few_viewers_are_left_to_the_first_stage(asked):
    arrays, watched = asked
    ranker = learn_ranker(arrays, Blend(), watched, RankerRecipe(), seed=0)
    assert len(ranker.trees) == 0
    assert "1500 with a shortlisted title are needed" in ranker.reason


def test_a_world_that_is_large_enough_gets_a_ranker_by_itself(world):
    interactions, facts = world
    tuned = choose_recipe(interactions, facts, Recipe(ranker=RankerRecipe(min_viewers=40, rounds=5)), seed=0)
    assert tuned.ranker.viewers >= 40
    assert tuned.ranker.gain is not None


def test_trees_learn_what_the_first_stage_does_not_know(asked):
    """What everybody watches next is the title with the highest number: only the ranker can find out."""
    arrays, watched = asked
    arrays.title_features[:, 0] = np.arange(len(arrays.title_features))
    highest = {}
    for viewer in watched:
        start, end = arrays.history_starts[viewer : viewer + 2]
        seen = set(arrays.history_titles[start:end].tolist())
        highest[viewer] = max(set(range(len(arrays.recommendable))) - seen)
    ranker = learn_ranker(arrays, Blend(), highest, SMALL, seed=0)
    assert len(ranker.trees) == SMALL.rounds
    assert ranker.gain.low > 0.2
    assert len(ranker.learning_curve) == -(-SMALL.rounds // CURVE_STEP)
    assert ranker.learning_curve[-1] == pytest.approx(ranker.gain.mean)


def test_trees_that_rank_no_better_are_not_used(asked):
    arrays, watched = asked
    rng = np.random.default_rng(1)
    anything = {viewer: int(rng.integers(len(arrays.recommendable))) for viewer in watched}
    ranker = learn_ranker(arrays, Blend(), anything, SMALL, seed=0)
    assert len(ranker.trees) == 0
    assert ranker.reason == "no better than the first stage"


def test_a_ranked_list_follows_the_trees_and_survives_saving_and_publishing(world, tmp_path):
    """One tree that prefers widely watched titles turns the list round."""
    interactions, facts = world
    column = FEATURES.index("log_viewers")
    counts = np.log1p(np.bincount(interactions.titles, minlength=len(facts.title_ids)))
    median = np.float32(np.median(counts))
    popular_first = Trees(
        features=np.array([[column]], np.uint8),
        thresholds=np.array([[median]], np.float32),
        values=np.array([[0.0, 1.0]], np.float32),
    )
    save_top_n(fit_top_n(interactions, Recipe(), popular_first), tmp_path / "model")
    publish(tmp_path / "published", load_top_n(tmp_path / "model"), None, interactions, facts, model_version="1")
    recommender = OnlineRecommender.load(tmp_path / "published")
    listed = recommender.recommend(viewer_id="v-000003", recent=[], exclude=[], region_id=None, k=30).titles
    popular = [bool(counts[facts.title_ids.index(title.title_id)] > median) for title in listed]
    assert popular == sorted(popular, reverse=True)
    assert len(set(popular)) == 2


def test_the_newest_titles_are_held_out_and_nothing_later_is_known(world):
    interactions, _ = world
    known, held_out = newest_held_out(interactions, 0.1)
    assert known.watched_at.max() < held_out.watched_at.min()
    assert held_out.viewer_count >= 50
    watched = set(zip(interactions.viewers.tolist(), interactions.titles.tolist(), strict=True))
    assert set(zip(held_out.viewers.tolist(), held_out.titles.tolist(), strict=True)) <= watched
