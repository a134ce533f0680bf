from __future__ import annotations

import numpy as np
import pytest
import surprise

from ml.recommender.affinity import (
    ALGORITHM_SVD,
    ALGORITHM_SVDPP,
    _trainset,
    affordable_algorithm,
    fit_affinity,
    load_affinity,
    save_affinity,
)
from ml.recommender.features import read_interactions


@pytest.fixture(scope="module")
def interactions(build_viewing):
    return read_interactions(build_viewing(viewers=30))


@pytest.mark.parametrize(
    ("algorithm", "fitted"),
    [(ALGORITHM_SVD, surprise.SVD(random_state=7)), (ALGORITHM_SVDPP, surprise.SVDpp(random_state=7))],
)
def test_the_exported_arrays_predict_what_surprise_predicts(interactions, algorithm, fitted):
    model = fit_affinity(interactions, seed=7, algorithm=algorithm)
    fitted.fit(_trainset(interactions))
    viewers, titles = ["v-000003", "v-000004", "nobody", "v-000005"], ["s-0001", "s-0002", "s-0001", "nothing"]
    expected = [fitted.predict(viewer, title).est for viewer, title in zip(viewers, titles, strict=True)]
    np.testing.assert_allclose(model.predict(viewers, titles), expected, atol=1e-4)


def test_long_histories_are_left_to_the_cheaper_algorithm(interactions, monkeypatch):
    assert affordable_algorithm(interactions) == ALGORITHM_SVDPP
    monkeypatch.setattr("ml.recommender.affinity.SVDPP_MAX_SQUARED_HISTORIES", 100)
    assert affordable_algorithm(interactions) == ALGORITHM_SVD


def test_a_saved_model_predicts_the_same(interactions, tmp_path):
    model = fit_affinity(interactions, seed=0)
    save_affinity(model, tmp_path)
    question = (["v-000001", "v-000002"], ["s-0001", "s-0002"])
    np.testing.assert_array_equal(load_affinity(tmp_path).predict(*question), model.predict(*question))


def test_the_same_seed_gives_the_same_model(interactions):
    first, second = fit_affinity(interactions, seed=3), fit_affinity(interactions, seed=3)
    np.testing.assert_array_equal(first.viewer_factors, second.viewer_factors)
