"""The fallback: persistence, moved by the weekday and by the age of a title.

It needs no training beyond sums, works from the first day of history on, and is what is published when the model does
not beat it. It is the model's starting point too: the model only learns how far to move from it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ml.forecasting.panel import BoolArray, DemandPanel, FloatArray
from ml.forecasting.season import Movement, ages, learn_movement, out

HALF_LIFE_PERIODS = 5.0
"""A day's sessions count half as much as those of five days later."""
POOLED_WEIGHT = 0.3
"""Weight of the other regions' taste, in days of own history."""
DEBUT_WEIGHT = 0.5
"""Weight of what past debuts did, in days of own history, for titles that came out within the window."""
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
    exposure is its season's and age's factor), which is the Poisson likelihood's answer. It is drawn a little towards
    the other regions' taste and, for titles of the window, towards past debuts.
    """
    movement = learn_movement(panel)
    shape = panel.values.shape[:2]
    if panel.periods == 0:
        nothing = np.zeros(shape)
        return Level(movement=movement, sessions=nothing, pooled=nothing, debut=nothing)
    seasons = np.array([panel.season(period) for period in range(panel.periods)], dtype=np.int64)
    recency = 0.5 ** ((panel.periods - 1 - np.arange(panel.periods)) / HALF_LIFE_PERIODS) * _open(panel)
    exposure = movement.age_factor(ages(panel)) * out(panel) * movement.season_factor[seasons]
    weighted_sessions = (panel.values * recency[:, None, :]).sum(axis=2)
    weighted_exposure = recency @ exposure.T
    pooled, has_peers = _pooled(weighted_sessions, weighted_exposure)
    debut = _debut(panel, exposure)
    # a day of somebody else's history weighs what a day of own history would weigh at this age
    day_of_exposure = movement.age_factor(np.maximum(panel.periods - 1 - panel.release_period, 0))
    debut_weight = np.where(panel.release_period > 0, DEBUT_WEIGHT * day_of_exposure, 0.0)[None, :]
    pooled_weight = np.where(weighted_exposure.max(axis=0) > 0, POOLED_WEIGHT * day_of_exposure, 0.0)[None, :]
    pooled_weight = pooled_weight * has_peers[:, None]
    sessions = (weighted_sessions + pooled_weight * pooled + debut_weight * debut) / np.maximum(
        weighted_exposure + pooled_weight + debut_weight, 1e-9
    )
    return Level(movement=movement, sessions=sessions, pooled=pooled, debut=debut)


def expect(panel: DemandPanel, level: Level, horizon: int) -> FloatArray:
    """Expected sessions ``horizon`` periods after the panel's end, shape [regions, titles]."""
    target = panel.periods - 1 + horizon
    age = target - panel.release_period
    season = level.movement.season_factor[panel.season(target)]
    expected: FloatArray = level.sessions * level.movement.age_factor(age)[None, :] * season
    return expected


def persistence(panel: DemandPanel) -> FloatArray:
    """The mean of the last season's observed periods, shape [regions, titles]: the yardstick of every back-test."""
    window = min(panel.cadence.season_length, PERSISTENCE_PERIODS)
    observed = np.nonzero(panel.observed)[0][-window:]
    if len(observed) == 0:
        return np.zeros(panel.values.shape[:2])
    mean: FloatArray = panel.values[:, :, observed].mean(axis=2)
    return mean


def region_similarity(taste: FloatArray) -> FloatArray:
    """How much each region listens to each other one: squared cosine, rows summing to 1, own region left out.

    Args:
        taste: Sessions per region and title, shape [regions, titles].
    """
    norm = np.linalg.norm(taste, axis=1, keepdims=True)
    cosine = (taste / np.maximum(norm, 1e-9)) @ (taste / np.maximum(norm, 1e-9)).T
    np.fill_diagonal(cosine, 0.0)
    weight = cosine**2
    normalised: FloatArray = weight / np.maximum(weight.sum(axis=1, keepdims=True), 1e-9)
    return normalised


def _open(panel: DemandPanel) -> FloatArray:
    """1 for observed periods since a region's first session, else 0, shape [regions, periods]."""
    seen = panel.values.sum(axis=1) > 0
    return (np.logical_or.accumulate(seen, axis=1) & panel.observed[None, :]).astype(np.float64)


def _pooled(weighted_sessions: FloatArray, weighted_exposure: FloatArray) -> tuple[FloatArray, BoolArray]:
    """Each title's level by the other regions' rates, at the size of the own region; and which regions have others."""
    rate = weighted_sessions / np.maximum(weighted_exposure, 1e-9)
    total = rate.sum(axis=1)
    share = rate / np.maximum(total[:, None], 1e-9)
    weight = region_similarity(weighted_sessions)
    silent = total <= 0
    if silent.any() and not silent.all():
        # a region without any history is taken for a mean one
        weight = np.where(silent[:, None], (~silent / (~silent).sum())[None, :], weight)
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
