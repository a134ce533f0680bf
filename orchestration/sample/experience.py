"""What viewers of a made-up world go through: start-up, rungs, stalls, sessions that fail.

The history of a new platform is pull-through only: an edge holds what was asked for lately, and all else comes from the
origin. Rates follow what is published: past two seconds every further second of start-up loses about 5.8 % of the
viewers (Krishnan and Sitaraman, "Video Stream Quality Impacts Viewer Behavior", IMC 2012).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orchestration.sample.catalogue import DEVICES, NETWORK_CLASSES
from orchestration.sample.viewing import Viewing

RUNGS = ("240p", "360p", "480p", "720p", "1080p")
BITRATES_BPS = (300_000, 700_000, 1_200_000, 2_500_000, 5_000_000)

_TOP_RUNG_OF_DEVICE = {"mobile": 3, "tablet": 4, "desktop": 4, "tv-hd": 4, "tv-4k": 4}
_RATE_MEDIAN_BPS = {"slow": 1.0e6, "mixed": 4.2e6, "fast": 22e6}
_RATE_SIGMA = {"slow": 0.5, "mixed": 0.6, "fast": 0.5}
_STARTUP_MEDIAN_S = {"slow": 1.9, "mixed": 0.85, "fast": 0.4}
_STARTUP_SIGMA = 0.45
_STALLS_PER_SECOND = {"slow": 0.012, "mixed": 0.003, "fast": 0.0005}
_STALL_MEAN_S = {"slow": 2.4, "mixed": 1.3, "fast": 0.7}
_MISS_STALL_FACTOR = 1.8
_MISS_ROUND_TRIPS = 5
"""Manifest, playlist, init segment, first segments: what a start-up asks for one after the other."""

MAX_STALLS = 3
_SAFE_SHARE_OF_RATE = 0.75
_PATIENCE_S = 2.0
_LOSS_PER_SECOND = 0.058
_FAILURE_SHARE = 0.004
_RAMP_S = 4.0
_SEGMENT_S = 4.0

PLAYED, ABANDONED, FAILED = 0, 1, 2


@dataclass(frozen=True, kw_only=True)
class Experience:
    """What became of each session of a ``Viewing``; one element a session.

    Attributes:
        outcome: ``PLAYED``, ``ABANDONED`` before the first frame, or ``FAILED`` to start.
        startup_s: Time to the first frame, or until the viewer left.
        played_s: Seconds of media played, 0 unless it played.
        ramp_s: How many of them at the rung below, at the beginning.
        rung: Index into ``RUNGS`` of the rung of all the others.
        stall_count: 0 to ``MAX_STALLS``.
        stall_s: [sessions, MAX_STALLS], lengths; those beyond ``stall_count`` mean nothing.
        held: Whether the edge held the title.
        requests: Media requests.
        size_bytes: Media bytes.
    """

    outcome: NDArray[np.int64]
    startup_s: NDArray[np.float64]
    played_s: NDArray[np.float64]
    ramp_s: NDArray[np.float64]
    rung: NDArray[np.int64]
    stall_count: NDArray[np.int64]
    stall_s: NDArray[np.float64]
    held: NDArray[np.bool_]
    requests: NDArray[np.int64]
    size_bytes: NDArray[np.int64]

    @property
    def elapsed_s(self) -> NDArray[np.float64]:
        """Wall-clock length of each session."""
        counted = np.arange(MAX_STALLS) < self.stall_count[:, None]
        elapsed: NDArray[np.float64] = self.startup_s + self.played_s + (self.stall_s * counted).sum(axis=1)
        return elapsed


def draw_experience(
    rng: np.random.Generator,
    viewing: Viewing,
    *,
    durations_s: NDArray[np.float64],
    device: NDArray[np.int64],
    network_class: NDArray[np.int64],
    origin_latency_s: NDArray[np.float64],
    hit_share: NDArray[np.float64],
    every_session_plays: bool = False,
) -> Experience:
    """Draw what every session goes through.

    Args:
        rng: Source of randomness.
        viewing: The sessions.
        durations_s: [sessions], length of the media.
        device: [sessions], index into ``DEVICES``.
        network_class: [sessions], index into ``NETWORK_CLASSES``.
        origin_latency_s: [sessions], one way from the viewer's edge to the origin.
        hit_share: [sessions], how likely the edge holds the title.
        every_session_plays: No session ends before its first frame.
    """
    count = len(viewing)

    def of_class(table: dict[str, float]) -> NDArray[np.float64]:
        values: NDArray[np.float64] = np.array([table[name] for name in NETWORK_CLASSES])[network_class]
        return values

    held = rng.random(count) < hit_share
    startup_s = of_class(_STARTUP_MEDIAN_S) * np.exp(rng.normal(0.0, _STARTUP_SIGMA, count))
    startup_s += np.where(held, 0.0, _MISS_ROUND_TRIPS * 2 * origin_latency_s)
    loss = 1 - np.exp(-_LOSS_PER_SECOND * np.maximum(startup_s - _PATIENCE_S, 0.0))
    chance = rng.random(count)
    failing = rng.random(count) < _FAILURE_SHARE * np.where(held, 1.0, 1.5)
    outcome = np.where(failing, FAILED, np.where(chance < loss, ABANDONED, PLAYED))
    if every_session_plays:
        outcome = np.zeros(count, dtype=np.int64)
    plays = outcome == PLAYED

    rate_bps = of_class(_RATE_MEDIAN_BPS) * np.exp(of_class(_RATE_SIGMA) * rng.normal(size=count))
    affordable = np.searchsorted(np.array(BITRATES_BPS), rate_bps * _SAFE_SHARE_OF_RATE, side="right") - 1
    top = np.array([_TOP_RUNG_OF_DEVICE[name] for name in DEVICES])[device]
    rung = np.clip(affordable, 0, top)

    played_s = np.where(plays, np.round(np.maximum(viewing.completion * durations_s, 0.2), 2), 0.0)
    ramp_s = np.where((rung > 0) & (played_s > 2 * _RAMP_S), _RAMP_S, 0.0)
    stall_rate = of_class(_STALLS_PER_SECOND) * np.where(held, 1.0, _MISS_STALL_FACTOR)
    stall_count = np.minimum(rng.poisson(stall_rate * played_s), MAX_STALLS)
    stall_s = np.round(of_class(_STALL_MEAN_S)[:, None] * rng.exponential(1.0, (count, MAX_STALLS)) + 0.1, 2)

    rates = np.array(BITRATES_BPS, dtype=np.float64)
    media_bits = ramp_s * rates[np.maximum(rung - 1, 0)] + (played_s - ramp_s) * rates[rung]
    segments = np.ceil(played_s / _SEGMENT_S).astype(np.int64)
    return Experience(
        outcome=outcome,
        startup_s=np.round(startup_s, 3),
        played_s=played_s,
        ramp_s=ramp_s,
        rung=rung,
        stall_count=stall_count,
        stall_s=stall_s,
        held=held,
        requests=np.where(plays, segments + 3, 2),
        size_bytes=(media_bits / 8).astype(np.int64),
    )
