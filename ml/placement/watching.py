"""How far sessions watch: the share of them that reaches a segment group."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
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

    Titles with more groups than the curve go on at the rate of its end.
    """

    reach: FloatArray

    def at(self, group: IntArray) -> FloatArray:
        """Share of sessions that reach each of these groups."""
        last = len(self.reach) - 1
        tail = self.reach[-1] / self.reach[-2] if last > 0 and self.reach[-2] > 0 else PRIOR_CONTINUATION
        beyond = np.maximum(group - last, 0)
        share: FloatArray = self.reach[np.minimum(group, last)] * np.minimum(tail, 1.0) ** beyond
        return share


def learn_watch_through(
    requests: pl.DataFrame, groups_of_title: pl.DataFrame, layout: GroupLayout = LAYOUT, max_groups: int = 400
) -> WatchThrough:
    """Learn the curve from sessions.

    It is a product of continuation rates, each among the sessions that could go on: short titles, which end before a
    group, do not lower it (Kaplan and Meier's estimate).

    Args:
        requests: title_id, seconds_watched.
        groups_of_title: title_id, groups (how many segment groups the title has).
        layout: When groups start.
        max_groups: Length of the curve at most.
    """
    require_columns(requests, ("title_id", "seconds_watched"), "requests")
    sessions = requests.join(groups_of_title, on="title_id", how="inner")
    longest = min(int(sessions["groups"].max() or 1), max_groups) if len(sessions) else 1  # type: ignore[arg-type]
    available = sessions["groups"].to_numpy().astype(np.int64)
    reached = np.minimum(layout.groups_reached(sessions["seconds_watched"].fill_null(0).to_numpy()), available)
    reach = [1.0]
    for group in range(1, longest):
        could = int(((available > group) & (reached >= group)).sum())
        did = int((reached > group).sum())
        rate = (did + PRIOR_SESSIONS * PRIOR_CONTINUATION) / (could + PRIOR_SESSIONS)
        reach.append(reach[-1] * min(rate, 1.0))
    return WatchThrough(reach=np.array(reach))
