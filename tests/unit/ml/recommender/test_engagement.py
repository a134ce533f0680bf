from __future__ import annotations

import numpy as np
import pytest

from ml.recommender.engagement import BOUNCE_SHARE, affinity_of, history_weight_of


@pytest.mark.parametrize(
    ("watched_share", "affinity"),
    [(0.0, 1.0), (0.1, 1.35), (0.5, 2.75), (1.0, 4.5), (1.5, 4.75), (2.0, 5.0), (9.0, 5.0)],
)
def test_affinity_is_the_documented_table(watched_share, affinity):
    assert affinity_of(np.array([watched_share]))[0] == pytest.approx(affinity)


def test_a_bounce_steers_nothing_and_half_a_film_more_than_half_as_much_as_a_whole_one():
    bounce, half, whole, twice = history_weight_of(np.array([BOUNCE_SHARE - 0.01, 0.5, 1.0, 2.0]))
    assert bounce == 0.0
    assert half == pytest.approx(0.75)
    assert whole == twice == 1.0
