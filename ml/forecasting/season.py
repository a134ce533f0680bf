"""How demand moves by itself: over the week, on public holidays, and with the time since a title came out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ml.forecasting.panel import BoolArray, DemandPanel, FloatArray

OLDEST_AGE = 120
"""Ages in periods from here on are one: demand of old titles does not decay any more."""
AGE_BAND_STARTS = np.array([0, 1, 2, 3, 5, 7, 10, 14, 21, 28, 42, 63])
DECAY_PRIOR_SESSIONS = 30.0
"""Weight of "no decay" against the data, in sessions, for a band of ages."""
SEASON_PRIOR_PERIODS = 2.0
HOLIDAY_PRIOR_DAYS = 2.0
"""Weight of "a day like others" against the holidays that were seen."""
DAYS_AROUND = 7
"""On either side of a holiday: what it is compared with."""


@dataclass(frozen=True, kw_only=True)
class Movement:
    """Season and decay, learned from all regions together.

    Attributes:
        season_factor: Mean 1, shape [season_length].
        holiday_factor: What a public holiday has more than another day of its season.
        log_decay: Logarithm of demand at an age relative to the day of release, shape [OLDEST_AGE + 1].
    """

    season_factor: FloatArray
    holiday_factor: float
    log_decay: FloatArray

    def day_factors(self, panel: DemandPanel, periods: Iterable[int]) -> FloatArray:
        """What season and holidays make of periods, which may lie in the future, shape [regions, periods]."""
        return _day_factors(panel, self.season_factor, self.holiday_factor, periods)

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
    totals = panel.values.sum(axis=1)
    season_factor = _season_factors(panel, totals)
    holiday_factor = _holiday_factor(panel, totals, season_factor)
    if panel.holidays is not None:
        ordinary = np.where(panel.holidays[:, : panel.periods], totals / holiday_factor, totals)
        season_factor = _season_factors(panel, ordinary)
    factors = _day_factors(panel, season_factor, holiday_factor, range(panel.periods))
    by_title = np.einsum("rtp,rp->tp", panel.values, 1.0 / factors)
    return Movement(season_factor=season_factor, holiday_factor=holiday_factor, log_decay=_log_decay(panel, by_title))


def ages(panel: DemandPanel) -> FloatArray:
    """Age of every title in every period, shape [titles, periods]; negative before release, NaN when unknown."""
    return np.arange(panel.periods)[None, :] - panel.release_period[:, None]


def out(panel: DemandPanel) -> BoolArray:
    """Whether a title could be watched in a period, shape [titles, periods]."""
    age = ages(panel)
    first, last = panel.licensed[:, :1], panel.licensed[:, 1:]
    periods = np.arange(panel.periods)
    return ((age >= 0) | np.isnan(age)) & (first <= periods) & (periods <= last)


def _season_factors(panel: DemandPanel, by_region: FloatArray) -> FloatArray:
    length = panel.cadence.season_length
    if panel.periods == 0 or length == 1:
        return np.ones(length)
    totals = by_region.sum(axis=0)
    seasons = np.array([panel.season(period) for period in range(panel.periods)], dtype=np.int64)
    level = totals[panel.observed].mean()
    factor = np.ones(length)
    for season in range(length):
        days = panel.observed & (seasons == season)
        factor[season] = (totals[days].sum() / level + SEASON_PRIOR_PERIODS) / (days.sum() + SEASON_PRIOR_PERIODS)
    normalised: FloatArray = factor / factor.mean()
    return normalised


def _day_factors(
    panel: DemandPanel, season_factor: FloatArray, holiday_factor: float, periods: Iterable[int]
) -> FloatArray:
    columns = [
        season_factor[panel.season(period)] * np.where(panel.is_holiday(period), holiday_factor, 1.0)
        for period in map(int, periods)
    ]
    return np.stack(columns, axis=1) if columns else np.ones((len(panel.regions), 0))


def _holiday_factor(panel: DemandPanel, by_region: FloatArray, season_factor: FloatArray) -> float:
    """Sessions of all regions' holidays over what the days around them, less the season, made expect of them."""
    if panel.holidays is None:
        return 1.0
    season = season_factor[[panel.season(period) for period in range(panel.periods)]]
    levels = by_region / season
    seen, foretold = HOLIDAY_PRIOR_DAYS, HOLIDAY_PRIOR_DAYS
    for region, period in np.argwhere(panel.holidays[:, : panel.periods] & panel.observed):
        around = np.arange(max(period - DAYS_AROUND, 0), min(period + DAYS_AROUND + 1, panel.periods))
        around = around[panel.observed[around] & ~panel.holidays[region, around]]
        level = levels[region, around].mean() if len(around) else 0.0
        if level > 0:
            seen += levels[region, period] / level
            foretold += 1.0
    return float(seen / foretold)


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
