"""The demand panel: sessions as a dense array of region x title x period, and what is known of every title.

Here belong reading and cleaning the input frames and the rule of which days count as complete. Nothing here forecasts.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import polars as pl

from ml.forecasting.errors import DemandInputError
from ml.forecasting.mentions import align_mentions
from ml.forecasting.signals import NO_SIGNALS, Signals

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]

DEMAND_COLUMNS = ("region_id", "title_id", "event_day", "sessions")
MAX_HORIZON = 14
"""Most periods that anything is forecast ahead."""
UNKNOWN_CODE = 0
"""Code of a category that the catalogue does not tell."""


@dataclass(frozen=True, kw_only=True)
class Cadence:
    """How long a period of the panel is and after how many periods the season repeats."""

    period_days: int = 1
    season_length: int = 7


DAILY = Cadence()
WEEKLY = Cadence(period_days=7, season_length=1)


@dataclass(frozen=True, kw_only=True)
class DemandPanel:
    """Sessions per region, title and period, up to the last complete period.

    Attributes:
        regions, titles: Names of the first two axes, sorted.
        first_day: Day of period 0 (with a weekly cadence: the day by which weeks are named).
        values: Sessions, shape [regions, titles, periods].
        observed: Periods in which anything at all was seen; a period without a single session anywhere is an outage
            of the data and not a day without viewers.
        declared_release: Period of a title's release date, shape [titles]; NaN when unknown, may lie in the future.
        category_codes: Integer codes of ``kind``, ``language``, main ``genre`` and ``series`` (what the seasons of one
            show share), each of shape [titles]; 0 unknown.
        names: What viewers read, by title; empty where unknown.
        licensed: Periods of a title's licence, shape [titles, 2]: the first, and the last; without a bound, infinite.
        mentions: What was said elsewhere, shape [regions, titles, periods]; NaN where the feed was
            out. None without one.
        holidays: Whether a day is a public holiday, shape [regions, days]; it goes on after the panel's end, since it
            is known ahead. None where no calendar was given, and for other periods than days.
        likeness: How much regions are alike whatever was watched there, shape [regions, regions], 0 on the diagonal.
            None where nobody told.
        cadence: Length of a period and of a season.
        notes: What was cleaned on the way in, for people to read.
    """

    regions: tuple[str, ...]
    titles: tuple[str, ...]
    first_day: dt.date
    values: FloatArray
    observed: BoolArray
    declared_release: FloatArray
    category_codes: dict[str, IntArray]
    names: tuple[str, ...]
    licensed: FloatArray
    mentions: FloatArray | None = None
    holidays: BoolArray | None = None
    likeness: FloatArray | None = None
    cadence: Cadence = DAILY
    notes: tuple[str, ...] = ()

    @property
    def periods(self) -> int:
        """Number of periods of history."""
        return int(self.values.shape[2])

    @cached_property
    def release_period(self) -> FloatArray:
        """The declared release, or the first period in which a title was watched when that was earlier."""
        if self.periods == 0:
            return self.declared_release
        watched = self.values.sum(axis=0) > 0
        first_watched = np.where(watched.any(axis=1), watched.argmax(axis=1), np.inf)
        return np.where(first_watched < self.declared_release, first_watched, self.declared_release)

    def day(self, period: int) -> dt.date:
        """The day of a period; periods after the last one are the future."""
        return self.first_day + dt.timedelta(days=period * self.cadence.period_days)

    def is_holiday(self, period: int) -> BoolArray:
        """Whether a period, which may lie in the future, is a public holiday, shape [regions]."""
        if self.holidays is None or not 0 <= period < self.holidays.shape[1]:
            return np.zeros(len(self.regions), dtype=np.bool_)
        today: BoolArray = self.holidays[:, period]
        return today

    def is_licensed(self, period: int) -> BoolArray:
        """Whether titles may be shown in a period, which may lie in the future, shape [titles]."""
        may: BoolArray = (self.licensed[:, 0] <= period) & (period <= self.licensed[:, 1])
        return may

    @cached_property
    def ends_licences(self) -> bool:
        """Whether the licence of any title has an end."""
        return bool(np.isfinite(self.licensed[:, 1]).any())

    def season(self, period: int) -> int:
        """Place of a period in the season: the weekday for daily panels."""
        if self.cadence.period_days == 1 and self.cadence.season_length == 7:
            return self.day(period).weekday()
        return period % self.cadence.season_length

    def until(self, periods: int) -> DemandPanel:
        """The panel as it was known when only the first ``periods`` periods had passed."""
        return DemandPanel(
            regions=self.regions,
            titles=self.titles,
            first_day=self.first_day,
            values=self.values[:, :, :periods],
            observed=self.observed[:periods],
            declared_release=self.declared_release,
            category_codes=self.category_codes,
            names=self.names,
            licensed=self.licensed,
            mentions=None if self.mentions is None else self.mentions[:, :, :periods],
            holidays=self.holidays,
            likeness=self.likeness,
            cadence=self.cadence,
            notes=self.notes,
        )


def build_panel(
    demand: pl.DataFrame,
    titles: pl.DataFrame,
    *,
    today: dt.date,
    regions: Sequence[str] | None = None,
    max_history_days: int = 84,
    cadence: Cadence = DAILY,
    signals: Signals = NO_SIGNALS,
) -> DemandPanel:
    """Read the two frames into a panel of complete days.

    The panel ends on the last day before ``today`` on which anything was seen, so that a late ingest is not taken for
    a day without viewers.

    Args:
        demand: region_id, title_id, event_day, sessions; days without sessions are absent.
        titles: title_id and, where known, release_date, licence_start, licence_end (the last day), genres, language,
            kind, series, name. Titles of ``demand`` that are missing here are forecast without metadata.
        today: The first day that is not complete; it and all later days are ignored.
        regions: Regions that must be in the panel even when nothing was seen there.
        max_history_days: Older days are dropped.
        cadence: Length of a period and of the season.
        signals: What else is known.

    Raises:
        DemandInputError: A column is missing.
    """
    history, notes = _clean(demand, today)
    if len(history):
        last_day = history["event_day"].max()
        assert isinstance(last_day, dt.date)
        history = history.filter(pl.col("event_day") > last_day - dt.timedelta(days=max_history_days))
        first_day = history["event_day"].min()
        assert isinstance(first_day, dt.date)
        periods = (last_day - first_day).days // cadence.period_days + 1
    else:
        first_day, periods = today, 0
        notes.append("no complete day of history")
    region_names = tuple(sorted(set(history["region_id"]) | set(regions or ())))
    catalogue = _catalogue(titles)
    title_names = tuple(sorted(set(history["title_id"]) | set(catalogue["title_id"])))
    values = np.zeros((len(region_names), len(title_names), periods))

    def period_of(column: str) -> pl.Expr:
        return (pl.col(column) - pl.lit(first_day)).dt.total_days().floordiv(cadence.period_days)

    np.add.at(
        values,
        (
            _positions(history["region_id"], region_names),
            _positions(history["title_id"], title_names),
            history.select(period_of("event_day")).to_series().to_numpy().astype(np.int64),
        ),
        history["sessions"].to_numpy(),
    )
    aligned = pl.DataFrame({"title_id": title_names}, schema={"title_id": pl.String}).join(
        catalogue, on="title_id", how="left", maintain_order="left"
    )
    bounds = aligned.select(
        period_of("release_date").cast(pl.Float64).fill_null(np.nan),
        period_of("licence_start").cast(pl.Float64).fill_null(-np.inf),
        period_of("licence_end").cast(pl.Float64).fill_null(np.inf),
    ).to_numpy()
    talk = None
    if len(signals.mentions):
        talk, problem = align_mentions(signals.mentions, region_names, title_names, period_of("day"), periods)
        notes += [problem] if problem else []
    return DemandPanel(
        regions=region_names,
        titles=title_names,
        first_day=first_day,
        values=values,
        observed=values.sum(axis=(0, 1)) > 0,
        declared_release=bounds[:, 0],
        category_codes={name: _codes(aligned[name]) for name in ("kind", "language", "genre", "series")},
        names=tuple(aligned["name"].fill_null("")),
        licensed=bounds[:, 1:],
        mentions=talk,
        holidays=(
            _mark_holidays(signals.holidays, region_names, first_day, periods)
            if len(signals.holidays) and cadence.period_days == 1
            else None
        ),
        likeness=_tabulate(signals.likeness, region_names) if len(signals.likeness) else None,
        cadence=cadence,
        notes=tuple(notes),
    )


def _clean(demand: pl.DataFrame, today: dt.date) -> tuple[pl.DataFrame, list[str]]:
    missing = [name for name in DEMAND_COLUMNS if name not in demand.columns]
    if missing:
        raise DemandInputError(f"the demand frame lacks {missing}; it has {demand.columns}")
    rows = demand.select(
        pl.col("region_id").cast(pl.String),
        pl.col("title_id").cast(pl.String),
        pl.col("event_day").cast(pl.Date),
        pl.col("sessions").cast(pl.Float64),
    )
    good = (
        pl.col("sessions").is_finite()
        & (pl.col("sessions") >= 0)
        & pl.col("region_id").is_not_null()
        & pl.col("title_id").is_not_null()
        & pl.col("event_day").is_not_null()
    ).fill_null(value=False)
    kept = rows.filter(good)
    notes = []
    if len(kept) < len(rows):
        notes.append(f"{len(rows) - len(kept)} of {len(rows)} demand rows dropped: null, NaN or negative")
    return kept.filter((pl.col("event_day") < today) & (pl.col("sessions") > 0)), notes


def _catalogue(titles: pl.DataFrame) -> pl.DataFrame:
    """What a panel holds of titles, one row each, null where unknown; ``genre`` is the first of the genres."""
    if "title_id" not in titles.columns:
        raise DemandInputError(f"the titles frame lacks 'title_id'; it has {titles.columns}")

    def column(name: str, dtype: pl.DataType) -> pl.Expr:
        return (pl.col(name).cast(dtype) if name in titles.columns else pl.lit(None, dtype=dtype)).alias(name)

    genre = pl.lit(None, dtype=pl.String)
    if "genres" in titles.columns and isinstance(titles.schema["genres"], pl.List):
        genre = pl.col("genres").list.first().cast(pl.String)
    return titles.select(
        pl.col("title_id").cast(pl.String),
        column("release_date", pl.Date()),
        column("licence_start", pl.Date()),
        column("licence_end", pl.Date()),
        column("kind", pl.String()),
        column("language", pl.String()),
        column("series", pl.String()),
        column("name", pl.String()),
        genre.alias("genre"),
    ).unique("title_id", keep="first", maintain_order=True)


def _mark_holidays(holidays: pl.DataFrame, regions: Sequence[str], first_day: dt.date, periods: int) -> BoolArray:
    marked = np.zeros((len(regions), periods + MAX_HORIZON), dtype=np.bool_)
    index = {region: row for row, region in enumerate(regions)}
    for region, day in holidays.select("region_id", "day").iter_rows():
        period = (day - first_day).days
        if region in index and 0 <= period < marked.shape[1]:
            marked[index[region], period] = True
    return marked


def _tabulate(likeness: pl.DataFrame, regions: Sequence[str]) -> FloatArray:
    table = np.zeros((len(regions), len(regions)))
    index = {region: row for row, region in enumerate(regions)}
    for one, other, value in likeness.select("region_id", "other_id", "likeness").iter_rows():
        if one in index and other in index and one != other:
            table[index[one], index[other]] = value
    return table


def _positions(column: pl.Series, names: Sequence[str]) -> IntArray:
    return np.searchsorted(np.array(names, dtype=object), column.to_numpy().astype(object)).astype(np.int64)


def _codes(column: pl.Series) -> IntArray:
    """Codes by alphabet, from 1; 0 for unknown. They depend on the catalogue alone, never on demand."""
    codes = {word: code for code, word in enumerate(sorted(set(column.drop_nulls())), start=1)}
    return np.array([codes.get(word, UNKNOWN_CODE) for word in column], dtype=np.int64)
