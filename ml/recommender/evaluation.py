"""Offline evaluation: each viewer's last title, ranked among all titles, beside the baselines in the same run.

Unsampled leave-last: the model and every baseline are trained without the last title of each viewer and asked for ten
titles; candidates are all titles that the viewer has not watched. Sampled negatives are not used: they make every
recommender look good. The model is measured through ``OnlineRecommender``, the code that serves.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ml.recommender.affinity import AffinityModel, fit_affinity
from ml.recommender.assembly import assemble
from ml.recommender.features import HeldOut, Interactions, TitleFacts
from ml.recommender.online import OnlineRecommender
from ml.recommender.popularity import Popularity, measure_popularity
from ml.recommender.ranking_metrics import Interval, bootstrap_interval, gain_at
from ml.recommender.top_n import TopNModel

CUT = 10
POPULARITY = "recent regional popularity"
SVD_BY_AFFINITY = "SVD by predicted affinity"
HISTORY_SLICES = ((1, 5), (6, 20), (21, 50), (51, 10**9))

Lister = Callable[[int], Sequence[str]]
"""Gives ten titles for the number of a viewer."""


@dataclass(frozen=True, kw_only=True, eq=False)
class RankingScore:
    """One model's score.

    Attributes:
        ndcg: NDCG@10 with its interval over viewers.
        hit_rate: Share of viewers whose held-out title is among the ten.
        shown: [titles] to how many viewers each title was listed.
        coverage: Share of the recommendable titles that at least one viewer was shown.
        list_ms_p99: CPU milliseconds of the slowest list in a hundred.
        gains: NDCG@10 by viewer, for paired comparisons.
    """

    model: str
    ndcg: Interval
    hit_rate: float
    shown: NDArray[np.int64]
    coverage: float
    list_ms_p99: float
    gains: NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Evaluation:
    """All scores of one run, over the same viewers.

    Attributes:
        scores: By model, in the order in which they were asked.
        watched: [titles] by how many viewers each title was watched in what the models may know.
        slice_members: [viewers] by name of a slice who belongs to it: by length of history, by region.
    """

    viewers: int
    scores: list[RankingScore]
    watched: NDArray[np.int64]
    slice_members: dict[str, NDArray[np.bool_]] = field(default_factory=dict)

    def of(self, model: str) -> RankingScore:
        """The score of a model by its name."""
        return next(score for score in self.scores if score.model == model)

    def by_slice(self, model: str) -> dict[str, float]:
        """NDCG@10 of a model in every slice."""
        gains = self.of(model).gains
        return {name: float(gains[members].mean()) for name, members in self.slice_members.items()}


def evaluate(
    models: dict[str, TopNModel],
    remaining: Interactions,
    held_out: HeldOut,
    facts: TitleFacts,
    *,
    seed: int,
    baselines: bool = True,
    cpu_clock: Callable[[], float] = time.thread_time,
) -> Evaluation:
    """Score models that were trained on ``remaining``, or on less, beside popularity and SVD by predicted affinity.

    The SVD baseline learns from the evaluated viewers alone, which keeps it affordable on large worlds.

    Args:
        models: By the name that they get in the table.
        remaining: What every model may know, from ``leave_last_out``.
        held_out: The titles to find, one per viewer.
        facts: Which titles can be recommended.
        seed: For the bootstrap and the SVD baseline.
        baselines: Whether the baselines are scored too.
        cpu_clock: Gives CPU seconds, to tell what a list costs.

    Raises:
        ValueError: Nobody is held out.
    """
    listers = {name: _model_lister(model, remaining, facts) for name, model in models.items()}
    if baselines:
        listers[POPULARITY] = _popularity_lister(measure_popularity(remaining), remaining, facts)
        evaluated = remaining.subset(np.isin(remaining.viewers, held_out.viewers))
        affinity = fit_affinity(evaluated, seed=seed)
        listers[SVD_BY_AFFINITY] = _affinity_lister(affinity, remaining, facts)
    recommendable = int(facts.recommendable.sum())
    scores = [
        _score(name, lister, remaining, held_out, recommendable, seed=seed, cpu_clock=cpu_clock)
        for name, lister in listers.items()
    ]
    return Evaluation(
        viewers=len(held_out),
        scores=scores,
        watched=np.bincount(remaining.titles, minlength=len(remaining.title_ids)),
        slice_members=_slices(remaining, held_out),
    )


def _score(
    name: str,
    lister: Lister,
    remaining: Interactions,
    held_out: HeldOut,
    recommendable: int,
    *,
    seed: int,
    cpu_clock: Callable[[], float],
) -> RankingScore:
    ranks = np.full(len(held_out), -1)
    seconds = np.zeros(len(held_out))
    shown: Counter[str] = Counter()
    for row, (viewer, title) in enumerate(zip(held_out.viewers.tolist(), held_out.titles.tolist(), strict=True)):
        started = cpu_clock()
        listed = list(lister(viewer))
        seconds[row] = cpu_clock() - started
        shown.update(listed)
        wanted = remaining.title_ids[title]
        if wanted in listed:
            ranks[row] = listed.index(wanted)
    gains = gain_at(ranks, CUT)
    return RankingScore(
        model=name,
        ndcg=bootstrap_interval(gains, seed=seed),
        hit_rate=float((ranks >= 0).mean()),
        shown=np.array([shown[title_id] for title_id in remaining.title_ids]),
        coverage=len(shown) / max(recommendable, 1),
        list_ms_p99=1e3 * float(np.quantile(seconds, 0.99)),
        gains=gains,
    )


def _model_lister(model: TopNModel, remaining: Interactions, facts: TitleFacts) -> Lister:
    recommender = OnlineRecommender(*assemble(model, remaining, facts, model_version=""))

    def listed(viewer: int) -> list[str]:
        viewer_id = remaining.viewer_ids[viewer]
        answer = recommender.recommend(viewer_id=viewer_id, recent=[], exclude=[], region_id=None, k=CUT)
        return [title.title_id for title in answer.titles]

    return listed


def _popularity_lister(popularity: Popularity, remaining: Interactions, facts: TitleFacts) -> Lister:
    starts = remaining.starts
    allowed = facts.aligned_to(remaining.title_ids).recommendable

    def listed(viewer: int) -> list[str]:
        region = 1 + remaining.regions[starts[viewer + 1] - 1]
        return _best_unseen(popularity.shares[region], allowed, remaining, slice(starts[viewer], starts[viewer + 1]))

    return listed


def _affinity_lister(affinity: AffinityModel, remaining: Interactions, facts: TitleFacts) -> Lister:
    starts = remaining.starts
    row_of = {viewer_id: row for row, viewer_id in enumerate(affinity.viewer_ids)}
    column_of = {title_id: column for column, title_id in enumerate(remaining.title_ids)}
    columns = np.array([column_of[title_id] for title_id in affinity.title_ids])
    allowed = np.zeros(len(remaining.title_ids), bool)
    allowed[columns] = True
    allowed &= facts.aligned_to(remaining.title_ids).recommendable

    def listed(viewer: int) -> list[str]:
        predicted = np.full(len(remaining.title_ids), -np.inf)
        factors = affinity.viewer_factors[row_of[remaining.viewer_ids[viewer]]]
        predicted[columns] = affinity.title_biases + affinity.title_factors @ factors
        return _best_unseen(predicted, allowed, remaining, slice(starts[viewer], starts[viewer + 1]))

    return listed


def _best_unseen(
    scores: NDArray[np.floating], allowed: NDArray[np.bool_], remaining: Interactions, events: slice
) -> list[str]:
    open_to_viewer = allowed.copy()
    open_to_viewer[remaining.titles[events]] = False
    masked = np.where(open_to_viewer, scores, -np.inf)
    best = np.argsort(-masked, kind="stable")[:CUT]
    return [remaining.title_ids[title] for title in best if np.isfinite(masked[title])]


def _slices(remaining: Interactions, held_out: HeldOut) -> dict[str, NDArray[np.bool_]]:
    """Viewers by length of history and by region; empty slices are left out."""
    starts = remaining.starts
    lengths = np.diff(starts)[held_out.viewers]
    regions = remaining.regions[starts[held_out.viewers + 1] - 1]
    slices = {
        (f"{low}-{high} titles" if high < 10**9 else f"{low}+ titles"): (lengths >= low) & (lengths <= high)
        for low, high in HISTORY_SLICES
    }
    slices |= {region_id: regions == number for number, region_id in enumerate(remaining.region_ids)}
    return {name: members for name, members in slices.items() if members.any()}
