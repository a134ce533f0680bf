"""What another ranking would have done, from pages that were shown by this one: off-policy evaluation.

The main row of a page shows what the ranking says, and in a few places a title drawn at random, with the probability
of every choice in the log. A title that another ranking would have shown is seen sometimes, by that chance; weighted
by how rarely, the plays of those places tell what its own row would have earned. Places differ in how many people look
at them: a play at one place counts for another as the two are looked at (position-based model: Li, Abbasi-Yadkori,
Kveton, Muthukrishnan, Vinay and Wen, "Offline evaluation of ranking policies with click models", KDD 2018).

Two estimates: SNIPS (Swaminathan and Joachims, "The self-normalized estimator for counterfactual learning", NeurIPS
2015) and doubly robust (Dudik, Langford and Li, "Doubly robust policy evaluation and learning", ICML 2011). Where too
few drawn titles are those of the other ranking, there is no estimate.

Judged are the places that explore; the first places of a row never do, and stay as they were shown. To
extrapolate how many look at those from plays at later places was tried, and made errors several times as large.

Assumed: whether a title is played depends on the viewer, the title and its place, not on what stands beside it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.recommender.errors import SupportTooThin
from ml.recommender.ranking_metrics import Interval, bootstrap_interval

MIN_EFFECTIVE_PLACES = 100
"""So many drawn places, in effect, must show what the other ranking would have shown."""

MIN_PLAYED_PLACES = 20
"""So many of them must have been played: from a handful of plays intervals are too narrow."""

NEGLIGIBLE_SHARE = 0.01
"""Another ranking that shows no more than this elsewhere than in the logged rows needs no drawn places."""

PRIOR_LOOKS = 20.0
"""A title's chance to be played is drawn to the mean of all as if so many people had looked at it."""

_EXPONENTS = np.linspace(0.0, 2.0, 41)


@dataclass(frozen=True, kw_only=True, eq=False)
class ShownPlaces:
    """The places of main rows that explore, one entry a place; a page is a row with its own draws.

    Attributes:
        pages: [N] number of the page.
        titles: [N] number of the title.
        positions: [N] place in the row, from 0.
        propensities: [N] probability with which the title was put there, given the places before it.
        explored: [N] whether it was drawn.
        played: [N] whether the title was played from the page.
        viewers: [P] number of each page's viewer.
    """

    pages: NDArray[np.integer]
    titles: NDArray[np.integer]
    positions: NDArray[np.integer]
    propensities: NDArray[np.floating]
    explored: NDArray[np.bool_]
    played: NDArray[np.bool_]
    viewers: NDArray[np.integer]


@dataclass(frozen=True, kw_only=True)
class OffPolicyEstimate:
    """Plays a page from the places that explore, with 95 % intervals by the bootstrap over viewers.

    Attributes:
        shown: Of what was shown there.
        snips, doubly_robust: Of what the other ranking would have shown there, by two estimators.
        difference: Doubly robust less shown, paired.
        effective_places: Drawn places of the other row's titles, as many as equally weighted ones would tell (Kish).
        examination_exponent: A place is looked at in proportion to 1 / (place, from 1) to this power.
    """

    pages: int
    shown: Interval
    snips: Interval
    doubly_robust: Interval
    difference: Interval
    effective_places: float
    examination_exponent: float


def estimate(shown: ShownPlaces, wanted: NDArray[np.integer], *, seed: int) -> OffPolicyEstimate:
    """Estimate what wanted titles would have earned in the exploring places of each page.

    Args:
        shown: What was shown in them.
        wanted: [P, K] the other ranking's titles for each page, best first, from the first place that explores on; -1
            where it has none. No title twice, and none that stands in a place that does not explore.
        seed: For the bootstrap.

    Raises:
        SupportTooThin: The drawn places say too little about the other ranking.
    """
    page_count = len(shown.viewers)
    if not len(shown.pages) or not (wanted >= 0).any():
        raise SupportTooThin("no page was shown, or the other ranking has no title for any of them")
    first_place = int(shown.positions.min())
    exponent = _examination_exponent(shown)
    looked_at = _looks(shown.positions, exponent)
    places = _place_in(wanted, shown)
    matched = places >= 0
    weights = np.where(matched, 1.0 / _chance_on_page(shown, page_count), 0.0)
    would_be_looked_at = np.where(matched, _looks(first_place + places, exponent), 0.0)
    effective = _require_support(shown, wanted, weights)

    def by_page(values: NDArray[np.floating] | NDArray[np.bool_]) -> NDArray[np.float64]:
        return np.bincount(shown.pages, weights=values, minlength=page_count).astype(np.float64)

    def interval(values: NDArray[np.floating]) -> Interval:
        viewers = np.unique(shown.viewers, return_inverse=True)[1]
        sums = np.bincount(viewers, weights=values)
        return bootstrap_interval(sums * len(sums) / page_count, seed=seed)

    earned = by_page(shown.played)
    looks_wanted = np.where(wanted >= 0, _looks(first_place + np.arange(wanted.shape[1]), exponent), 0.0)
    numerator = by_page(weights * shown.played * would_be_looked_at / looked_at)
    denominator = by_page(weights * would_be_looked_at)
    rate = numerator.sum() / denominator.sum()
    # the ratio's linearisation has its mean and, page by page, its errors
    mean_looks = looks_wanted.sum(axis=1).mean()
    snips = rate * looks_wanted.sum(axis=1) + mean_looks * (numerator - rate * denominator) / denominator.mean()

    appeal = _appeal_from_other_viewers(shown, looked_at, title_count=1 + max(shown.titles.max(), wanted.max()))
    folds = shown.viewers % 2
    predicted = (looks_wanted * appeal[folds[:, None], np.maximum(wanted, 0)]).sum(axis=1)
    surprise = shown.played - looked_at * appeal[folds[shown.pages], shown.titles]
    doubly_robust = predicted + by_page(weights * would_be_looked_at / looked_at * surprise)
    return OffPolicyEstimate(
        pages=page_count,
        shown=interval(earned),
        snips=interval(snips),
        doubly_robust=interval(doubly_robust),
        difference=interval(doubly_robust - earned),
        effective_places=effective,
        examination_exponent=exponent,
    )


def _looks(positions: NDArray[np.integer], exponent: float) -> NDArray[np.float64]:
    return np.maximum(positions + 1.0, 1.0) ** -exponent


def _examination_exponent(shown: ShownPlaces) -> float:
    """How fast looks fall along the row, by the plays of drawn titles: these are equally good at every place.

    Maximum likelihood, plays at a place being Poisson with a mean in proportion to how often something was drawn there
    and how many look at it.
    """
    positions, played = shown.positions[shown.explored], shown.played[shown.explored]
    if not played.any():
        return 0.0
    likelihoods = [
        float(np.log(_looks(positions[played], exponent)).sum())
        - played.sum() * np.log(_looks(positions, exponent).sum())
        for exponent in _EXPONENTS
    ]
    return float(_EXPONENTS[int(np.argmax(likelihoods))])


def _place_in(wanted: NDArray[np.integer], shown: ShownPlaces) -> NDArray[np.int64]:
    """[N] where the other ranking has the title that was shown, -1 where it does not show it on that page."""
    stride = 1 + max(int(shown.titles.max()), int(wanted.max()))
    pages, places = np.nonzero(wanted >= 0)
    keys = pages * stride + wanted[pages, places]
    order = np.argsort(keys)
    asked = shown.pages.astype(np.int64) * stride + shown.titles
    found = np.searchsorted(keys, asked, sorter=order)
    candidates = order[np.minimum(found, len(order) - 1)]
    return np.where(keys[candidates] == asked, places[candidates], -1)


def _chance_on_page(shown: ShownPlaces, page_count: int) -> NDArray[np.float64]:
    """[N] the probability that the title was shown on the page at all.

    A title of the ranking stands in one place. A drawn one could stand in any place that explores, with the same chance
    as every other title of the pool: that of the first draw, when the pool was whole, times the number of such places.
    """
    first_draw = np.ones(page_count)
    np.minimum.at(first_draw, shown.pages[shown.explored], shown.propensities[shown.explored])
    drawn = np.minimum((first_draw * np.bincount(shown.pages, minlength=page_count))[shown.pages], 1.0)
    return np.where(shown.explored, drawn, shown.propensities)


def _require_support(shown: ShownPlaces, wanted: NDArray[np.integer], weights: NDArray[np.float64]) -> float:
    """The effective number of drawn places, if it suffices."""
    drawn = weights[shown.explored]
    effective = float(drawn.sum() ** 2 / np.square(drawn).sum()) if drawn.any() else 0.0
    played = int(((weights > 0) & shown.explored & shown.played).sum())
    elsewhere = 1.0 - weights[~shown.explored].sum() / int((wanted >= 0).sum())
    too_few = effective < MIN_EFFECTIVE_PLACES or played < MIN_PLAYED_PLACES
    if not weights.any() or (too_few and elsewhere > NEGLIGIBLE_SHARE):
        raise SupportTooThin(
            f"{elsewhere:.0%} of the other ranking's titles were shown on {len(shown.viewers)} pages by exploration "
            f"alone, in {effective:.0f} places in effect, {played} of them played; an estimate needs "
            f"{MIN_EFFECTIVE_PLACES} and {MIN_PLAYED_PLACES}. More pages or more exploration are needed"
        )
    return effective


def _appeal_from_other_viewers(
    shown: ShownPlaces, looked_at: NDArray[np.float64], *, title_count: int
) -> NDArray[np.float64]:
    """[2, titles] how often a title is played by who looks at it; for each half of the viewers, from the other half."""
    folds = shown.viewers[shown.pages] % 2
    appeal = np.empty((2, title_count))
    for fold in (0, 1):
        others = folds != fold
        plays = np.bincount(shown.titles[others], weights=shown.played[others], minlength=title_count)
        looks = np.bincount(shown.titles[others], weights=looked_at[others], minlength=title_count)
        mean = plays.sum() / max(looks.sum(), 1.0)
        appeal[fold] = (plays + PRIOR_LOOKS * mean) / (looks + PRIOR_LOOKS)
    return appeal
