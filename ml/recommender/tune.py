"""Choosing the blend and growing the ranker, on viewing that is held out of training once more.

The test part never enters: ``evaluation`` holds out each viewer's last title, and this module what remains newest. It
cuts at a point in time, as serving does: nothing later is known, trends included. The parts of the scores are computed
once per half-life; a blend is then a sum, so that the whole grid costs little.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from ml.recommender.assembly import assemble
from ml.recommender.features import HeldOut, Interactions, TitleFacts, leave_last_out, newest_held_out
from ml.recommender.fold_in import History, ease_part, rule_part
from ml.recommender.model_files import Blend, OnlineArrays, OnlineIndex
from ml.recommender.ranker import Ranker, learn_ranker, unranked
from ml.recommender.ranking_metrics import gain_at
from ml.recommender.top_n import Recipe, fit_top_n

HALF_LIVES = (5.0, 20.0, 80.0)
RULE_HALF_LIVES = (1.0, 2.0, 5.0)
RULE_SHARES = (0.0, 0.3, 0.5, 0.7)
TREND_SHARES = (0.0, 0.1, 0.4, 1.0, 2.0, 4.0, 8.0)
CUT = 10
"""What stands further down a list says nothing about the blend: viewers do not get there."""
SAMPLE_VIEWERS = 1000
NEWEST_SHARES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3)
ENOUGH_VIEWERS = 500
"""Cuts in time go back, a share of the events after another, until together they hold out titles of so many viewers."""
FEWEST_VIEWERS = 30
"""With fewer, each viewer's last title is held out, wherever in time it lies."""


@dataclass(frozen=True, kw_only=True)
class TunedRecipe:
    """The recipe to train with, what it scored on the viewing that it was chosen on, and the ranker grown there."""

    recipe: Recipe
    ranker: Ranker
    validation_ndcg_at_10: float
    viewers: int


def choose_recipe(interactions: Interactions, facts: TitleFacts, recipe: Recipe, *, seed: int) -> TunedRecipe:
    """The blend of the grid for what viewers watched next, and trees over it.

    The given blend stays when nobody has watched enough to tell.
    """
    cuts = _Cuts(interactions, facts, recipe)
    trials = [_Trial.run(cut, seed=seed) for cut in cuts.for_blends()]
    viewers = sum(len(trial.gains) for trial in trials)
    if not viewers:
        return TunedRecipe(recipe=recipe, ranker=unranked(0, recipe.ranker), validation_ndcg_at_10=0.0, viewers=0)
    gains = np.concatenate([trial.gains for trial in trials])
    chosen = _most_popular_of_the_best(gains)
    tuned = msgspec.structs.replace(recipe, blend=_GRID[chosen])
    return TunedRecipe(
        recipe=tuned,
        ranker=_ranker_over(cuts, tuned, seed=seed),
        validation_ndcg_at_10=float(gains[:, chosen].mean()),
        viewers=viewers,
    )


def _most_popular_of_the_best(gains: NDArray[np.float64]) -> int:
    """Of the blends within one standard error of the best, the best of those that lean most on the trend.

    With few viewers the best of so many blends is the luckiest. Recent popularity is known from few events, so that a
    personal share has to be proved. The rule of Breiman et al. 1984, "Classification and Regression Trees", section
    3.4.3, with the error of the difference paired by viewer.

    Args:
        gains: [viewers, blends] NDCG.
    """
    means = gains.mean(axis=0)
    lost = gains[:, [means.argmax()]] - gains
    error = lost.std(axis=0) / np.sqrt(len(gains))
    kept = np.flatnonzero(lost.mean(axis=0) <= error)
    return int(max(kept, key=lambda blend: (_GRID[blend].trend_share, means[blend])))


@dataclass(frozen=True, kw_only=True, eq=False)
class _Cut:
    """What was known at a point in time, and what was watched after it.

    Attributes:
        arrays: The first stage and the histories at the cut, whatever the blend.
        title_numbers: By title of the interactions its number in ``arrays``.
    """

    held_out: HeldOut
    arrays: OnlineArrays
    title_numbers: NDArray[np.int64]


class _Cuts:
    """Cuts through the same viewing. A first stage is trained at each of them once, whoever asks for it."""

    def __init__(self, interactions: Interactions, facts: TitleFacts, recipe: Recipe) -> None:
        self._interactions = interactions
        self._facts = facts
        self._recipe = recipe
        self._held_out: dict[float, tuple[Interactions, HeldOut]] = {}
        self._trained: dict[float, _Cut] = {}

    def for_blends(self) -> list[_Cut]:
        """Back in time until enough viewers are held out; each viewer's last title where time separates few of them.

        Cuts that hold out nothing are left out.
        """
        shares: list[float] = []
        viewers = 0
        for share in NEWEST_SHARES:
            if viewers >= ENOUGH_VIEWERS:
                break
            shares.append(share)
            viewers += self.viewers_after(share)
        if viewers >= FEWEST_VIEWERS:
            return [self._cut(share) for share in shares if self.viewers_after(share)]
        known, held_out = leave_last_out(self._interactions)
        return [self._train(known, held_out)] if len(held_out) else []

    def for_ranker(self, viewers: int) -> _Cut | None:
        """The latest that holds out titles of so many viewers."""
        return next((self._cut(share) for share in NEWEST_SHARES if self.viewers_after(share) >= viewers), None)

    def viewers_after(self, share: float) -> int:
        """Of how many viewers something is held out when the newest share of the events is."""
        return self._viewing(share)[1].viewer_count

    def _viewing(self, share: float) -> tuple[Interactions, HeldOut]:
        if share not in self._held_out:
            self._held_out[share] = newest_held_out(self._interactions, share)
        return self._held_out[share]

    def _cut(self, share: float) -> _Cut:
        if share not in self._trained:
            self._trained[share] = self._train(*self._viewing(share))
        return self._trained[share]

    def _train(self, known: Interactions, held_out: HeldOut) -> _Cut:
        index, arrays = assemble(fit_top_n(known, self._recipe), known, self._facts, model_version="")
        return _Cut(held_out=held_out, arrays=arrays, title_numbers=_numbers(index, known))


def _ranker_over(cuts: _Cuts, recipe: Recipe, *, seed: int) -> Ranker:
    """Trees learnt at the latest cut that holds out enough viewers: about half of them have the title shortlisted."""
    cut = cuts.for_ranker(2 * recipe.ranker.min_viewers)
    if cut is None:
        return unranked(cuts.viewers_after(NEWEST_SHARES[-1]), recipe.ranker)
    viewers, first = np.unique(cut.held_out.viewers, return_index=True)
    watched_first = zip(viewers.tolist(), cut.title_numbers[cut.held_out.titles[first]].tolist(), strict=True)
    return learn_ranker(cut.arrays, recipe.blend, dict(watched_first), recipe.ranker, seed=seed)


def _numbers(index: OnlineIndex, interactions: Interactions) -> NDArray[np.int64]:
    """By title of the interactions its number in the assembled model."""
    number_of = {title_id: number for number, title_id in enumerate(index.title_ids)}
    return np.array([number_of[title_id] for title_id in interactions.title_ids], np.int64)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Trial:
    """Every blend of the grid on what was watched after one cut.

    Attributes:
        gains: [sampled viewers, blends] NDCG at ``CUT``.
    """

    gains: NDArray[np.float64]

    @classmethod
    def run(cls, cut: _Cut, *, seed: int) -> _Trial:
        sample = cut.held_out.sample(SAMPLE_VIEWERS, np.random.default_rng(seed))
        pairs = zip(sample.viewers.tolist(), cut.title_numbers[sample.titles].tolist(), strict=True)
        ranks = np.array([_ranks_over_grid(cut.arrays, viewer, title) for viewer, title in pairs])
        first_of_viewer = np.unique(sample.viewers, return_index=True)[1]
        return cls(gains=_ndcg(ranks, first_of_viewer))


def _ndcg(ranks: NDArray[np.integer], first_of_viewer: NDArray[np.integer]) -> NDArray[np.float64]:
    """[viewers, blends] from the [events, blends] ranks of each viewer's titles, which follow one another."""
    ideal = np.cumsum(gain_at(np.arange(CUT), CUT))
    counts = np.diff([*first_of_viewer, len(ranks)])
    summed: NDArray[np.float64] = np.add.reduceat(gain_at(ranks, CUT), first_of_viewer)
    return summed / ideal[np.minimum(counts, CUT) - 1][:, None]


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
