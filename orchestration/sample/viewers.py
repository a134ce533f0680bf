"""Who is going to watch what next: the plan of a wave of sessions, drawn from the world's truth.

The plan knows nothing of forecasts, placements or recommendations. That is its use: what the platform prepared for is
compared with what people wanted anyway.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from orchestration.sample.errors import SampleWorldError
from orchestration.sample.network import NetworkTrace, traces_by_class
from orchestration.sample.rhythm import weight_at
from orchestration.sample.viewing import durations_of
from orchestration.sample.world import Indices, Weights, World, pick

DEFAULT_WAVE_S = 3600.0
_CHUNK = 500


@dataclass(frozen=True, kw_only=True)
class PlannedSession:
    """One session that somebody means to have.

    Attributes:
        title_id: What they want to see, whatever a home page shows them.
        watch_s: How many seconds of it they mean to see.
        trace_id: The network trace of their link.
        starts_at: When they press play, UTC.
    """

    viewer_id: str
    region_id: str
    device: str
    network_class: str
    title_id: str
    watch_s: float
    trace_id: str
    starts_at: dt.datetime


def plan_wave(
    world: World,
    n_sessions: int,
    seed: int,
    at: dt.datetime,
    *,
    durations_s: Mapping[str, float],
    traces: Sequence[NetworkTrace],
    within_s: float = DEFAULT_WAVE_S,
) -> list[PlannedSession]:
    """Draw a wave of sessions, in the order of their starts.

    Viewers come as active as they are, from the regions where it is time to watch; each wants what the true demand of
    the day, their own taste and what they have seen make likely: a wave goes on where the history ended. What cannot be
    played (no licence yet) is wanted by no one; a title without media is not either.

    Args:
        world: Whose viewers and taste.
        n_sessions: How many.
        seed: The same seed gives the same wave.
        at: Start of the wave.
        durations_s: Length of the media by title_id; titles that are missing here cannot be played.
        traces: Network traces, at least one for each network class.
        within_s: Over how long the starts are spread.

    Raises:
        SampleWorldError: No title can be played, or a network class has no trace.
    """
    playable = np.array([durations_s.get(title_id, 0.0) > 0 for title_id in world.title_ids])
    if not playable.any():
        raise SampleWorldError("no title of this world has media; give durations_s for some of them")
    rng = np.random.default_rng([world.seed, 5, seed])
    by_class = traces_by_class(traces)
    day = at.astimezone(dt.UTC).date()
    viewers = _draw_viewers(rng, world, n_sessions, at)
    allowed = playable & _licensed(world.titles, day)
    titles = np.concatenate(
        [
            pick(rng, world.choice_weights(chunk, day) * allowed)
            for chunk in np.split(viewers, range(_CHUNK, len(viewers), _CHUNK))
        ]
    )
    known_ids = world.title_ids
    title_ids = [known_ids[index] for index in titles.tolist()]
    lengths = durations_of(title_ids, durations_s)
    watch_s = np.maximum(world.taste.draw_completion(rng, viewers, titles) * lengths, 1.0)
    offsets_s = np.sort(rng.uniform(0.0, within_s, n_sessions))
    columns = world.viewers.select("viewer_id", "region_id", "device", "network_class").rows()
    planned = []
    for row, viewer in enumerate(viewers.tolist()):
        viewer_id, region_id, device, network_class = columns[viewer]
        own_traces = by_class[network_class]
        planned.append(
            PlannedSession(
                viewer_id=viewer_id,
                region_id=region_id,
                device=device,
                network_class=network_class,
                title_id=title_ids[row],
                watch_s=round(float(watch_s[row]), 2),
                trace_id=own_traces[int(rng.integers(len(own_traces)))].trace_id,
                starts_at=at + dt.timedelta(seconds=round(float(offsets_s[row]), 3)),
            )
        )
    return planned


def _draw_viewers(rng: np.random.Generator, world: World, count: int, at: dt.datetime) -> Indices:
    hours = np.array([weight_at(calendar, at) for calendar in world.calendars])
    weights: Weights = world.activity * hours[world.region_of]
    signed_up = (world.viewers["created_at"] <= at).to_numpy()
    weights = np.where(signed_up, weights, 0.0)
    if not weights.sum() > 0:
        raise SampleWorldError(f"no viewer has signed up before {at.isoformat()}")
    return rng.choice(len(weights), size=count, p=weights / weights.sum())


def _licensed(titles: pl.DataFrame, day: dt.date) -> NDArray[np.bool_]:
    begun = pl.col("licence_start").is_null() | (pl.col("licence_start") <= day)
    open_still = pl.col("licence_end").is_null() | (pl.col("licence_end") >= day)
    return titles.select(begun & open_still).to_series().to_numpy()
