"""A made-up world, whole: titles, viewers, their true taste, and the sessions that follow from it.

The same seed, day and sizes give the same bytes. What is true here (taste, demand) is for tests and experiments to
compare with; nothing of it reaches the platform but through the catalogue drop and the event log.
"""

from __future__ import annotations

import abc
import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

from orchestration.edge.topology import Network, read_network
from orchestration.public_holidays import public_holidays
from orchestration.sample.catalogue import (
    DEVICES,
    GENRES,
    NETWORK_CLASSES,
    TitlePlan,
    genre_matrix,
    make_titles,
    make_viewers,
    write_catalogue_drop,
)
from orchestration.sample.demand import RegionalDemand, make_regional_demand, pull_through_hit_shares
from orchestration.sample.errors import SampleWorldError
from orchestration.sample.experience import draw_experience
from orchestration.sample.history import WRITER, HistoryReport, SessionColumns, write_history
from orchestration.sample.rhythm import LocalCalendar, Rhythm, Window, day_weight
from orchestration.sample.viewing import Viewing, durations_of

Indices = NDArray[np.int64]
Weights = NDArray[np.float64]

_FACTORS = 8
_TASTE_STRENGTH = 1.1
_FAVOURITE_WEIGHT = 2.2
_SEEN_FACTOR = 0.06
_SEEN_COMPLETION = 0.5
_SAME_GENRE_BOOST = 2.5
_NEXT_SEASON_FACTOR = 30.0
_ACTIVITY_SIGMA = 0.9
_ADULT_AGE = 18
_WEEKS_AHEAD = 4


class Taste(Protocol):
    """What viewers really like."""

    def choice_weights(self, viewers: Indices, day: dt.date) -> Weights:
        """[viewers, titles], how likely each viewer picks each title on a day, up to a factor a row."""
        ...

    def draw_completion(self, rng: np.random.Generator, viewers: Indices, titles: Indices) -> Weights:
        """How much of a title each viewer sees, 0 to 1."""
        ...


class World(abc.ABC):
    """What every made-up world has in common.

    Attributes:
        titles, viewers: The catalogue drop.
        network: Regions and edges.
        window: The days of history.
        taste: What viewers really like.
        activity: [viewers], shares of all sessions; they add up to 1.
        region_of: [viewers], index of the viewer's region.
        sessions_a_day: How many sessions an average day has.
        seed: What all randomness comes from.
    """

    session_prefix: str
    every_session_plays = False
    is_talked_about = True
    """Whether a feed of mentions is made up for it."""

    def __init__(
        self,
        *,
        titles: pl.DataFrame,
        viewers: pl.DataFrame,
        network: Network,
        window: Window,
        taste: Taste,
        activity: Weights,
        sessions_a_day: float,
        seed: int,
    ) -> None:
        self.titles = titles
        self.viewers = viewers
        self.network = network
        self.window = window
        self.taste = taste
        self.activity = activity
        self.region_of = region_indices(viewers, network)
        self.sessions_a_day = sessions_a_day
        self.seed = seed

    @property
    def title_ids(self) -> list[str]:
        """Ids of the titles, in the order of all indices."""
        return self.titles["title_id"].to_list()

    @cached_property
    def calendars(self) -> list[LocalCalendar]:
        """By what the days of each region go, a while beyond the history too."""
        known = public_holidays(
            self.network.regions, self.window.first_day, self.window.end_day + dt.timedelta(weeks=_WEEKS_AHEAD)
        )
        return [
            LocalCalendar(
                time_zone=region.time_zone,
                holidays=frozenset(known.filter(pl.col("region_id") == region.region_id)["day"]),
            )
            for region in self.network.regions
        ]

    @abc.abstractmethod
    def viewing(self) -> Viewing:
        """All sessions of the history."""

    def choice_weights(self, viewers: Indices, day: dt.date) -> Weights:
        """[viewers, titles], how likely each viewer picks each title next, now that the history has passed."""
        return self.taste.choice_weights(viewers, day)

    def write_catalogue(self, folder: Path) -> None:
        """Deliver the catalogue drop."""
        write_catalogue_drop(folder, self.titles, self.viewers)

    def write_history(
        self, event_log_folder: Path, durations_s: Mapping[str, float], *, writer: str = WRITER
    ) -> HistoryReport:
        """Write the whole history into the event log.

        Args:
            event_log_folder: Folder of all writers' folders.
            durations_s: Length of the media shown for each title, by title_id.
            writer: Name of the log's writer.

        Raises:
            SampleWorldError: A title has no length.
            LogError: The log cannot be written.
        """
        return write_history(self.session_columns(durations_s), event_log_folder, writer=writer)

    def session_columns(self, durations_s: Mapping[str, float]) -> SessionColumns:
        """All sessions with what became of them; see ``write_history``."""
        rng = np.random.default_rng([self.seed, 3])
        lengths = durations_of(self.title_ids, durations_s)
        viewing = self.viewing()
        region = self.region_of[viewing.viewer]
        edge, origin_latency_s = self._edges_of(viewing.viewer)
        device = _indices(self.viewers["device"].to_list(), DEVICES)
        network_class = _indices(self.viewers["network_class"].to_list(), NETWORK_CLASSES)
        experience = draw_experience(
            rng,
            viewing,
            durations_s=lengths[viewing.title],
            device=device[viewing.viewer],
            network_class=network_class[viewing.viewer],
            origin_latency_s=origin_latency_s,
            hit_share=self._pull_through(viewing, region),
            every_session_plays=self.every_session_plays,
        )
        return SessionColumns(
            window=self.window,
            # another world in the same home must not look like a repetition of this one
            session_prefix=f"{self.session_prefix}-{self.window.first_day:%y%m%d}-{self.seed}",
            viewing=viewing,
            experience=experience,
            viewer_ids=self.viewers["viewer_id"].to_list(),
            region_ids=self.viewers["region_id"].to_list(),
            devices=self.viewers["device"].to_list(),
            network_classes=self.viewers["network_class"].to_list(),
            title_ids=self.title_ids,
            durations_s=lengths.tolist(),
            pathways=edge,
        )

    def expected_demand(self, day: dt.date) -> pl.DataFrame:
        """The truth that a forecast is to find: expected sessions by region and title on a day.

        What single viewers have seen already is left out of account.

        Returns:
            region_id, title_id, day, sessions; one row for every pair, zeros included.
        """
        frames = []
        for index, (region, calendar) in enumerate(zip(self.network.regions, self.calendars, strict=True)):
            members = np.flatnonzero(self.region_of == index)
            expected = np.zeros(len(self.titles))
            for chunk in np.array_split(members, max(1, len(members) // 500)):
                weights = self.taste.choice_weights(chunk, day)
                totals = weights.sum(axis=1, keepdims=True)
                expected += self.activity[chunk] @ np.divide(weights, totals, out=weights, where=totals > 0)
            frames.append(
                pl.DataFrame(
                    {
                        "region_id": region.region_id,
                        "title_id": self.title_ids,
                        "day": day,
                        "sessions": expected * self.sessions_a_day * day_weight(calendar, day),
                    }
                )
            )
        return pl.concat(frames)

    def _edges_of(self, viewer: Indices) -> tuple[list[str], Weights]:
        """The edge of each session, the same for all sessions of a viewer, and its distance to the origin."""
        names, latencies = [], []
        for index, region_index in enumerate(self.region_of.tolist()):
            region = self.network.regions[region_index]
            edges = self.network.edges_of(region.region_id)
            if not edges:
                raise SampleWorldError(f"region {region.region_id} has no edge in edges.csv; add one")
            edge = edges[index % len(edges)]
            names.append(edge.edge_id)
            latencies.append(edge.origin_latency_s)
        return [names[index] for index in viewer.tolist()], np.array(latencies)[viewer]

    def _pull_through(self, viewing: Viewing, region: Indices) -> Weights:
        """How likely each session finds its title on an edge that only pulls through."""
        counts = np.zeros((len(self.network.regions), len(self.titles)))
        np.add.at(counts, (region, viewing.title), 1.0)
        shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1.0)
        capacity_share = float(np.mean([edge.capacity_share for edge in self.network.edges]))
        hits = pull_through_hit_shares(shares, np.ones(len(shares)), capacity_share * len(self.titles))
        result: Weights = hits[region, viewing.title]
        return result


@dataclass(frozen=True, kw_only=True)
class WorldSize:
    """How large a generated world is."""

    titles: int = 300
    viewers: int = 1500
    history_days: int = 42
    sessions: int = 40_000


class LatentTaste:
    """Taste by genre and by a few hidden factors, upon the region's demand of the day.

    Args:
        demand: What the regions want.
        region_of: [viewers].
        appeal: [viewers, titles], how much more or less than the region each viewer wants each title.
        affinity: [viewers, titles], standard scores of the same, for how much of it is seen.
        quality: [titles], standard scores: good titles are seen to their end.
    """

    def __init__(
        self, *, demand: RegionalDemand, region_of: Indices, appeal: Weights, affinity: Weights, quality: Weights
    ) -> None:
        self.demand = demand
        self._region_of = region_of
        self.appeal = appeal
        self.affinity = affinity
        self.quality = quality

    def choice_weights(self, viewers: Indices, day: dt.date) -> Weights:
        """[viewers, titles], demand of the day times own appeal."""
        weights: Weights = self.demand.on(day)[self._region_of[viewers]] * self.appeal[viewers]
        return weights

    def draw_completion(self, rng: np.random.Generator, viewers: Indices, titles: Indices) -> Weights:
        """Finished, given up early, or left somewhere between: the better the match, the further it is seen."""
        pull = 0.8 * self.affinity[viewers, titles] + 0.4 * self.quality[titles] - 0.6
        finishing = 1 / (1 + np.exp(-pull))
        leaving = 0.5 * (1 - finishing)
        place = rng.random(len(viewers))
        finished = rng.uniform(0.95, 1.0, len(viewers))
        early = rng.beta(1.2, 8.0, len(viewers))
        between = 0.05 + 0.9 * rng.beta(2.0, 2.0, len(viewers))
        completion = np.where(place < finishing, finished, np.where(place < finishing + leaving, early, between))
        return np.clip(completion, 0.005, 1.0)


@dataclass(frozen=True, kw_only=True)
class _Past:
    """The history of a generated world and what it leaves behind.

    Attributes:
        viewing: All sessions.
        seen_factor: [viewers, titles], what having seen a title leaves of the wish for it.
        last: [viewers], index of the title that was watched last, -1 for none.
        habit: [titles + 1, titles], what having watched a title makes of the next choice; the last row is for none.
    """

    viewing: Viewing
    seen_factor: Weights
    last: Indices
    habit: Weights


class SampleWorld(World):
    """The generated world; make it with ``make_world``.

    Attributes:
        next_in_series: [titles], index of the season that follows, -1 for none.
    """

    session_prefix = "h"

    def __init__(
        self,
        *,
        titles: pl.DataFrame,
        viewers: pl.DataFrame,
        network: Network,
        window: Window,
        taste: LatentTaste,
        activity: Weights,
        sessions: int,
        seed: int,
        next_in_series: Indices,
    ) -> None:
        super().__init__(
            titles=titles,
            viewers=viewers,
            network=network,
            window=window,
            taste=taste,
            activity=activity,
            sessions_a_day=sessions / window.days,
            seed=seed,
        )
        self.taste: LatentTaste = taste
        self.sessions = sessions
        self.next_in_series = next_in_series

    def viewing(self) -> Viewing:
        """The history: when by the rhythm of the region, what by demand, taste and habit.

        Every viewer's sessions are drawn in their order, so that what was watched last and what has been seen count.
        """
        return self._past.viewing

    def choice_weights(self, viewers: Indices, day: dt.date) -> Weights:
        """As the history would go on: what has been seen is hardly wanted again, what was watched last leads on."""
        past = self._past
        weights: Weights = self.taste.choice_weights(viewers, day)
        weights *= past.seen_factor[viewers] * past.habit[past.last[viewers]]
        return weights

    @cached_property
    def _past(self) -> _Past:
        rng = np.random.default_rng([self.seed, 2])
        viewer, started_s = self._draw_moments(rng)
        shares = np.stack([self.taste.demand.on(day) for day in self.window.dates])
        wanted = shares[(started_s // 86400).astype(np.int64), self.region_of[viewer]]
        habit = self._habit()
        turn = _turns(viewer)
        title = np.empty(len(viewer), dtype=np.int64)
        completion = np.empty(len(viewer))
        last = np.full(len(self.viewers), -1, dtype=np.int64)
        seen_factor = np.ones((len(self.viewers), len(self.titles)))
        for rows in np.split(np.argsort(turn, kind="stable"), np.cumsum(np.bincount(turn))[:-1]):
            who = viewer[rows]  # all different: everyone's first session, then everyone's second, and so on
            weights = wanted[rows] * self.taste.appeal[who] * seen_factor[who] * habit[last[who]]
            title[rows] = last[who] = pick(rng, weights)
            completion[rows] = self.taste.draw_completion(rng, who, title[rows])
            seen = completion[rows] > _SEEN_COMPLETION
            seen_factor[who[seen], title[rows][seen]] = _SEEN_FACTOR
        return _Past(
            viewing=Viewing(viewer=viewer, title=title, started_s=started_s, completion=completion).in_order(),
            seen_factor=seen_factor,
            last=last,
            habit=habit,
        )

    def _draw_moments(self, rng: np.random.Generator) -> tuple[Indices, Weights]:
        """Viewer and moment of each session, viewer by viewer and in order of time."""
        length_s = self.window.days * 86400.0
        created_s = self.viewers["created_at"].dt.epoch("ms").to_numpy() / 1000.0 - self.window.start.timestamp()
        signed_up_s = np.clip(created_s, 0.0, length_s)
        share = self.activity * (length_s - signed_up_s)
        viewer = np.repeat(np.arange(len(self.viewers)), rng.multinomial(self.sessions, share / share.sum()))
        rhythm = Rhythm(self.window, self.calendars)
        started_s = rhythm.draw_moments(
            rng, self.region_of[viewer], signed_up_s[viewer], np.full(len(viewer), length_s)
        )
        order = np.lexsort((started_s, viewer))
        return viewer[order], started_s[order]

    def _habit(self) -> Weights:
        """[titles + 1, titles], what having watched a title makes of the next choice; the last row is for no title."""
        genres = genre_matrix(self.titles["genres"].to_list(), GENRES)
        genres /= np.linalg.norm(genres, axis=1, keepdims=True)
        habit = 1 + _SAME_GENRE_BOOST * (genres @ genres.T)
        followed = np.flatnonzero(self.next_in_series >= 0)
        habit[followed, self.next_in_series[followed]] *= _NEXT_SEASON_FACTOR
        return np.vstack([habit, np.ones(len(self.titles))])


def make_world(
    *,
    seed: int,
    now: dt.datetime,
    media_title_ids: Sequence[str],
    size: WorldSize | None = None,
    network: Network | None = None,
) -> SampleWorld:
    """Make a world up.

    Args:
        seed: The same seed gives the same world.
        now: Its UTC day is today: history ends the day before, and some titles debut in the days after.
        media_title_ids: Real titles whose media the made-up ones show.
        size: How large it is.
        network: Regions and edges; those of the seeds by default.

    Raises:
        SampleWorldError: It cannot be made as asked.
    """
    size = size or WorldSize()
    network = network or read_network()
    if min(size.titles, size.viewers, size.history_days, size.sessions) < 1:
        raise SampleWorldError(f"a world needs at least one of everything, not {size}")
    rng = np.random.default_rng([seed, 1])
    window = Window.before(now, size.history_days)
    plan = make_titles(rng, count=size.titles, window=window, media_title_ids=media_title_ids)
    viewers = make_viewers(rng, count=size.viewers, regions=network.regions, window=window)
    activity = np.exp(rng.normal(0.0, _ACTIVITY_SIGMA, size.viewers))
    return SampleWorld(
        titles=plan.frame,
        viewers=viewers,
        network=network,
        window=window,
        taste=_make_taste(rng, plan, viewers, network, window),
        activity=activity / activity.sum(),
        sessions=size.sessions,
        seed=seed,
        next_in_series=plan.next_in_series,
    )


def pick(rng: np.random.Generator, weights: Weights) -> Indices:
    """One column of each row, with probabilities in proportion to the row's weights.

    Raises:
        SampleWorldError: A row has no positive weight.
    """
    running = np.cumsum(weights, axis=1)
    if not (running[:, -1] > 0).all():
        raise SampleWorldError("someone has nothing to choose from; is anything released that they may see?")
    target = rng.random(len(weights)) * running[:, -1]
    chosen: Indices = np.minimum((running <= target[:, None]).sum(axis=1), weights.shape[1] - 1)
    return chosen


def region_indices(viewers: pl.DataFrame, network: Network) -> Indices:
    """Index of each viewer's region."""
    return _indices(viewers["region_id"].to_list(), [region.region_id for region in network.regions])


def _make_taste(
    rng: np.random.Generator, plan: TitlePlan, viewers: pl.DataFrame, network: Network, window: Window
) -> LatentTaste:
    titles = plan.frame
    genres = genre_matrix(titles["genres"].to_list(), GENRES)
    demand = make_regional_demand(
        rng,
        countries=[region.country for region in network.regions],
        genre_matrix=genres,
        languages=titles["language"].to_list(),
        release_days=np.array([date.toordinal() for date in titles["release_date"]], dtype=np.int64),
        first_day=window.first_day,
        weeks=window.days // 7 + _WEEKS_AHEAD,
    )
    genre_factors = rng.normal(size=(len(GENRES), _FACTORS))
    title_factors = genres @ genre_factors + rng.normal(0.0, 0.5, (len(titles), _FACTORS))
    favourites = genre_matrix(viewers["preferred_genres"].to_list(), GENRES)
    viewer_factors = favourites @ genre_factors + rng.normal(0.0, 0.5, (len(viewers), _FACTORS))
    match = viewer_factors @ title_factors.T / np.sqrt(_FACTORS) + _FAVOURITE_WEIGHT * favourites @ genres.T
    affinity = (match - match.mean(axis=1, keepdims=True)) / match.std(axis=1, keepdims=True)
    appeal = np.exp(_TASTE_STRENGTH * affinity)
    young = (viewers["age_band"] == "under-18").to_numpy()
    adult_title = (titles["maturity_age"] >= _ADULT_AGE).to_numpy()
    appeal[np.ix_(young, adult_title)] = 0.0
    return LatentTaste(
        demand=demand,
        region_of=region_indices(viewers, network),
        appeal=appeal,
        affinity=affinity,
        quality=rng.normal(size=len(titles)),
    )


def _turns(viewer: Indices) -> Indices:
    """For rows that stand viewer by viewer: 0 for each viewer's first, 1 for the second, and so on."""
    starts = np.flatnonzero(np.r_[True, viewer[1:] != viewer[:-1]])
    lengths = np.diff(np.r_[starts, len(viewer)])
    turns: Indices = np.arange(len(viewer)) - np.repeat(starts, lengths)
    return turns


def _indices(values: Sequence[str], names: Sequence[str]) -> Indices:
    place = {name: index for index, name in enumerate(names)}
    return np.array([place[value] for value in values], dtype=np.int64)
