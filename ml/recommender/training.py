"""Training from start to end: viewing in, a model with its evaluation out. What the orchestration calls.

all viewing ──► last title of each viewer held out ──► evaluation of the recipe, beside baselines and the champion
│                    └► the newest of what remains held out ──► choice of the blend, then the ranker
└────► the model that is registered, trained with the same recipe on everything
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from ml.recommender.affinity import (
    HELD_OUT_SHARE,
    AffinityModel,
    choose_affinity_recipe,
    fit_affinity,
    predict_events,
    rmse_of,
)
from ml.recommender.drift import drift, profile_of
from ml.recommender.errors import ViewingInsufficient
from ml.recommender.evaluation import POPULARITY, Evaluation, evaluate
from ml.recommender.features import HeldOut, Interactions, leave_last_out, read_interactions, read_title_facts
from ml.recommender.gate import CHAMPION, Evidence
from ml.recommender.ranker import Ranker
from ml.recommender.top_n import Recipe, TopNModel, fit_top_n
from ml.recommender.tune import choose_recipe

CHALLENGER = "challenger"

EVALUATED_VIEWERS = 2000
MIN_EVALUATED_VIEWERS = 20
MIN_FRESH_VIEWERS = 50
"""So many viewers must have watched something since the champion was trained for a test of its stored weights."""

DEFAULT_RECIPE = Recipe()


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainedTopN:
    """A challenger.

    Attributes:
        model: Trained on all viewing; this is what is registered.
        evaluation: Of the same recipe without each viewer's last title.
        evidence: What the gate decides on.
        validation_ndcg_at_10: What the chosen blend scored where it was chosen.
        ranker: What came of growing trees over it.
    """

    model: TopNModel
    evaluation: Evaluation
    evidence: Evidence
    validation_ndcg_at_10: float
    ranker: Ranker
    interactions: Interactions


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainedAffinity:
    """An affinity model with its error on events that were held out of a second fit.

    Attributes:
        model: Trained on all viewing.
        rmse: Root mean squared error in points of affinity.
        title_mean_rmse: The same for predicting each title's mean: the baseline to beat.
        test: The events that were held out.
        predicted: [tested] what the second fit says of them.
    """

    model: AffinityModel
    rmse: float
    title_mean_rmse: float
    test: Interactions
    predicted: NDArray[np.float32]
    interactions: Interactions


def train_top_n(
    viewing: pl.DataFrame,
    titles: pl.DataFrame,
    *,
    seed: int,
    champion: TopNModel | None = None,
    recipe: Recipe = DEFAULT_RECIPE,
) -> TrainedTopN:
    """Train and evaluate a ranking model.

    Args:
        viewing: ``serving.srv_viewing``.
        titles: ``serving.srv_titles``.
        seed: Samples of viewers, the ranker's columns, bootstrap and the SVD baseline.
        champion: Evaluated beside the challenger, see ``_fair_champion``.
        recipe: Where the choice of the blend starts, and from how many viewers on a ranker is grown.

    Raises:
        ViewingInsufficient: Too few viewers have watched at least three titles that can be recommended.
        ViewingError: The frame has the wrong columns or too many unusable rows.
    """
    facts = read_title_facts(titles)
    interactions = read_interactions(viewing, title_ids=facts.title_ids)
    remaining, held_out = leave_last_out(interactions)
    recommendable = facts.aligned_to(interactions.title_ids).recommendable
    held_out = held_out.subset(recommendable[held_out.titles])
    held_out = held_out.sample(EVALUATED_VIEWERS, np.random.default_rng(seed))
    if len(held_out) < MIN_EVALUATED_VIEWERS:
        raise ViewingInsufficient(
            f"{len(held_out)} viewers have watched three titles of which the last can be played; a ranking model needs "
            f"{MIN_EVALUATED_VIEWERS} of them. Until then popularity answers"
        )
    tuned = choose_recipe(remaining, facts, recipe, seed=seed)
    challenger = fit_top_n(remaining, tuned.recipe, tuned.ranker.trees)
    evaluation = evaluate({CHALLENGER: challenger}, remaining, held_out, facts, seed=seed)
    own, serving = evaluation.of(CHALLENGER), evaluation.of(POPULARITY)
    profile = profile_of(interactions)
    champion_gains, moved = None, {}
    if champion is not None:
        rival, comparable = _fair_champion(champion, challenger, remaining, held_out)
        serving = evaluate({CHAMPION: rival}, remaining, held_out, facts, seed=seed, baselines=False).of(CHAMPION)
        champion_gains = np.where(comparable, serving.gains, np.nan)
        moved = drift(champion.facts.profile, profile)
    model = fit_top_n(interactions, tuned.recipe, tuned.ranker.trees)
    return TrainedTopN(
        model=replace(model, facts=msgspec.structs.replace(model.facts, profile=profile)),
        ranker=tuned.ranker,
        evaluation=evaluation,
        evidence=Evidence(
            challenger=own.gains,
            popularity=evaluation.of(POPULARITY).gains,
            champion=champion_gains,
            slices=evaluation.slice_members,
            coverage=own.coverage,
            rival_coverage=serving.coverage,
            drift=moved,
        ),
        validation_ndcg_at_10=tuned.validation_ndcg_at_10,
        interactions=interactions,
    )


def _fair_champion(
    champion: TopNModel, challenger: TopNModel, remaining: Interactions, held_out: HeldOut
) -> tuple[TopNModel, NDArray[np.bool_]]:
    """The champion in a form that has not seen the answers, and the viewers on whom it may be compared.

    Where enough viewers watched something since it was trained, its stored weights are tested on them alone. Else, as
    when training is repeated on the same data, its recipe is trained on what the challenger may know.
    """
    fresh = held_out.watched_at > champion.facts.trained_through.timestamp()
    if fresh.sum() >= MIN_FRESH_VIEWERS:
        return champion, fresh
    everyone = np.ones(len(held_out), bool)
    if champion.facts.recipe == challenger.facts.recipe:
        return challenger, everyone
    return fit_top_n(remaining, champion.facts.recipe, champion.trees), everyone


def train_affinity(viewing: pl.DataFrame, *, seed: int) -> TrainedAffinity:
    """Train the affinity model and measure its error.

    A tenth of the events of a sample of viewers is kept for the error. How to train is chosen on the rest of theirs, on
    which the measured model is trained too; the registered one is trained on everything.

    Args:
        viewing: ``serving.srv_viewing``.
        seed: Held-out events and initial factors.

    Raises:
        ViewingInsufficient: There are too few events to hold any out.
        ViewingError: The frame has the wrong columns or too many unusable rows.
    """
    interactions = read_interactions(viewing)
    rng = np.random.default_rng(seed)
    viewers = rng.permutation(len(interactions.viewer_ids))[:EVALUATED_VIEWERS]
    sampled = interactions.subset(np.isin(interactions.viewers, viewers))
    tested = rng.random(len(sampled)) < HELD_OUT_SHARE
    if tested.sum() < MIN_EVALUATED_VIEWERS:
        raise ViewingInsufficient(
            f"{len(interactions)} viewer-title pairs are too few to train an affinity model and to test it; "
            "until there are more, no match percentage is shown"
        )
    known, test = sampled.subset(~tested), sampled.subset(tested)
    recipe = choose_affinity_recipe(known, seed=seed)
    predicted = predict_events(fit_affinity(known, recipe, seed=seed), test)
    return TrainedAffinity(
        model=fit_affinity(interactions, recipe, seed=seed),
        rmse=rmse_of(predicted, test),
        title_mean_rmse=rmse_of(_title_means(known)[test.titles], test),
        test=test,
        predicted=predicted,
        interactions=interactions,
    )


def _title_means(interactions: Interactions) -> NDArray[np.float64]:
    title_count = len(interactions.title_ids)
    counts = np.bincount(interactions.titles, minlength=title_count)
    sums = np.bincount(interactions.titles, weights=interactions.affinities, minlength=title_count)
    return np.where(counts > 0, sums / np.maximum(counts, 1), interactions.affinities.mean())
