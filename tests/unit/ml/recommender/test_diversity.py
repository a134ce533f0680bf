from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from ml.recommender.diversity import diversified, likeness_of

NO_TITLE = np.iinfo(np.uint16).max


def test_of_two_alike_titles_the_second_gives_way_to_one_that_is_nearly_as_good():
    scores = np.array([1.0, 0.9, 0.85, 0.1], np.float32)
    likeness = np.zeros((4, 4), np.float32)
    likeness[0, 1] = likeness[1, 0] = 1.0
    assert diversified(scores, np.zeros((4, 4)))[0].tolist() == [0, 1, 2, 3]
    assert diversified(scores, likeness)[0].tolist() == [0, 2, 1, 3]


def test_a_much_better_title_stays_before_unlike_ones():
    scores = np.array([1.0, 0.9, 0.1, 0.0], np.float32)
    assert diversified(scores, np.ones((4, 4)))[0].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("count", [0, 1, 15, 60])
def test_every_candidate_stands_once_and_values_never_rise(count):
    rng = np.random.default_rng(count)
    likeness = rng.random((count, count))
    order, values = diversified(rng.normal(size=count), np.maximum(likeness, likeness.T))
    assert sorted(order.tolist()) == list(range(count))
    assert (np.diff(values) <= 1e-6).all()


def test_titles_are_alike_when_one_is_watched_after_the_other():
    arrays = SimpleNamespace(
        rule_titles=np.array([[1, 2], [0, NO_TITLE], [3, NO_TITLE], [NO_TITLE, NO_TITLE]], np.uint16),
        rule_weights=np.array([[0.3, 0.2], [0.1, 0.0], [9.0, 0.0], [0.0, 0.0]], np.float32),
    )
    expected = [[0.0, 0.5, 1.0], [0.5, 0.0, 0.0], [1.0, 0.0, 0.0]]
    np.testing.assert_allclose(
        likeness_of(arrays, np.array([2, 0, 1])), [[0, 0.5, 0], [0.5, 0, 1], [0, 1, 0]], rtol=1e-5
    )
    np.testing.assert_allclose(likeness_of(arrays, np.array([0, 2, 1])), expected, rtol=1e-5)
    np.testing.assert_array_equal(likeness_of(arrays, np.array([1, 3])), np.zeros((2, 2)))
