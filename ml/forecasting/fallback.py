"""The fallback: persistence, moved by the weekday and by the age of a title.

It needs no training beyond sums, works from the first day of history on, and is what is published when the model does
not beat it. It is the model's starting point too: the model only learns how far to move from it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ml.forecasting.panel import BoolArray, DemandPanel, FloatArray, IntArray
from ml.forecasting.season import Movement, ages, learn_movement, out

MEMORY_HALF_LIVES = np.array([2.0, 7.0, 28.0])
"""Half-lives in periods of the memories that a pair's own history is kept in."""
MEMORY_ODDS = np.array([0.15, 0.25, 0.6])
"""How much each memory is believed before it was judged: most titles move slowly."""
JUDGED_PERIODS = 28
JUDGEMENT_HALF_LIFE = 7.0
"""In periods: what a memory foretold well long ago says little about today."""
POOLED_SESSIONS = 1.0
"""Weight of the other regions' taste, in own sessions: the shape of a gamma prior."""
DEBUT_SESSIONS = 0.5
"""Weight of what past debuts did, in own sessions, for titles that came out within the window."""
SIMILARITY_POWER = 8
"""Regions listen to few others, those that are most like them: chosen on weekly charts up to February 2022."""
LIKENESS_SESSIONS = 50.0
"""Sessions after which a region's own viewing tells as much of whom it is like as language and clock do."""
UNSEEN_SESSIONS = 0.2
"""Sessions that a title nobody watched yet is taken to have had in the time it could have been watched."""
LONGEST_PRIOR = 60.0
"""Most periods of own history that a prior may weigh."""
DEBUT_AGES = 7
PERSISTENCE_PERIODS = 7


@dataclass(frozen=True, kw_only=True)
class Level:
    """Where every title stands at the end of a panel, season and age taken out.

    Attributes:
        movement: Season and decay.
        sessions: Expected sessions per period on the day of release in a mean season, shape [regions, titles].
        pooled: The same as the other regions alone would have it, shape [regions, titles].
        debut: What a new title starts with, shape [regions, titles] (it differs by kind).
    """

    movement: Movement
    sessions: FloatArray
    pooled: FloatArray
    debut: FloatArray


def learn_level(panel: DemandPanel) -> Level:
    """Estimate every title's level from the panel's history.

    Own history is a ratio of sums (exponentially weighted sessions over exponentially weighted exposure, where a day's
    exposure is its season's, holiday's and age's factor), which is the Poisson likelihood's answer. It is drawn towards
    the other regions' taste and, for titles of the window, towards past debuts, by so much as a gamma prior of a few
    sessions would: a title with few sessions goes by its priors, one with many by itself.
    """
    movement = learn_movement(panel)
    shape = panel.values.shape[:2]
    if panel.periods == 0:
        nothing = np.zeros(shape)
        return Level(movement=movement, sessions=nothing, pooled=nothing, debut=nothing)
    decayed = movement.age_factor(ages(panel)) * out(panel)
    day_factors = movement.day_factors(panel, range(panel.periods))
    remembered, exposed = _remember(panel, decayed, open_periods(panel) * day_factors)
    pooled, has_peers = _pooled(remembered, exposed, panel.likeness)
    pooled = np.maximum(pooled, UNSEEN_SESSIONS / np.maximum(exposed, 1.0))
    debut = _debut(panel, decayed * day_factors.mean(axis=0))
    own = remembered / np.maximum(exposed, 1e-9)
    debut_weight = np.where(panel.release_period > 0, _prior_periods(DEBUT_SESSIONS, debut, own), 0.0)
    known_somewhere = has_peers[:, None] & (exposed.max(axis=0) > 0)[None, :]
    pooled_weight = np.where(known_somewhere, _prior_periods(POOLED_SESSIONS, pooled, own), 0.0)
    sessions = (remembered + pooled_weight * pooled + debut_weight * debut) / np.maximum(
        exposed + pooled_weight + debut_weight, 1e-9
    )
    return Level(movement=movement, sessions=sessions, pooled=pooled, debut=debut)


def expect(panel: DemandPanel, level: Level, horizon: int) -> FloatArray:
    """Expected sessions ``horizon`` periods after the panel's end, shape [regions, titles]; 0 outside a licence."""
    target = panel.periods - 1 + horizon
    decayed = level.movement.age_factor(target - panel.release_period) * panel.is_licensed(target)
    expected: FloatArray = level.sessions * decayed * level.movement.day_factors(panel, [target])
    return expected


def persistence(panel: DemandPanel) -> FloatArray:
    """The mean of the last season's observed periods, shape [regions, titles]: the yardstick of every back-test."""
    lately = last_season(panel)
    if len(lately) == 0:
        return np.zeros(panel.values.shape[:2])
    mean: FloatArray = panel.values[:, :, lately].mean(axis=2)
    return mean


def last_season(panel: DemandPanel) -> IntArray:
    """The observed periods of the last season, at most as many as there are."""
    window = min(panel.cadence.season_length, PERSISTENCE_PERIODS)
    periods: IntArray = np.nonzero(panel.observed)[0][-window:]
    return periods


def region_similarity(taste: FloatArray) -> FloatArray:
    """How much each region listens to each other one: a power of the cosine, rows summing to 1, own region left out.

    Args:
        taste: Sessions per region and title, shape [regions, titles].
    """
    norm = np.linalg.norm(taste, axis=1, keepdims=True)
    cosine = (taste / np.maximum(norm, 1e-9)) @ (taste / np.maximum(norm, 1e-9)).T
    np.fill_diagonal(cosine, 0.0)
    weight = cosine**SIMILARITY_POWER
    normalised: FloatArray = weight / np.maximum(weight.sum(axis=1, keepdims=True), 1e-9)
    return normalised


def _prior_periods(prior_sessions: float, expected: FloatArray, own: FloatArray) -> FloatArray:
    """Periods of exposure that a prior of so many sessions weighs; the larger rate counts, so that it never swamps."""
    periods: FloatArray = np.minimum(prior_sessions / np.maximum(np.maximum(expected, own), 1e-9), LONGEST_PRIOR)
    return periods


def _remember(panel: DemandPanel, decayed: FloatArray, open_days: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Weighted sessions and exposure of every pair, shape [regions, titles] each.

    Exposure is what a title's age leaves in a period, ``decayed`` [titles, periods], times what the day brings in a
    region, ``open_days`` [regions, periods].

    Each pair is remembered at several half-lives at once, and the memories are mixed by the likelihood with which each
    foretold the recent periods (Bayesian model averaging with forgetting, Raftery et al. 2010): a title that jumps
    soon goes by its last days, a steady one by all of them.
    """
    values = panel.values
    keep = 0.5 ** (1.0 / MEMORY_HALF_LIVES)[:, None, None]
    fade = 0.5 ** (1.0 / JUDGEMENT_HALF_LIFE)
    remembered = np.zeros((len(MEMORY_HALF_LIVES), *values.shape[:2]))
    exposed, judgement = np.zeros_like(remembered), np.zeros_like(remembered)
    mean_rate = (values.sum(axis=(1, 2)) / np.maximum((open_days @ decayed.T).sum(axis=1), 1e-9))[None, :, None]
    for period in range(panel.periods):
        now = open_days[:, period, None] * decayed[None, :, period]
        if period > 0 and period >= panel.periods - JUDGED_PERIODS:
            foretold = (remembered + mean_rate) / (exposed + 1.0) * now
            judgement *= fade
            judgement -= foretold
            # the logarithm only where something was watched: most pairs are not
            pair = np.nonzero(values[:, :, period])
            judgement[:, pair[0], pair[1]] += values[pair[0], pair[1], period] * np.log(
                np.maximum(foretold[:, pair[0], pair[1]], 1e-9)
            )
        remembered *= keep
        remembered += values[:, :, period]
        exposed *= keep
        exposed += now
    weight = MEMORY_ODDS[:, None, None] * np.exp(judgement - judgement.max(axis=0))
    weight /= weight.sum(axis=0)
    return (weight * remembered).sum(axis=0), (weight * exposed).sum(axis=0)


def open_periods(panel: DemandPanel) -> FloatArray:
    """1 for observed periods since a region's first session, else 0, shape [regions, periods]."""
    seen = panel.values.sum(axis=1) > 0
    return (np.logical_or.accumulate(seen, axis=1) & panel.observed[None, :]).astype(np.float64)


def _pooled(remembered: FloatArray, exposed: FloatArray, likeness: FloatArray | None) -> tuple[FloatArray, BoolArray]:
    """Each title's level by the other regions' rates, at the size of the own region; and which regions have others.

    Whom a region listens to, its own viewing tells; as long as there is little of it, the likeness that was told. A
    region without either takes the mean of the others. One without history is taken to be of mean size.
    """
    rate = remembered / np.maximum(exposed, 1e-9)
    total = rate.sum(axis=1)
    share = rate / np.maximum(total[:, None], 1e-9)
    silent = total <= 0
    weight = region_similarity(remembered)
    if not silent.all():
        told = np.ones_like(weight) if likeness is None else likeness
        told = told * ~silent
        told = np.where(told.sum(axis=1, keepdims=True) > 0, told, ~silent)
        np.fill_diagonal(told, 0.0)
        told /= np.maximum(told.sum(axis=1, keepdims=True), 1e-9)
        seen = remembered.sum(axis=1)
        own = seen / (seen + LIKENESS_SESSIONS) if likeness is not None else ~silent
        weight = own[:, None] * weight + (1.0 - own)[:, None] * told
        total = np.where(silent, total[~silent].mean(), total)
    return (weight @ share) * total[:, None], weight.sum(axis=1) > 0


def _debut(panel: DemandPanel, exposure: FloatArray) -> FloatArray:
    """Level of a new title: what the titles of its kind had that came out within the window, by region.

    Without any debut in the window, a new title is taken for a mean one.
    """
    age = ages(panel)
    young = (age >= 0) & (age < DEBUT_AGES) & (panel.release_period > 0)[:, None] & panel.observed[None, :]
    if not young.any():
        young = np.broadcast_to(panel.observed[None, :], young.shape)
    sessions = (panel.values * young[None]).sum(axis=2)
    exposed = (exposure * young).sum(axis=1)
    everything = sessions.sum(axis=1) / max(exposed.sum(), 1e-9)
    kinds = panel.category_codes["kind"]
    debut = np.repeat(everything[:, None], len(panel.titles), axis=1)
    for kind in np.unique(kinds):
        of_kind = kinds == kind
        # two days of the mean debut keep a kind with one debut from being taken at its word
        of_this = (sessions[:, of_kind].sum(axis=1) + 2.0 * everything) / (exposed[of_kind].sum() + 2.0)
        debut[:, of_kind] = of_this[:, None]
    return debut
