"""Scoring of one viewer's history at request time, without retraining.

    score = (1 - rule_share) * z(history @ item-item weights)
          + rule_share * z(last titles @ sequential rules)
          + trend_share * recent popularity in the region

where z standardises over all titles. The item-item weights are EASE (Steck 2019, "Embarrassingly Shallow Autoencoders
for Sparse Data"), each title's strongest neighbours kept; the history decays with the number of titles watched since.
Numpy only. The same functions score a request, fill the batch lists and are measured by ``evaluation``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.recommender.model_files import Blend, OnlineArrays

BECAUSE_WATCHED = "because-watched"
TRENDING = "trending"
NEW_TITLE = "new-title"
REASONS = (BECAUSE_WATCHED, TRENDING, NEW_TITLE)
"""Why a title is in a list; ``OnlineArrays.top_reasons`` holds positions in this tuple."""

HISTORY_LIMIT = 150
RULE_HISTORY_LIMIT = 20
"""The newest titles that steer; a limit bounds the work of a request. The blend is chosen under the same limits."""

NEW_TITLE_POSITION = 4
"""The fifth place of a list is lent to a new title, which otherwise nobody would ever see."""

_SMALL = 1e-9


@dataclass(frozen=True, kw_only=True, eq=False)
class History:
    """What a viewer watched, newest first, each title once.

    Attributes:
        titles: Numbers of titles.
        weights: ``engagement.history_weight_of`` each; 0 for titles that count as seen only.
    """

    titles: NDArray[np.integer]
    weights: NDArray[np.floating]

    def __len__(self) -> int:
        return len(self.titles)

    def steering(self) -> History:
        """The part that steers recommendations: bounces left out, the oldest left out beyond ``HISTORY_LIMIT``."""
        kept = np.flatnonzero(self.weights > 0)[:HISTORY_LIMIT]
        return History(titles=self.titles[kept].astype(np.intp), weights=self.weights[kept].astype(np.float32))


@dataclass(frozen=True, kw_only=True, eq=False)
class RankedTitles:
    """A ranked list, best first: parallel arrays. ``because`` is ``no_title`` where no watched title stands behind."""

    titles: NDArray[np.integer]
    scores: NDArray[np.floating]
    reasons: NDArray[np.integer]
    because: NDArray[np.integer]


def rank_titles(
    arrays: OnlineArrays, blend: Blend, history: History, *, region: int, excluded: NDArray[np.integer], k: int
) -> RankedTitles:
    """The ``k`` best titles for a history.

    Args:
        arrays: The model.
        blend: How the parts of the score are weighed.
        history: What the viewer watched.
        region: Row of ``trend``.
        excluded: Numbers of titles that must not be shown; what the viewer has seen belongs here too.
        k: How many titles are wanted.

    Returns:
        At most ``k`` titles; fewer when the catalogue has no more.
    """
    steering = history.steering()
    ease = ease_part(arrays, steering, blend.half_life)
    rules = rule_part(arrays, steering, blend.rule_half_life)
    trend = blend.trend_share * arrays.trend[region].astype(np.float32)
    from_history = (1.0 - blend.rule_share) * ease.scores + blend.rule_share * rules.scores
    total = (from_history + trend).astype(np.float32)
    allowed = arrays.recommendable.copy()
    allowed[excluded] = False
    best = _best(np.where(allowed, total, -np.inf), k)
    because, contribution = _strongest_events(
        steering, ((1.0 - blend.rule_share, ease), (blend.rule_share, rules)), best, title_count=len(total)
    )
    watched = (contribution > 0) & (from_history[best] >= trend[best])
    ranked = RankedTitles(
        titles=best,
        scores=total[best],
        reasons=np.where(watched, REASONS.index(BECAUSE_WATCHED), REASONS.index(TRENDING)),
        because=np.where(watched, because, arrays.no_title),
    )
    return _lend_place_to_new_title(arrays, ranked, steering, allowed)


@dataclass(frozen=True, kw_only=True, eq=False)
class HistoryPart:
    """What one neighbour matrix makes of a history of h events.

    Attributes:
        scores: [T] standardised over all titles.
        titles, contributions: [h, N] what each event adds to the score of which title, in the same unit.
    """

    scores: NDArray[np.floating]
    titles: NDArray[np.integer]
    contributions: NDArray[np.float32]


def ease_part(arrays: OnlineArrays, steering: History, half_life: float) -> HistoryPart:
    """What the item-item weights make of a history."""
    return _history_part(arrays.ease_titles, arrays.ease_weights, steering, half_life)


def rule_part(arrays: OnlineArrays, steering: History, half_life: float) -> HistoryPart:
    """What the sequential rules make of the latest titles of a history."""
    latest = History(titles=steering.titles[:RULE_HISTORY_LIMIT], weights=steering.weights[:RULE_HISTORY_LIMIT])
    return _history_part(arrays.rule_titles, arrays.rule_weights, latest, half_life)


def _history_part(
    neighbours: NDArray[np.integer], weights: NDArray[np.floating], history: History, half_life: float
) -> HistoryPart:
    title_count = len(neighbours)
    recency = history.weights * np.exp2(np.arange(len(history), dtype=np.float32) / -half_life)
    contributions = weights[history.titles] * recency[:, None]
    titles = np.minimum(neighbours[history.titles], title_count)  # "no title" becomes one more title, cut off below
    scores = np.bincount(titles.ravel(), weights=contributions.ravel(), minlength=title_count + 1)[:title_count]
    unit = 1.0 / (scores.std() + _SMALL)
    return HistoryPart(
        scores=(scores - scores.mean()) * unit, titles=titles, contributions=contributions * np.float32(unit)
    )


def _best(scores: NDArray[np.float32], k: int) -> NDArray[np.intp]:
    """Numbers of the ``k`` highest finite scores, best first; ties go to the lower number."""
    k = min(k, len(scores))
    if k < len(scores):
        threshold = np.partition(scores, -k)[-k] if k else np.inf
        candidates = np.flatnonzero(scores >= threshold)
    else:
        candidates = np.arange(len(scores))
    candidates = candidates[np.isfinite(scores[candidates])]
    return candidates[np.argsort(-scores[candidates], kind="stable")][:k]


def _strongest_events(
    steering: History,
    weighed_parts: tuple[tuple[float, HistoryPart], ...],
    best: NDArray[np.intp],
    *,
    title_count: int,
) -> tuple[NDArray[np.integer], NDArray[np.float32]]:
    """For each listed title, the title of the history that adds most to its score, and how much it adds."""
    place = np.full(title_count + 1, -1, np.int32)
    place[best] = np.arange(len(best))
    added = np.zeros((len(steering), len(best)), np.float32)
    if not added.size:
        return np.zeros(len(best), np.intp), np.zeros(len(best), np.float32)
    for share, part in weighed_parts:
        target = place[part.titles]
        event, neighbour = np.divmod(np.flatnonzero(target >= 0), target.shape[1])
        added[event, target[event, neighbour]] += share * part.contributions[event, neighbour]
    strongest = added.argmax(axis=0)
    return steering.titles[strongest], added[strongest, np.arange(len(best))]


def _lend_place_to_new_title(
    arrays: OnlineArrays, ranked: RankedTitles, steering: History, allowed: NDArray[np.bool_]
) -> RankedTitles:
    """Give one place, and the score that stood there, to the new title whose genres fit the history best."""
    if len(ranked.titles) <= NEW_TITLE_POSITION or not len(arrays.new_titles):
        return ranked
    new = arrays.new_titles[allowed[arrays.new_titles]].astype(np.intp)
    if not len(new) or np.isin(new, ranked.titles[: NEW_TITLE_POSITION + 1]).any():
        return ranked
    taste = steering.weights @ arrays.genres[steering.titles].astype(np.float32)
    chosen = new[int(np.argmax(arrays.genres[new].astype(np.float32) @ taste))]
    others = np.flatnonzero(ranked.titles != chosen)

    def with_new_title(column: np.ndarray, value: float) -> np.ndarray:
        kept = column[others]
        parts = (kept[:NEW_TITLE_POSITION], np.array([value], column.dtype), kept[NEW_TITLE_POSITION:])
        return np.concatenate(parts)[: len(column)]

    return RankedTitles(
        titles=with_new_title(ranked.titles, chosen),
        scores=with_new_title(ranked.scores, ranked.scores[NEW_TITLE_POSITION]),
        reasons=with_new_title(ranked.reasons, REASONS.index(NEW_TITLE)),
        because=with_new_title(ranked.because, arrays.no_title),
    )
