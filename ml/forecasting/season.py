"""How demand moves by itself: over the week, and with the time since a title came out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ml.forecasting.panel import BoolArray, DemandPanel, FloatArray

OLDEST_AGE = 120
"""Ages in periods from here on are one: demand of old titles does not decay any more."""
AGE_BAND_STARTS = np.array([0, 1, 2, 3, 5, 7, 10, 14, 21, 28, 42, 63])
DECAY_PRIOR_SESSIONS = 30.0
"""Weight of "no decay" against the data, in sessions, for a band of ages."""
SEASON_PRIOR_PERIODS = 2.0


@dataclass(frozen=True, kw_only=True)
class Movement:
    """Season and decay, learned from all regions together.

    Attributes:
        season_factor: Mean 1, shape [season_length].
        log_decay: Logarithm of demand at an age relative to the day of release, shape [OLDEST_AGE + 1].
    """

    season_factor: FloatArray
    log_decay: FloatArray

    def age_factor(self, age: FloatArray) -> FloatArray:
        """Demand at an age in periods relative to the day of release; 0 before release, the oldest age for NaN."""
        known = np.where(np.isnan(age), OLDEST_AGE, age)
        factor = np.exp(self.log_decay[np.clip(known, 0, OLDEST_AGE).astype(np.int64)])
        return np.where(known < 0, 0.0, factor)


def learn_movement(panel: DemandPanel) -> Movement:
    """Learn the season's factors and the curve of decay from a panel.

    The curve is a chain ladder: for each band of ages the ratio of all sessions one period later to all sessions now,
    relative to the same ratio of old titles, multiplied up. Ratios of sums need no title with a long history.
    """
    season_factor = _season_factors(panel)
    seasons = np.array([panel.season(period) for period in range(panel.periods)], dtype=np.int64)
    by_title = panel.values.sum(axis=0) / season_factor[seasons] if panel.periods else panel.values.sum(axis=0)
    return Movement(season_factor=season_factor, log_decay=_log_decay(panel, by_title))


def ages(panel: DemandPanel) -> FloatArray:
    """Age of every title in every period, shape [titles, periods]; negative before release, NaN when unknown."""
    return np.arange(panel.periods)[None, :] - panel.release_period[:, None]


def out(panel: DemandPanel) -> BoolArray:
    """Whether a title could be watched in a period, shape [titles, periods]."""
    age = ages(panel)
    return (age >= 0) | np.isnan(age)


def _season_factors(panel: DemandPanel) -> FloatArray:
    length = panel.cadence.season_length
    if panel.periods == 0 or length == 1:
        return np.ones(length)
    totals = panel.values.sum(axis=(0, 1))
    seasons = np.array([panel.season(period) for period in range(panel.periods)], dtype=np.int64)
    level = totals[panel.observed].mean()
    factor = np.ones(length)
    for season in range(length):
        days = panel.observed & (seasons == season)
        factor[season] = (totals[days].sum() / level + SEASON_PRIOR_PERIODS) / (days.sum() + SEASON_PRIOR_PERIODS)
    normalised: FloatArray = factor / factor.mean()
    return normalised


def _log_decay(panel: DemandPanel, by_title: FloatArray) -> FloatArray:
    bands = len(AGE_BAND_STARTS)
    later: FloatArray = np.zeros(bands)
    now: FloatArray = np.zeros(bands)
    if panel.periods > 1:
        age = ages(panel)[:, :-1]
        band = np.searchsorted(AGE_BAND_STARTS, np.where(np.isnan(age), OLDEST_AGE, np.maximum(age, 0)), "right") - 1
        counted = ((age >= 0) | np.isnan(age)) & (panel.observed[:-1] & panel.observed[1:])[None, :]
        np.add.at(later, band[counted], by_title[:, 1:][counted])
        np.add.at(now, band[counted], by_title[:, :-1][counted])
    ratio = (later + DECAY_PRIOR_SESSIONS) / (now + DECAY_PRIOR_SESSIONS)
    # the last band is what old titles do, so what is left is the effect of age and not the platform's growth
    step = np.clip(ratio / ratio[-1], 0.5, 1.5)
    band_of_age = np.searchsorted(AGE_BAND_STARTS, np.arange(OLDEST_AGE), "right") - 1
    return np.concatenate([[0.0], np.cumsum(np.log(step[band_of_age]))])
