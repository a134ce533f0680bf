from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import surprise

from ml.recommender.affinity import (
    FACTS_FILE,
    PLAIN_SVD,
    RECIPES,
    SVDPP,
    AffinityFacts,
    choose_affinity_recipe,
    fit_affinity,
    load_affinity,
    predict_events,
    rmse_of,
    save_affinity,
)
from ml.recommender.features import read_interactions


@pytest.fixture(scope="module")
def interactions(build_viewing):
    return read_interactions(build_viewing(viewers=30))


def as_surprise_keeps_it(interactions) -> surprise.Trainset:
    """Viewers and titles that were watched, numbered in the order of their ids."""
    viewers = {interactions.viewer_ids[viewer]: row for row, viewer in enumerate(np.unique(interactions.viewers))}
    titles = {interactions.title_ids[title]: row for row, title in enumerate(np.unique(interactions.titles))}
    by_viewer, by_title = {row: [] for row in viewers.values()}, {row: [] for row in titles.values()}
    columns = (interactions.viewers.tolist(), interactions.titles.tolist(), interactions.affinities.tolist())
    for viewer, title, affinity in zip(*columns, strict=True):
        row, column = viewers[interactions.viewer_ids[viewer]], titles[interactions.title_ids[title]]
        by_viewer[row].append((column, affinity))
        by_title[column].append((row, affinity))
    return surprise.Trainset(by_viewer, by_title, len(viewers), len(titles), len(interactions), (1, 5), viewers, titles)


@pytest.mark.parametrize(
    ("recipe", "fitted"), [(PLAIN_SVD, surprise.SVD(random_state=7)), (SVDPP, surprise.SVDpp(random_state=7))]
)
def test_the_exported_arrays_predict_what_surprise_predicts(interactions, recipe, fitted):
    model = fit_affinity(interactions, recipe, seed=7)
    fitted.fit(as_surprise_keeps_it(interactions))
    viewers, titles = ["v-000003", "v-000004", "nobody", "v-000005"], ["s-0001", "s-0002", "s-0001", "nothing"]
    expected = [fitted.predict(viewer, title).est for viewer, title in zip(viewers, titles, strict=True)]
    np.testing.assert_allclose(model.predict(viewers, titles), expected, atol=1e-4)


def with_affinities(interactions, affinities):
    return replace(interactions, affinities=np.asarray(affinities, np.float32))


def test_where_the_choice_of_titles_tells_the_taste_svdpp_is_chosen(build_viewing):
    """Two camps; now and then a viewer tries a title of the other one and leaves. No rating tells the camps apart."""
    watched = build_viewing().with_columns(
        title_id=pl.when(pl.int_range(pl.len()) % 8 == 7).then(pl.lit("s-0000")).otherwise("title_id")
    )
    interactions = read_interactions(watched)
    camps, kinds = interactions.viewers % 2, interactions.titles % 2
    interactions = with_affinities(interactions, np.where(camps == kinds, 4.3, 1.7))
    assert choose_affinity_recipe(interactions, seed=0) == SVDPP


def test_where_histories_are_long_svdpp_is_not_even_tried(interactions, monkeypatch):
    monkeypatch.setattr("ml.recommender.affinity.MOST_SQUARED_HISTORIES", 10)
    monkeypatch.setattr("ml.recommender.affinity.RECIPES", (SVDPP, PLAIN_SVD))
    assert choose_affinity_recipe(interactions, seed=0) == PLAIN_SVD


def test_with_a_taste_to_learn_a_longer_training_is_chosen_and_predicts_better(build_viewing):
    interactions = read_interactions(build_viewing(viewers=200, titles=60, per_viewer=30))
    rng = np.random.default_rng(1)
    tastes, kinds = rng.choice([-1.0, 1.0], len(interactions.viewer_ids)), rng.choice([-1.0, 1.0], 60)
    interactions = with_affinities(interactions, 3.0 + 1.5 * tastes[interactions.viewers] * kinds[interactions.titles])
    chosen = choose_affinity_recipe(interactions, seed=0)
    assert chosen in RECIPES[2:]
    tested = rng.random(len(interactions)) < 0.2
    known, test = interactions.subset(~tested), interactions.subset(tested)
    plain, longer = (
        rmse_of(predict_events(fit_affinity(known, recipe, seed=0), test), test) for recipe in (PLAIN_SVD, chosen)
    )
    assert longer < 0.8 * plain


def test_a_saved_model_predicts_the_same(interactions, tmp_path):
    model = fit_affinity(interactions, seed=0)
    save_affinity(model, tmp_path)
    read, question = load_affinity(tmp_path), (["v-000001", "v-000002"], ["s-0001", "s-0002"])
    assert read.facts == model.facts
    np.testing.assert_array_equal(read.predict(*question), model.predict(*question))


def test_a_model_saved_before_recipes_were_kept_is_still_read(interactions, tmp_path):
    save_affinity(fit_affinity(interactions, seed=0), tmp_path)
    (tmp_path / FACTS_FILE).write_text('{"algorithm": "SVD", "mean": 3.5}')
    assert load_affinity(tmp_path).facts == AffinityFacts(mean=3.5)


def test_the_same_seed_gives_the_same_model(interactions):
    first, second = (fit_affinity(interactions, seed=3) for _ in range(2))
    np.testing.assert_array_equal(first.viewer_factors, second.viewer_factors)
