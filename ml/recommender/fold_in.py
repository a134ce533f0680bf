"""Scoring of one viewer's history at request time, without retraining.

    score = (1 - rule_share) * z(history @ item-item weights)
          + rule_share * z(last titles @ sequential rules)
          + trend_share * recent popularity in the region

where z standardises over all titles. The item-item weights are EASE (Steck 2019, "Embarrassingly Shallow Autoencoders
for Sparse Data"), each title's strongest neighbours kept; the history decays with the number of titles watched since.
Numpy only. The same functions score a request, fill the batch lists and are measured by ``evaluation``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.recommender.candidate_features import CandidateScores, candidate_features
from ml.recommender.diversity import diversified, likeness_of
from ml.recommender.model_files import WHO_PICKED, Blend, OnlineArrays
from ml.recommender.repetition import order_by_rest

BECAUSE_WATCHED = "because-watched"
TRENDING = "trending"
NEW_TITLE = "new-title"
AGE_BAND = "age-band"
PICKED_GENRE = "picked-genre"
REASONS = (BECAUSE_WATCHED, TRENDING, NEW_TITLE, AGE_BAND, PICKED_GENRE)
"""Why a title is in a list; ``OnlineArrays.top_reasons`` holds positions in this tuple."""

HISTORY_LIMIT = 150
RULE_HISTORY_LIMIT = 20
"""The newest titles that steer; a limit bounds the work of a request. The blend is chosen under the same limits."""

SHORTLIST = 100
"""So many titles of the first stage are ranked again by the trees."""

SIGN_UP_TITLES = 4.0
"""What is known from signing up counts like so many watched titles: it fades as a history grows."""

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

    @property
    def steers(self) -> bool:
        """Whether anything in it says what to recommend."""
        return bool((self.weights > 0).any())

    def steering(self) -> History:
        """The part that steers recommendations: bounces left out, the oldest left out beyond ``HISTORY_LIMIT``."""
        kept = np.flatnonzero(self.weights > 0)[:HISTORY_LIMIT]
        return History(titles=self.titles[kept].astype(np.intp), weights=self.weights[kept].astype(np.float32))


def trained_history(arrays: OnlineArrays, viewer: int | None) -> History:
    """What a row of ``viewer_ids`` had watched when the model was trained; nothing for None."""
    start, end = (0, 0) if viewer is None else arrays.history_starts[viewer : viewer + 2]
    return History(
        titles=arrays.history_titles[start:end].astype(np.intp),
        weights=arrays.history_weights[start:end].astype(np.float32),
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class RankedTitles:
    """A ranked list, best first: parallel arrays. ``because`` is ``no_title`` where no watched title stands behind."""

    titles: NDArray[np.integer]
    scores: NDArray[np.floating]
    reasons: NDArray[np.integer]
    because: NDArray[np.integer]

    def at(self, positions: NDArray[np.integer]) -> RankedTitles:
        """Some of the titles, or all in another order."""
        return RankedTitles(
            titles=self.titles[positions],
            scores=self.scores[positions],
            reasons=self.reasons[positions],
            because=self.because[positions],
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class HistoryPart:
    """What one neighbour matrix makes of a history of h events.

    Attributes:
        scores: [T] standardised over all titles.
        titles, weights: [h, N] the neighbours of each event.
        event_weights: [h] by which an event's weights were multiplied on the way into ``scores``.
    """

    scores: NDArray[np.floating]
    titles: NDArray[np.integer]
    weights: NDArray[np.float32]
    event_weights: NDArray[np.float32]

    def by_event(self, chosen: NDArray[np.integer]) -> NDArray[np.float32]:
        """[h, C] the plain weight from each event to each of the chosen titles."""
        place = np.full(len(self.scores) + 1, -1, np.int32)
        place[chosen] = np.arange(len(chosen))
        target = place.take(self.titles).ravel()
        found = np.flatnonzero(target >= 0)
        weights = np.zeros((len(self.titles), len(chosen)), np.float32)
        weights[found // max(self.titles.shape[1], 1), target[found]] = self.weights.ravel()[found]
        return weights


def rank_for_viewer(
    arrays: OnlineArrays,
    blend: Blend,
    history: History,
    *,
    viewer: int | None,
    region: int,
    idle_days: float,
    excluded: NDArray[np.integer],
    k: int,
    sign_up: SignUp | None = None,
) -> RankedTitles:
    """As ``rank_titles``, and what was shown to a row of ``viewer_ids`` for days and not taken goes down."""
    start, end = (0, 0) if viewer is None else arrays.unanswered_starts[viewer : viewer + 2]
    ranked = rank_titles(
        arrays,
        blend,
        history,
        region=region,
        idle_days=idle_days,
        excluded=excluded,
        k=k + int(end - start),  # as many as may go down behind the last place
        sign_up=sign_up,
    )
    order = order_by_rest(ranked.titles, arrays.unanswered_titles[start:end], arrays.unanswered_days[start:end])
    return ranked.at(order[:k])


def rank_titles(
    arrays: OnlineArrays,
    blend: Blend,
    history: History,
    *,
    region: int,
    idle_days: float,
    excluded: NDArray[np.integer],
    k: int,
    sign_up: SignUp | None = None,
) -> RankedTitles:
    """The ``k`` best titles for a history.

    Args:
        arrays: The model.
        blend: How the parts of the first stage's score are weighed.
        history: What the viewer watched.
        region: Row of ``trend``.
        idle_days: Since the viewer watched last.
        excluded: Numbers of titles that must not be shown; what the viewer has seen belongs here too.
        k: How many titles are wanted.
        sign_up: What was known of the viewer before; it counts like ``SIGN_UP_TITLES`` watched titles.

    Returns:
        At most ``k`` titles; fewer when the catalogue has no more.
    """
    allowed = arrays.recommendable.copy()
    allowed[excluded] = False
    prior = None if sign_up is None else SIGN_UP_TITLES / int((history.weights > 0).sum()) * sign_up.scores
    shortlist = shorten(arrays, blend, history, region=region, allowed=allowed, k=max(k, SHORTLIST), prior=prior)
    trees, total = arrays.trees, shortlist.scores.total
    scores = trees.scores(shortlist.features(arrays, idle_days)) if len(trees) else total
    if prior is not None:
        unit = scores.std() / (total.std() + _SMALL) if len(trees) else 1.0  # trees have a scale of their own
        scores = scores + unit * prior[shortlist.titles]
    order, values = diversified(scores, likeness_of(arrays, shortlist.titles))
    order = order[:k]
    watched, because = shortlist.reasons(blend, prior)
    otherwise = REASONS.index(TRENDING) if sign_up is None else sign_up.reasons[shortlist.titles]
    ranked = RankedTitles(
        titles=shortlist.titles[order],
        scores=values[:k],
        reasons=np.where(watched, REASONS.index(BECAUSE_WATCHED), otherwise)[order],
        because=np.where(watched, because, arrays.no_title)[order],
    )
    return _lend_place_to_new_title(arrays, ranked, shortlist.steering, allowed)


@dataclass(frozen=True, kw_only=True, eq=False)
class SignUp:
    """What can be said of every title to a viewer of whom age or picked genres are known.

    Attributes:
        scores: [T] the region's trend, moved by every group of the viewer.
        reasons: [T] rows of ``REASONS``: the kind of group that moves the title up most, the trend where none does.
    """

    scores: NDArray[np.float32]
    reasons: NDArray[np.integer]


def sign_up_of(arrays: OnlineArrays, groups: Sequence[str], memberships: int, *, region: int) -> SignUp:
    """What the groups of a viewer say.

    Args:
        arrays: The model.
        groups: Names of the rows of ``group_trend``.
        memberships: Bit ``g`` is set for each group of the viewer; at least one is.
        region: Row of ``trend``.
    """
    own = [group for group in range(len(groups)) if memberships >> group & 1]
    moves = arrays.group_trend[own].astype(np.float32)
    reason_of = np.array([REASONS.index(PICKED_GENRE if groups[g].startswith(WHO_PICKED) else AGE_BAND) for g in own])
    return SignUp(
        scores=arrays.trend[region].astype(np.float32) + moves.sum(axis=0),
        reasons=np.where(moves.max(axis=0) > 0, reason_of[moves.argmax(axis=0)], REASONS.index(TRENDING)),
    )


def rank_by_sign_up(arrays: OnlineArrays, sign_up: SignUp, *, excluded: NDArray[np.integer], k: int) -> RankedTitles:
    """The ``k`` best titles for a viewer who has watched nothing that steers, without those that are excluded."""
    allowed = arrays.recommendable.copy()
    allowed[excluded] = False
    best = _best(np.where(allowed, sign_up.scores, -np.inf).astype(np.float32), k)
    return RankedTitles(
        titles=best,
        scores=sign_up.scores[best],
        reasons=sign_up.reasons[best],
        because=np.full(len(best), arrays.no_title),
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class Shortlist:
    """The best titles by the first stage, and what it knows about them.

    Attributes:
        steering: The history that led here.
        titles: [C] best first.
        scores: Of the titles.
        ease, rules: The parts of the score, for all titles.
    """

    steering: History
    titles: NDArray[np.intp]
    scores: CandidateScores
    ease: HistoryPart
    rules: HistoryPart

    def features(self, arrays: OnlineArrays, idle_days: float) -> NDArray[np.float32]:
        """[C, F] what the ranker looks at."""
        return candidate_features(
            arrays,
            self.titles,
            self.scores,
            history_titles=self.steering.titles,
            history_weights=self.steering.weights,
            idle_days=idle_days,
        )

    def reasons(
        self, blend: Blend, prior: NDArray[np.floating] | None
    ) -> tuple[NDArray[np.bool_], NDArray[np.integer]]:
        """Whether the history rather than the rest put each title here, and the watched title that added most."""
        ease_share, rule_share = 1.0 - blend.rule_share, blend.rule_share
        added = ease_share * self.ease.event_weights[:, None] * self.scores.ease_by_event
        followed = len(self.rules.event_weights)
        added[:followed] += rule_share * self.rules.event_weights[:, None] * self.scores.rules_by_event
        from_history = ease_share * self.scores.ease + rule_share * self.scores.rules
        rest = blend.trend_share * self.scores.trend + (0.0 if prior is None else prior[self.titles])
        watched = (added.max(axis=0) > 0) & (from_history >= rest)
        return watched, self.steering.titles[added.argmax(axis=0)]


def shorten(
    arrays: OnlineArrays,
    blend: Blend,
    history: History,
    *,
    region: int,
    allowed: NDArray[np.bool_],
    k: int,
    prior: NDArray[np.floating] | None = None,
) -> Shortlist:
    """The ``k`` best allowed titles by the first stage, for a history with something in it that steers.

    A ``prior`` by title counts for which titles are here, and not in their scores, which trees have learnt to read.
    """
    steering = history.steering()
    ease = ease_part(arrays, steering, blend.half_life)
    rules = rule_part(arrays, steering, blend.rule_half_life)
    trend = arrays.trend[region].astype(np.float32)
    from_history = (1.0 - blend.rule_share) * ease.scores + blend.rule_share * rules.scores
    total = (from_history + blend.trend_share * trend).astype(np.float32)
    best = _best(np.where(allowed, total if prior is None else total + prior, -np.inf), k)
    return Shortlist(
        steering=steering,
        titles=best,
        scores=CandidateScores(
            total=total[best],
            ease=ease.scores[best],
            rules=rules.scores[best],
            trend=trend[best],
            ease_by_event=ease.by_event(best),
            rules_by_event=rules.by_event(best),
        ),
        ease=ease,
        rules=rules,
    )


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
    recency = (history.weights * np.exp2(np.arange(len(history), dtype=np.float32) / -half_life)).astype(np.float32)
    of_events = weights[history.titles]
    titles = np.minimum(neighbours[history.titles], title_count)  # "no title" becomes one more title, cut off below
    decayed = of_events * recency[:, None]
    scores = np.bincount(titles.ravel(), weights=decayed.ravel(), minlength=title_count + 1)[:title_count]
    unit = 1.0 / (scores.std() + _SMALL)
    return HistoryPart(
        scores=(scores - scores.mean()) * unit,
        titles=titles,
        weights=of_events,
        event_weights=recency * np.float32(unit),
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
