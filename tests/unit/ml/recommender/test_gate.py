from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ml.recommender.errors import ModelFolderError
from ml.recommender.gate import EPSILON, FEWEST_SLICE_VIEWERS, MAX_DRIFT, SLOWEST_LIST_MS, Evidence, read_evidence
from ml.recommender.gate import decide as decide_at
from ml.recommender.report import gate_table

RNG = np.random.default_rng(0)
POPULARITY = RNG.uniform(0.0, 0.2, 400)
BETTER = POPULARITY + 0.05


def evidence(challenger=BETTER, popularity=POPULARITY, champion=None, **others):
    sound = {"slices": {}, "coverage": 0.5, "rival_coverage": 0.5, "drift": {}}
    return Evidence(challenger=challenger, popularity=popularity, champion=champion, **(sound | others))


def decide(challenger=BETTER, popularity=POPULARITY, champion=None, **others):
    return decide_at(evidence(challenger, popularity, champion, **others), list_ms_p99=2.0, seed=0)


def test_the_first_model_must_beat_popularity():
    assert decide(BETTER, POPULARITY, None).promote
    refused = decide(POPULARITY, BETTER, None)
    assert not refused.promote
    assert refused.reason == "does not beat popularity"


def test_an_equal_challenger_takes_over_since_it_knows_newer_viewing():
    decision = decide(BETTER, POPULARITY, BETTER)
    assert decision.promote
    assert decision.difference.mean == 0.0


def test_a_worse_challenger_is_refused_even_when_it_beats_popularity():
    decision = decide(BETTER, POPULARITY, BETTER + 0.02)
    assert not decision.promote
    assert decision.compared_with == "champion"
    assert decision.difference.high < 0


def test_a_loss_within_epsilon_is_tolerated_and_beyond_it_is_not():
    assert decide(BETTER, POPULARITY, BETTER + 0.5 * EPSILON).promote
    assert not decide(BETTER, POPULARITY, BETTER + 1.5 * EPSILON).promote


def test_a_noisy_gain_over_popularity_is_not_enough():
    noise = np.where(np.arange(40) % 2, 0.5, -0.45)
    assert not decide(np.full(40, 0.5) + noise, np.full(40, 0.5)).promote


def test_viewers_on_whom_the_champion_cannot_be_compared_are_left_out():
    champion = BETTER + 0.02
    champion[100:] = np.nan
    assert decide(BETTER, POPULARITY, champion).difference.mean == pytest.approx(-0.02)


def test_scores_of_different_viewers_cannot_be_paired():
    with pytest.raises(ValueError, match="same viewers"):
        decide(BETTER, POPULARITY[:-1])
    with pytest.raises(ValueError, match="same viewers"):
        decide(slices={"north": np.ones(7, bool)})


def test_a_gain_elsewhere_does_not_make_up_for_a_region_that_loses():
    north = np.arange(400) < 100
    champion = np.where(north, BETTER + 0.03, BETTER - 0.03)
    decision = decide(champion=champion, slices={"north": north, "south": ~north})
    assert decision.difference.low > 0
    assert decision.reason == "is worse than the champion for north"


def test_without_a_champion_a_slice_is_held_against_popularity():
    few_titles = np.arange(400) < 50
    challenger = np.where(few_titles, POPULARITY - 0.05, POPULARITY + 0.05)
    assert decide(challenger, slices={"1-5 titles": few_titles}).reason == "is worse than popularity for 1-5 titles"


def test_a_slice_of_a_few_viewers_or_with_an_uncertain_loss_refuses_nothing():
    few = np.arange(400) < FEWEST_SLICE_VIEWERS - 1
    assert decide(champion=np.where(few, BETTER + 0.1, BETTER - 0.05), slices={"few": few}).promote
    half = np.arange(400) < 200
    unsure = np.where(half, BETTER + np.where(np.arange(400) % 2, 0.5, -0.48), BETTER - 0.2)
    assert decide(champion=unsure, slices={"unsure": half}).promote


def test_fewer_titles_than_today_are_shown_only_within_the_floor():
    assert decide(coverage=0.46, rival_coverage=0.5).promote
    assert "shows 44.0% of the titles" in decide(coverage=0.44, rival_coverage=0.5).reason


def test_slow_lists_are_refused():
    assert decide_at(evidence(), list_ms_p99=SLOWEST_LIST_MS, seed=0).promote
    assert "ms of CPU" in decide_at(evidence(), list_ms_p99=SLOWEST_LIST_MS + 1, seed=0).reason


def test_viewing_that_has_moved_is_refused_by_name():
    assert decide(drift={"region": MAX_DRIFT, "liking": 0.0}).promote
    assert "whose liking has moved (PSI 0.40)" in decide(drift={"region": 0.0, "liking": 0.4}).reason


def test_everything_that_fails_is_told_and_stands_in_the_table():
    decision = decide(coverage=0.1, drift={"region": 0.5})
    assert decision.reason.count(";") == 2
    table = gate_table(decision)
    assert table.count("**fails**") == 2
    assert table.count("| holds |") == len(decision.conditions) - 2


@pytest.mark.parametrize("champion", [None, np.where(np.arange(400) < 9, np.nan, BETTER)])
def test_evidence_is_read_back_as_it_was_saved(tmp_path, champion):
    saved = evidence(champion=champion, slices={"north": np.arange(400) < 100}, drift={"region": 0.01})
    saved.save(tmp_path)
    found = read_evidence(tmp_path)
    assert decide_at(found, list_ms_p99=2.0, seed=0) == decide_at(saved, list_ms_p99=2.0, seed=0)
    replace(saved, slices={}, drift={}).save(tmp_path)
    assert (read_evidence(tmp_path).slices, read_evidence(tmp_path).drift) == ({}, {})


def test_a_model_without_evidence_cannot_pass(tmp_path):
    with pytest.raises(ModelFolderError, match="no evidence"):
        read_evidence(tmp_path)
