"""How far sessions watch: the share of them that reaches a segment group."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import polars as pl

from ml.placement.catalogue import FloatArray, IntArray, require_columns

PRIOR_SESSIONS = 10.0
PRIOR_CONTINUATION = 0.8
"""Without data, so many of the sessions that reach a group reach the next one."""
MAX_GROUPS = 1000


@dataclass(frozen=True, kw_only=True)
class GroupLayout:
    """When segment groups start: group 0 is the prefix, the following ones are of equal length."""

    prefix_s: float = 8.0
    group_s: float = 20.0

    def groups_reached(self, seconds_watched: FloatArray) -> IntArray:
        """How many groups a session that watched so long has asked for, at least 1."""
        seconds = np.nan_to_num(
            np.asarray(seconds_watched, dtype=np.float64), nan=0.0, posinf=MAX_GROUPS * self.group_s
        )
        after = np.ceil(np.maximum(seconds - self.prefix_s, 0.0) / self.group_s)
        return 1 + np.minimum(after, MAX_GROUPS).astype(np.int64)


LAYOUT = GroupLayout()


@dataclass(frozen=True, kw_only=True)
class WatchThrough:
    """Share of sessions that reach each group, shape [groups]; the first is 1 and none is larger than the one before.

    Titles with more groups than a curve go on at the rate of its end.

    Attributes:
        reach: The curve of all titles together.
        of_kind: Curves of films, of series and of what else the catalogue tells; a kind without one goes by ``reach``.
    """

    reach: FloatArray
    of_kind: Mapping[str, FloatArray] = field(default_factory=dict)

    def at(self, group: IntArray, kind: npt.NDArray[np.object_] | None = None) -> FloatArray:
        """Share of sessions that reach each of these groups, of titles of these kinds."""
        share = _extended(self.reach, group)
        for name, reach in self.of_kind.items() if kind is not None else ():
            share = np.where(kind == name, _extended(reach, group), share)
        return share


def learn_watch_through(
    requests: pl.DataFrame,
    groups_of_title: pl.DataFrame,
    kinds: pl.DataFrame | None = None,
    layout: GroupLayout = LAYOUT,
    max_groups: int = 400,
) -> WatchThrough:
    """Learn the curves from sessions.

    A curve is a product of continuation rates, each among the sessions that could go on: short titles, which end
    before a group, do not lower it (Kaplan and Meier's estimate). A kind's curve starts from that of all titles.

    Args:
        requests: title_id, seconds_watched.
        groups_of_title: title_id, groups (how many segment groups the title has).
        kinds: title_id, kind; without it there is one curve for all.
        layout: When groups start.
        max_groups: Length of a curve at most.
    """
    require_columns(requests, ("title_id", "seconds_watched"), "requests")
    sessions = requests.join(groups_of_title, on="title_id", how="inner")
    available = sessions["groups"].to_numpy().astype(np.int64)
    reached = np.minimum(layout.groups_reached(sessions["seconds_watched"].fill_null(0).to_numpy()), available)
    longest = min(int(available.max(initial=1)), max_groups)
    rates = _continuation_rates(reached, available, np.full(longest - 1, PRIOR_CONTINUATION))
    of_kind: dict[str, FloatArray] = {}
    if kinds is not None:
        require_columns(kinds, ("title_id", "kind"), "kinds")
        kind = sessions.join(kinds, on="title_id", how="left", maintain_order="left")["kind"].to_numpy()
        for name in sorted({str(one) for one in kind if one is not None}):
            mine = kind == name
            of_kind[name] = _curve(_continuation_rates(reached[mine], available[mine], rates))
    return WatchThrough(reach=_curve(rates), of_kind=of_kind)


def _continuation_rates(reached: IntArray, available: IntArray, prior: FloatArray) -> FloatArray:
    """Of the sessions that reach a group and could go on, the share that does, drawn to a prior; shape [groups - 1]."""
    rates = []
    for group, expected in enumerate(prior, start=1):
        could = int(((available > group) & (reached >= group)).sum())
        did = int((reached > group).sum())
        rates.append((did + PRIOR_SESSIONS * expected) / (could + PRIOR_SESSIONS))
    return np.minimum(np.array(rates, dtype=np.float64), 1.0)


def _curve(rates: FloatArray) -> FloatArray:
    return np.concatenate([[1.0], np.cumprod(rates)])


def _extended(reach: FloatArray, group: IntArray) -> FloatArray:
    last = len(reach) - 1
    tail = reach[-1] / reach[-2] if last > 0 and reach[-2] > 0 else PRIOR_CONTINUATION
    share: FloatArray = reach[np.minimum(group, last)] * min(tail, 1.0) ** np.maximum(group - last, 0)
    return share
