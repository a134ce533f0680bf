"""Who watched what, how much of it and when: sessions become one interaction per viewer and title.

Here belong checking and shaping of the viewing frame, and the split by time. What watching means for liking is
``engagement``.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ml.recommender.engagement import affinity_of, history_weight_of
from ml.recommender.errors import ViewingCorrupt, ViewingInsufficient, ViewingSchemaError

VIEWING_COLUMNS: dict[str, str] = {
    "session_id": "text",
    "viewer_id": "text",
    "title_id": "text",
    "region_id": "text",
    "completion": "number",
    "started_at": "timestamp",
}
MAX_UNUSABLE_SHARE = 0.2
"""Above this share of unusable rows the source is broken, and learning from the rest would hide it."""

MAX_TITLES_PER_DAY = 100
"""Nobody starts more titles between two midnights; who does is a program, and teaches nothing about people."""

MIN_TITLES_FOR_HOLDING_OUT = 3

NEWEST_PER_VIEWER = 30


@dataclass(frozen=True, kw_only=True, eq=False)
class Interactions:
    """Sparse viewer x title data, ordered by viewer and within a viewer by time, oldest first.

    Attributes:
        viewer_ids: [V] sorted.
        title_ids: [T] sorted; titles that nobody watched may be among them.
        region_ids: [R] sorted.
        viewers, titles, regions: [E] numbers into the lists above; a pair of viewer and title stands once.
        affinities: [E] 1 to 5, see ``engagement``.
        weights: [E] how much the event steers recommendations, 0 for a bounce.
        watched_at: [E] when last, seconds since 1970 UTC.
        dropped: Rows of the source that were left out, by reason.
    """

    viewer_ids: Sequence[str]
    title_ids: Sequence[str]
    region_ids: Sequence[str]
    viewers: NDArray[np.int32]
    titles: NDArray[np.int32]
    regions: NDArray[np.int32]
    affinities: NDArray[np.float32]
    weights: NDArray[np.float32]
    watched_at: NDArray[np.float64]
    dropped: dict[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.viewers)

    @property
    def starts(self) -> NDArray[np.int64]:
        """[V + 1] where each viewer's events start."""
        return np.concatenate([[0], np.cumsum(np.bincount(self.viewers, minlength=len(self.viewer_ids)))])

    @property
    def latest_at(self) -> dt.datetime:
        """Time of the latest event."""
        return dt.datetime.fromtimestamp(float(self.watched_at.max()), dt.UTC)

    @property
    def data_id(self) -> str:
        """A digest of the content: the same viewing gives the same id."""
        digest = hashlib.sha256("\n".join([*self.viewer_ids, "", *self.title_ids, "", *self.region_ids]).encode())
        for column in (self.viewers, self.titles, self.regions, self.affinities, self.weights, self.watched_at):
            digest.update(np.ascontiguousarray(column).tobytes())
        return digest.hexdigest()[:32]

    def subset(self, kept: NDArray[np.bool_]) -> Interactions:
        """Some of the events, with the same numbering of viewers, titles and regions."""
        return replace(
            self,
            viewers=self.viewers[kept],
            titles=self.titles[kept],
            regions=self.regions[kept],
            affinities=self.affinities[kept],
            weights=self.weights[kept],
            watched_at=self.watched_at[kept],
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class HeldOut:
    """Events kept from training, by viewer; ``leave_last_out`` holds out one per viewer.

    Attributes:
        viewers, titles: Numbers in the ``Interactions`` they came from.
        watched_at: Seconds since 1970 UTC.
    """

    viewers: NDArray[np.int32]
    titles: NDArray[np.int32]
    watched_at: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.viewers)

    @property
    def viewer_count(self) -> int:
        """How many viewers have something held out."""
        return len(np.unique(self.viewers))

    def subset(self, kept: NDArray[np.bool_] | NDArray[np.integer]) -> HeldOut:
        """Some of the events, by mask or by position."""
        return HeldOut(viewers=self.viewers[kept], titles=self.titles[kept], watched_at=self.watched_at[kept])

    def sample(self, size: int, rng: np.random.Generator) -> HeldOut:
        """The events of at most ``size`` of the viewers, in the same order."""
        viewers = np.unique(self.viewers)
        if len(viewers) <= size:
            return self
        return self.subset(np.isin(self.viewers, rng.choice(viewers, size, replace=False)))


def read_interactions(viewing: pl.DataFrame, *, title_ids: Sequence[str] = ()) -> Interactions:
    """Shape ``serving.srv_viewing`` into interactions.

    Sessions that arrive twice count once. Rows without an id, a finite completion or a time are dropped and counted,
    and so is everything of viewers with more than ``MAX_TITLES_PER_DAY``: for them popularity answers.

    Args:
        viewing: Columns of ``VIEWING_COLUMNS``; others are ignored.
        title_ids: Titles of the catalogue, watched or not.

    Raises:
        ViewingSchemaError: A column is missing or has the wrong type.
        ViewingInsufficient: No rows at all, or none of people.
        ViewingCorrupt: More than ``MAX_UNUSABLE_SHARE`` of the rows are unusable.
    """
    _check_schema(viewing)
    if viewing.is_empty():
        raise ViewingInsufficient("no viewing yet; ingest heartbeats and build the warehouse before training")
    sessions = (
        viewing.lazy()
        .select(*VIEWING_COLUMNS)
        .with_columns(pl.col("completion").cast(pl.Float64))
        .filter(
            pl.all_horizontal(pl.col(*VIEWING_COLUMNS).is_not_null())
            & pl.col("completion").is_finite()
            & (pl.col("completion") >= 0)
        )
        .collect()
    )
    usable = sessions.height
    dropped = {"unusable": viewing.height - usable}
    if dropped["unusable"] > MAX_UNUSABLE_SHARE * viewing.height:
        raise ViewingCorrupt(
            f"{dropped['unusable']} of {viewing.height} sessions have no id, time or finite completion; "
            f"at most {MAX_UNUSABLE_SHARE:.0%} may. Look at the checks of srv_viewing before training"
        )
    sessions = _numbered(sessions).unique("session_id", keep="first", maintain_order=True)
    distinct = sessions.height
    sessions = sessions.join(_programs(sessions), on="viewer_id", how="anti", maintain_order="left")
    if sessions.is_empty():
        raise ViewingInsufficient(
            f"every viewer starts more than {MAX_TITLES_PER_DAY} titles a day; look at where the heartbeats come from"
        )
    dropped |= {"duplicate": usable - distinct, "of programs": distinct - sessions.height}
    return _from_sessions(sessions, title_ids, dropped)


def _programs(sessions: pl.DataFrame) -> pl.DataFrame:
    """The ids of viewers who start more titles on a day than a person can."""
    by_day = sessions.group_by("viewer_id", pl.col("started_at").dt.date().alias("day"))
    titles = by_day.agg(pl.col("title_id").n_unique().alias("titles"))
    return titles.filter(pl.col("titles") > MAX_TITLES_PER_DAY).select("viewer_id").unique()


def _check_schema(viewing: pl.DataFrame) -> None:
    for column, kind in VIEWING_COLUMNS.items():
        if column not in viewing.columns:
            raise ViewingSchemaError(f"the viewing frame has no column {column}; it needs {list(VIEWING_COLUMNS)}")
        found = viewing.schema[column]
        fits = {
            "text": found in (pl.String, pl.Categorical),
            "number": found.is_numeric(),
            "timestamp": isinstance(found, pl.Datetime),
        }[kind]
        if not fits:
            raise ViewingSchemaError(f"column {column} of the viewing frame is {found}, not a {kind}")


def _numbered(sessions: pl.DataFrame) -> pl.DataFrame:
    """The same with ids of four bytes, whose order is that of the names: what follows sorts and groups by them."""
    names = {column: sessions[column].cast(pl.String) for column in ("viewer_id", "title_id", "region_id")}
    return sessions.with_columns(
        column.cast(pl.Enum(column.unique().sort())).alias(name) for name, column in names.items()
    )


def _from_sessions(sessions: pl.DataFrame, title_ids: Sequence[str], dropped: dict[str, int]) -> Interactions:
    in_time = sessions.select(pl.arg_sort_by("started_at", "session_id")).to_series()
    pairs = (
        sessions.drop("session_id")[in_time]
        .group_by("viewer_id", "title_id", maintain_order=True)
        .agg(
            pl.col("completion").clip(0, 1).sum().alias("watched_share"),
            pl.col("started_at").max().dt.epoch("us").alias("watched_us"),
            pl.col("region_id").last(),
        )
        .sort("viewer_id", "watched_us", "title_id")
    )
    viewer_ids, viewers = _renumbered(pairs["viewer_id"])
    watched_title_ids, titles = _renumbered(pairs["title_id"])
    region_ids, regions = _renumbered(pairs["region_id"])
    all_title_ids = sorted({*watched_title_ids, *title_ids})
    number_of = {title_id: number for number, title_id in enumerate(all_title_ids)}
    watched_share = pairs["watched_share"].cast(pl.Float32).to_numpy()
    return Interactions(
        viewer_ids=viewer_ids,
        title_ids=all_title_ids,
        region_ids=region_ids,
        viewers=viewers,
        titles=np.array([number_of[title_id] for title_id in watched_title_ids], np.int32)[titles],
        regions=regions,
        affinities=affinity_of(watched_share),
        weights=history_weight_of(watched_share),
        watched_at=pairs["watched_us"].to_numpy() / 1e6,
        dropped=dropped,
    )


def _renumbered(column: pl.Series) -> tuple[list[str], NDArray[np.int32]]:
    """The names that are left in a column of ``_numbered``, and the column in numbers of these."""
    codes = column.to_physical().to_numpy()
    number_of_code = np.cumsum(np.bincount(codes) > 0, dtype=np.int32) - 1
    return column.unique().sort().cast(pl.String).to_list(), number_of_code[codes]


def leave_last_out(interactions: Interactions) -> tuple[Interactions, HeldOut]:
    """Hold out each viewer's last title, of viewers with at least three.

    Titles that nobody watched in what remains are not held out: no model could rank them. Bounces are not held out
    either, since nothing says that showing the title again would have been right.

    Returns:
        What remains to train on, and what is held out.
    """
    starts = interactions.starts
    last = starts[1:] - 1
    enough = np.diff(starts) >= MIN_TITLES_FOR_HOLDING_OUT
    is_last = np.zeros(len(interactions), bool)
    is_last[last[enough]] = True
    remaining = interactions.subset(~is_last)
    watched = np.bincount(remaining.titles, minlength=len(interactions.title_ids)) > 0
    tested = is_last & watched[interactions.titles] & (interactions.weights > 0)
    held_out = HeldOut(
        viewers=interactions.viewers[tested],
        titles=interactions.titles[tested],
        watched_at=interactions.watched_at[tested],
    )
    return remaining, held_out


def newest_held_out(interactions: Interactions, share: float) -> tuple[Interactions, HeldOut]:
    """Cut at the point in time after which ``share`` of the events lie, and hold out what each viewer watched first.

    Unlike the last title of every viewer, wherever in time that lies, this is what serving is asked: nothing is known
    that happened later, trends included. Viewers and titles that are new by then, and bounces, are not held out, and of
    a viewer not more than ``NEWEST_PER_VIEWER``.

    Returns:
        What was known at the cut, and what is held out, in order of time within a viewer; nothing where too little was
        watched before.
    """
    known = interactions.watched_at <= np.quantile(interactions.watched_at, 1.0 - share)
    earlier = interactions.subset(known)
    later = np.flatnonzero(
        ~known
        & (interactions.weights > 0)
        & (np.bincount(earlier.viewers, minlength=len(interactions.viewer_ids)) > 0)[interactions.viewers]
        & (np.bincount(earlier.titles, minlength=len(interactions.title_ids)) > 0)[interactions.titles]
    )
    _, first, count = np.unique(interactions.viewers[later], return_index=True, return_counts=True)
    held = later[np.arange(len(later)) - np.repeat(first, count) < NEWEST_PER_VIEWER]
    return earlier, HeldOut(
        viewers=interactions.viewers[held],
        titles=interactions.titles[held],
        watched_at=interactions.watched_at[held],
    )
