"""Choosing the blend: half-lives and shares, on viewing that is held out of training once more.

The test part never enters: ``evaluation`` holds out each viewer's last title, and this module the last of what remains.
The parts of the scores are computed once per half-life; a blend is then a sum, so that the whole grid costs little.
Blends are compared by NDCG without a cut: it orders them as NDCG@10 does, with less noise from few viewers.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from ml.recommender.assembly import assemble
from ml.recommender.features import Interactions, TitleFacts, leave_last_out
from ml.recommender.fold_in import History, ease_part, rule_part
from ml.recommender.model_files import Blend, OnlineArrays
from ml.recommender.ranking_metrics import gain_at
from ml.recommender.top_n import Recipe, fit_top_n

HALF_LIVES = (5.0, 20.0, 80.0)
RULE_HALF_LIVES = (1.0, 2.0, 5.0)
RULE_SHARES = (0.0, 0.3, 0.5, 0.7)
TREND_SHARES = (0.0, 0.1, 0.4)
SAMPLE_VIEWERS = 1000


@dataclass(frozen=True, kw_only=True)
class TunedRecipe:
    """The recipe to train with, and what it scored on the viewing that it was chosen on."""

    recipe: Recipe
    validation_ndcg_at_10: float
    viewers: int


def choose_blend(interactions: Interactions, facts: TitleFacts, recipe: Recipe, *, seed: int) -> TunedRecipe:
    """The best blend of the grid for viewers' last titles; the given one when nobody has watched enough to tell."""
    remaining, held_out = leave_last_out(interactions)
    held_out = held_out.sample(SAMPLE_VIEWERS, np.random.default_rng(seed))
    if not len(held_out):
        return TunedRecipe(recipe=recipe, validation_ndcg_at_10=0.0, viewers=0)
    index, arrays = assemble(fit_top_n(remaining, recipe), remaining, facts, model_version="")
    number_of = {title_id: number for number, title_id in enumerate(index.title_ids)}
    targets = [number_of[remaining.title_ids[title]] for title in held_out.titles]
    ranks = np.array(
        [
            _ranks_over_grid(arrays, viewer, target)
            for viewer, target in zip(held_out.viewers.tolist(), targets, strict=True)
        ]
    )
    chosen = int(np.argmax(gain_at(ranks, cut=len(index.title_ids)).mean(axis=0)))
    return TunedRecipe(
        recipe=msgspec.structs.replace(recipe, blend=_GRID[chosen]),
        validation_ndcg_at_10=float(gain_at(ranks[:, chosen]).mean()),
        viewers=len(held_out),
    )


_SHARES = tuple(itertools.product(RULE_SHARES, TREND_SHARES))
_SHARE_WEIGHTS = np.array(
    [(1.0 - rule_share, rule_share, trend_share) for rule_share, trend_share in _SHARES], np.float32
)
_GRID = tuple(
    Blend(half_life=half_life, rule_half_life=rule_half_life, rule_share=rule_share, trend_share=trend_share)
    for half_life, rule_half_life in itertools.product(HALF_LIVES, RULE_HALF_LIVES)
    for rule_share, trend_share in _SHARES
)


def _ranks_over_grid(arrays: OnlineArrays, viewer: int, target: int) -> NDArray[np.intp]:
    """Where every blend of the grid puts ``target``, which one viewer watched next; 0 is first."""
    start, end = arrays.history_starts[viewer : viewer + 2]
    history = History(titles=arrays.history_titles[start:end], weights=arrays.history_weights[start:end])
    trend = arrays.trend[arrays.viewer_regions[viewer]].astype(np.float32)
    steering = history.steering()
    rivals = arrays.recommendable.copy()
    rivals[history.titles] = False
    rivals[target] = True

    def lead(scores: NDArray[np.floating]) -> NDArray[np.float32]:
        """By how much each rival is ahead of the target."""
        return np.asarray(scores[rivals] - scores[target], np.float32)

    trend_lead = lead(trend)
    ease_leads = [lead(ease_part(arrays, steering, half_life).scores) for half_life in HALF_LIVES]
    rule_leads = [lead(rule_part(arrays, steering, half_life).scores) for half_life in RULE_HALF_LIVES]
    ranks = [
        (_SHARE_WEIGHTS @ np.stack([ease_lead, rule_lead, trend_lead]) > 0).sum(axis=1)
        for ease_lead, rule_lead in itertools.product(ease_leads, rule_leads)
    ]
    return np.concatenate(ranks)
