from __future__ import annotations

import datetime as dt
import itertools
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from ml.recommender import RecommenderError, ViewingInsufficient, decide, train_affinity, train_top_n
from ml.recommender.affinity import save_affinity
from ml.recommender.errors import ViewingCorrupt, ViewingSchemaError
from ml.recommender.evaluation import POPULARITY, SVD_BY_AFFINITY, evaluate
from ml.recommender.features import leave_last_out, read_interactions, read_title_facts
from ml.recommender.ranker import RankerRecipe
from ml.recommender.report import calibration_plot, metrics_table, training_plots
from ml.recommender.top_n import Recipe, fit_top_n, save_top_n
from ml.recommender.training import CHALLENGER


@pytest.fixture(scope="module")
def trained(viewing, titles):
    return train_top_n(viewing, titles, seed=0)


def test_the_model_finds_the_camps_and_beats_the_baselines(trained):
    scores = {score.model: score.ndcg.mean for score in trained.evaluation.scores}
    assert set(scores) == {CHALLENGER, POPULARITY, SVD_BY_AFFINITY}
    assert scores[CHALLENGER] > 1.3 * scores[POPULARITY]
    assert trained.evaluation.viewers == 80


def test_slices_average_to_the_whole(trained):
    evaluation = trained.evaluation
    regions = ("north", "south")
    weighed = sum(evaluation.by_slice(CHALLENGER)[name] * evaluation.slice_members[name].sum() for name in regions)
    assert weighed / evaluation.viewers == pytest.approx(evaluation.of(CHALLENGER).ndcg.mean)


def test_training_twice_gives_the_same(trained, viewing, titles):
    again = train_top_n(viewing.sample(fraction=1.0, shuffle=True, seed=5), titles, seed=0)
    assert again.model.facts == trained.model.facts
    np.testing.assert_array_equal(again.model.ease_weights, trained.model.ease_weights)
    np.testing.assert_array_equal(again.evaluation.of(CHALLENGER).gains, trained.evaluation.of(CHALLENGER).gains)


def test_what_is_registered_is_the_same_to_the_bit(build_viewing, titles, tmp_path):
    viewing = build_viewing(viewers=200)
    recipe = Recipe(ranker=RankerRecipe(min_viewers=20, rounds=5, smallest_leaf=2))
    for name, rows in (("first", viewing), ("again", viewing.sample(fraction=1.0, shuffle=True, seed=5))):
        trained = train_top_n(rows, titles, seed=0, recipe=recipe)
        assert trained.ranker.learning_curve is not None, "trees were grown"
        save_top_n(trained.model, tmp_path / name)
        trained.evidence.save(tmp_path / name)
        save_affinity(train_affinity(rows, seed=0).model, tmp_path / name / "affinity")
    files = [path.relative_to(tmp_path / "first") for path in (tmp_path / "first").rglob("*") if path.is_file()]
    assert len(files) == 5
    for file in files:
        assert (tmp_path / "first" / file).read_bytes() == (tmp_path / "again" / file).read_bytes(), file


def test_on_the_same_data_the_champion_is_compared_by_recipe_and_nothing_has_moved(trained, viewing, titles):
    evidence = train_top_n(viewing, titles, seed=0, champion=trained.model).evidence
    np.testing.assert_array_equal(evidence.champion, evidence.challenger)
    assert evidence.coverage == evidence.rival_coverage
    assert evidence.drift == {"region": 0.0, "liking": 0.0, "popularity": 0.0}
    assert {"north", "south"} <= set(evidence.slices)
    assert decide(evidence, list_ms_p99=1.0, seed=0).promote


def test_on_newer_data_the_champion_is_tested_on_what_it_has_not_seen(build_viewing, titles):
    week = build_viewing(per_viewer=10)
    cut = week["started_at"].sort()[int(0.85 * week.height)]
    champion = train_top_n(week.filter(pl.col("started_at") <= cut), titles, seed=0).model
    challenger = train_top_n(week, titles, seed=0, champion=champion)
    last = week.group_by("viewer_id").agg(pl.col("started_at").max()).sort("viewer_id")
    np.testing.assert_array_equal(np.isnan(challenger.evidence.champion), (last["started_at"] <= cut).to_numpy())


def test_what_a_list_costs_is_told_by_the_slowest_in_a_hundred(viewing, titles):
    facts = read_title_facts(titles)
    remaining, held_out = leave_last_out(read_interactions(viewing))
    ticks = itertools.count()
    model = fit_top_n(remaining, Recipe())
    scored = evaluate({"m": model}, remaining, held_out, facts, seed=0, baselines=False, cpu_clock=lambda: next(ticks))
    assert scored.of("m").list_ms_p99 == 1000.0


def test_titles_that_cannot_be_played_are_neither_listed_nor_asked_for(viewing, titles):
    unplayable = titles.with_columns(
        package_id=pl.when(pl.col("title_id") < "s-0010").then(None).otherwise("package_id")
    )
    evaluation = train_top_n(viewing, unplayable, seed=0).evaluation
    assert 20 <= evaluation.viewers < 80


def test_one_event_viewers_do_not_get_in_the_way(viewing, titles):
    single = viewing.head(30).with_columns(
        viewer_id=pl.format("w-{}", pl.int_range(30)), session_id=pl.format("w-{}", pl.int_range(30))
    )
    trained = train_top_n(pl.concat([viewing, single]), titles, seed=0)
    assert trained.evaluation.viewers == 80


@pytest.mark.parametrize("per_viewer", [1, 2])
def test_short_histories_alone_are_not_enough(build_viewing, titles, per_viewer):
    with pytest.raises(ViewingInsufficient, match="popularity answers"):
        train_top_n(build_viewing(per_viewer=per_viewer), titles, seed=0)


def test_a_wrong_titles_frame_is_refused(viewing, titles):
    with pytest.raises(RecommenderError, match="no column package_id"):
        train_top_n(viewing, titles.drop("package_id"), seed=0)


def test_the_affinity_model_is_measured_beside_title_means(viewing):
    trained = train_affinity(viewing, seed=0)
    assert 0 < trained.rmse < 2
    assert 0 < trained.title_mean_rmse < 2
    assert len(trained.predicted) == len(trained.test) == pytest.approx(0.1 * viewing.height, rel=0.3)


def test_calibration_is_drawn_from_the_held_out_events(viewing):
    assert calibration_plot(train_affinity(viewing, seed=0)).startswith(b"\x89PNG")


def test_few_events_are_not_enough_for_affinity(viewing):
    with pytest.raises(ViewingInsufficient, match="too few to train an affinity model"):
        train_affinity(viewing.head(50), seed=0)


def test_the_report_names_every_model_and_the_plot_is_a_png(trained):
    table = metrics_table(trained.evaluation)
    assert all(f"| {name} |" in table for name in (CHALLENGER, POPULARITY, SVD_BY_AFFINITY))
    plots = training_plots(trained)
    assert set(plots) == {"ndcg_by_slice", "popularity_bias"}, "no trees were grown, so that there is nothing to learn"
    assert set(training_plots(replace(trained, ranker=replace(trained.ranker, learning_curve=np.zeros(3))))) == {
        *plots, "learning_curve"
    }  # fmt: skip
    assert all(png.startswith(b"\x89PNG") for png in plots.values())


def test_places_and_viewing_are_counted_by_title(trained):
    evaluation = trained.evaluation
    for score in evaluation.scores:
        assert score.shown.sum() == 10 * evaluation.viewers, "every list is full"
        assert (score.shown > 0).sum() / len(score.shown) == pytest.approx(score.coverage)
    assert evaluation.watched.sum() == len(trained.interactions) - evaluation.viewers


def test_without_metadata_titles_are_ranked_by_viewing_alone(trained, viewing, titles):
    bare = titles.with_columns(genres=pl.lit(None, dtype=pl.List(pl.String)), release_date=pl.lit(None, dtype=pl.Date))
    gains = train_top_n(viewing, bare, seed=0).evaluation.of(CHALLENGER).gains
    assert gains == pytest.approx(trained.evaluation.of(CHALLENGER).gains)


def test_duplicated_events_teach_nothing_new(trained, viewing, titles):
    twice = train_top_n(pl.concat([viewing, viewing]), titles, seed=0)
    assert twice.interactions.dropped["duplicate"] == viewing.height
    assert twice.evaluation.of(CHALLENGER).gains == pytest.approx(trained.evaluation.of(CHALLENGER).gains)


@pytest.mark.parametrize("train", [lambda viewing, titles: train_top_n(viewing, titles, seed=0),
                                   lambda viewing, titles: train_affinity(viewing, seed=0)])  # fmt: skip
def test_neither_model_learns_from_nothing_nor_from_broken_frames(train, viewing, titles):
    with pytest.raises(ViewingInsufficient):
        train(viewing.clear(), titles)
    half_nan = viewing.with_row_index().with_columns(
        completion=pl.when(pl.col("index") % 2 == 0).then(float("nan")).otherwise("completion")
    )
    with pytest.raises(ViewingCorrupt):
        train(half_nan, titles)
    with pytest.raises(ViewingSchemaError, match="completion"):
        train(viewing.rename({"completion": "watched"}), titles)


def test_a_program_among_the_viewers_changes_no_model(trained, viewing, titles):
    starts = [dt.datetime(2026, 9, 1, tzinfo=dt.UTC) + dt.timedelta(minutes=number) for number in range(120)]
    program = viewing.head(1).join(pl.DataFrame({"number": range(120), "at": starts}), how="cross").select(
        session_id=pl.format("bot-{}", "number"), viewer_id=pl.lit("bot"), title_id=pl.format("b-{}", "number"),
        region_id="region_id", completion="completion", started_at=pl.col("at").cast(viewing.schema["started_at"]),
    )  # fmt: skip
    beside_it = train_top_n(pl.concat([viewing, program]), titles, seed=0)

    assert beside_it.interactions.dropped["of programs"] == 120
    assert beside_it.evaluation.of(CHALLENGER).gains == pytest.approx(trained.evaluation.of(CHALLENGER).gains)
