from __future__ import annotations

import numpy as np
import pytest

from ml.recommender.errors import ModelFolderError
from ml.recommender.features import read_interactions
from ml.recommender.top_n import Recipe, fit_top_n, load_top_n, save_top_n


def dense(titles: np.ndarray, weights: np.ndarray) -> np.ndarray:
    matrix = np.zeros((len(titles), len(titles) + 1))
    for row in range(len(titles)):
        matrix[row, np.minimum(titles[row], len(titles))] += weights[row]
    return matrix[:, :-1]


def test_the_item_weights_solve_the_ridge_problem_of_ease(viewing):
    interactions = read_interactions(viewing)
    found = fit_top_n(interactions, Recipe(neighbours=1000))
    weights = dense(found.ease_titles, found.ease_weights)

    watched = np.zeros((len(interactions.viewer_ids), len(interactions.title_ids)))
    watched[interactions.viewers, interactions.titles] = 1.0
    gram = watched.T @ watched
    ridge = 2.0 * np.diag(gram).mean()
    # at the optimum the gradient of |X - XB|^2 + ridge |B|^2 vanishes but on the diagonal, which is held at 0
    gradient = gram @ weights - gram + ridge * weights
    np.testing.assert_allclose(gradient - np.diag(np.diag(gradient)), 0.0, atol=1e-3)
    np.testing.assert_array_equal(np.diag(weights), 0.0)


def test_rules_point_from_a_title_to_what_follows_it(build_viewing):
    interactions = read_interactions(build_viewing(viewers=4, per_viewer=3))
    model = fit_top_n(interactions, Recipe(neighbours=1000))
    rules = dense(model.rule_titles, model.rule_weights)
    first, second, third = interactions.titles[:3]
    assert rules[first, second] > 0
    assert rules[first, second] > rules[first, third] * 1.1
    others = interactions.titles[interactions.viewers != 0]
    if first not in others and second not in others:
        assert rules[second, first] == 0


def test_only_the_strongest_neighbours_are_kept(viewing):
    interactions = read_interactions(viewing)
    full = fit_top_n(interactions, Recipe(neighbours=1000))
    short = fit_top_n(interactions, Recipe(neighbours=5))
    assert short.ease_titles.shape == (30, 5)
    weights = np.abs(dense(full.ease_titles, full.ease_weights))
    kept = np.abs(dense(short.ease_titles, short.ease_weights))
    np.testing.assert_allclose(kept.sum(axis=1), np.sort(weights, axis=1)[:, -5:].sum(axis=1), rtol=1e-5)


def test_a_saved_model_is_read_back_as_it_was(viewing, tmp_path):
    model = fit_top_n(read_interactions(viewing), Recipe())
    save_top_n(model, tmp_path)
    read = load_top_n(tmp_path)
    assert read.facts == model.facts
    assert read.title_ids == model.title_ids
    np.testing.assert_array_equal(read.ease_weights, model.ease_weights)
    np.testing.assert_array_equal(read.rule_titles, model.rule_titles)


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(ModelFolderError, match="train again"):
        load_top_n(tmp_path)
