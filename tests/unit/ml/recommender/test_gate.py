from __future__ import annotations

import numpy as np
import pytest

from ml.recommender.gate import EPSILON, decide

RNG = np.random.default_rng(0)
POPULARITY = RNG.uniform(0.0, 0.2, 400)
BETTER = POPULARITY + 0.05


def test_the_first_model_must_beat_popularity():
    assert decide(BETTER, POPULARITY, None, seed=0).promote
    refused = decide(POPULARITY, BETTER, None, seed=0)
    assert not refused.promote
    assert refused.reason == "does not beat popularity"


def test_an_equal_challenger_takes_over_since_it_knows_newer_viewing():
    decision = decide(BETTER, POPULARITY, BETTER, seed=0)
    assert decision.promote
    assert decision.difference.mean == 0.0


def test_a_worse_challenger_is_refused_even_when_it_beats_popularity():
    decision = decide(BETTER, POPULARITY, BETTER + 0.02, seed=0)
    assert not decision.promote
    assert decision.compared_with == "champion"
    assert decision.difference.high < 0


def test_a_loss_within_epsilon_is_tolerated_and_beyond_it_is_not():
    assert decide(BETTER, POPULARITY, BETTER + 0.5 * EPSILON, seed=0).promote
    assert not decide(BETTER, POPULARITY, BETTER + 1.5 * EPSILON, seed=0).promote


def test_a_noisy_gain_over_popularity_is_not_enough():
    noise = np.where(np.arange(40) % 2, 0.5, -0.45)
    assert not decide(np.full(40, 0.5) + noise, np.full(40, 0.5), None, seed=0).promote


def test_viewers_on_whom_the_champion_cannot_be_compared_are_left_out():
    champion = BETTER + 0.02
    champion[100:] = np.nan
    assert decide(BETTER, POPULARITY, champion, seed=0).difference.mean == pytest.approx(-0.02)


def test_scores_of_different_viewers_cannot_be_paired():
    with pytest.raises(ValueError, match="same viewers"):
        decide(BETTER, POPULARITY[:-1], None, seed=0)
