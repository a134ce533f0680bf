"""Choose the rungs of a title from its rate-quality curves: how good each should be, and which size is cheapest for it.

Pure. The best rung has the master's own size and is half a just-noticeable difference from it; one such difference is 6
points of VMAF (J. Ozer, "Finding the just noticeable difference with Netflix VMAF", 2017). Fixed ladders reach as far
with their dearest rungs. From one rung to the next there is at most a noticeable difference and at most a factor of 2
in rate (the step of the "HLS Authoring Specification for Apple Devices"), or evenly more of both where that would give
more rungs than allowed. The lowest is what a slow line can carry.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from orchestration.media.hull import RatePoint, SizeCurve, best_for, cheapest_at

NOTICEABLE_VMAF = 6.0
TOP_VMAF = 100 - NOTICEABLE_VMAF / 2
MOST_RATE_RATIO = 2.0
LEAST_RATE_RATIO = 1.3
"""A player gains nothing from two rungs whose rates are closer."""
SLOW_LINE_BPS = 145_000
"""What the lowest rung may cost, as Apple's does; where no size is so cheap, it is the cheapest. Of a title whose best
rung is as cheap, it is half of that: few samples may foretell a rate that is too low by as much."""
HULL_STEPS = 200
LEVEL_VMAF = 0.5
"""Where a master gives less than is aimed at, its last half point is not paid for: curves are level there."""
CAP_USE = 0.9
"""A rung is planned below its cap, which is for its busiest moments."""

Limit = Literal["source", "rate"]


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One rung that was chosen.

    Attributes:
        point: Size, rate factor, and the rate and VMAF that the curves promise.
        limit: Why it aims lower than it would: ``source`` when no rate factor gives more of this master at this size,
            ``rate`` when its bit rate cap does not allow more. None when it aims where it should.
    """

    point: RatePoint
    limit: Limit | None = None


def choose_rungs(
    curves: Sequence[SizeCurve],
    cap_bps: Callable[[int, int], int],
    most: int,
    device_pixels: Sequence[int] = (),
) -> list[Choice]:
    """The rungs of a title, best first; each costs less and gives less than the one before it.

    Args:
        curves: One for each size, largest first.
        cap_bps: The most that a rung of a size may cost.
        most: How many rungs at most.
        device_pixels: The largest picture of each class of device: each class gets a rung that it may play.
    """
    top = _choose(curves[:1], TOP_VMAF, cap_bps)
    chosen = [top]
    floor_bps = min(SLOW_LINE_BPS, top.point.bitrate_bps / MOST_RATE_RATIO)
    floor = best_for(curves, floor_bps) or min((curve.grid[0] for curve in curves), key=lambda p: p.bitrate_bps)
    if most > 1 and floor.bitrate_bps * LEAST_RATE_RATIO <= top.point.bitrate_bps:
        for vmaf in _targets(curves, floor.vmaf, top.point.vmaf, most - 1):
            choice = _choose(curves, vmaf, cap_bps)
            if choice.point.bitrate_bps * LEAST_RATE_RATIO <= chosen[-1].point.bitrate_bps:
                chosen.append(choice)
    return _for_devices(chosen, curves, device_pixels)


def _targets(curves: Sequence[SizeCurve], floor: float, top: float, most: int) -> list[float]:
    """Qualities below ``top`` down to ``floor``, as far apart as a player and a viewer find useful."""
    vmafs = np.linspace(floor, top, HULL_STEPS)
    found = [cheapest_at(curves, vmaf) for vmaf in vmafs]
    rates = np.log([point.bitrate_bps for point in found if point is not None])
    noticeable, doubled = np.diff(vmafs) / NOTICEABLE_VMAF, np.diff(rates) / math.log(MOST_RATE_RATIO)
    steps = np.concatenate([[0.0], np.cumsum(np.maximum(noticeable, doubled))])
    count = min(max(math.ceil(steps[-1]), 1), most)
    return [float(vmaf) for vmaf in np.interp(steps[-1] * (1 - np.arange(1, count + 1) / count), steps, vmafs)]


def _choose(curves: Sequence[SizeCurve], vmaf: float, cap_bps: Callable[[int, int], int]) -> Choice:
    """The cheapest size at a quality, and how near it may come within its cap."""
    reachable = max(curve.grid[-1].vmaf for curve in curves)
    best = cheapest_at(curves, vmaf if vmaf <= reachable else reachable - LEVEL_VMAF)
    assert best is not None, "a quality below the best one is reached"
    curve = next(curve for curve in curves if (curve.width, curve.height) == (best.width, best.height))
    allowed_bps = CAP_USE * cap_bps(best.width, best.height)
    if best.bitrate_bps > allowed_bps:
        return Choice(point=curve.at_rate(allowed_bps) or curve.grid[0], limit="rate")
    return Choice(point=best, limit="source" if vmaf > reachable else None)


def _for_devices(chosen: list[Choice], curves: Sequence[SizeCurve], device_pixels: Sequence[int]) -> list[Choice]:
    """Make the lowest rung smaller, at its rate, when a class of device could play none."""
    smallest = min(choice.point.width * choice.point.height for choice in chosen)
    for pixels in sorted(device_pixels, reverse=True):
        fitting = [curve for curve in curves if curve.width * curve.height <= pixels]
        if smallest <= pixels or not fitting:
            continue
        lowest = chosen[-1].point.bitrate_bps
        point = best_for(fitting, lowest) or min((c.grid[0] for c in fitting), key=lambda point: point.bitrate_bps)
        chosen = [*(chosen[:-1] if len(chosen) > 1 else chosen), Choice(point=point)]
        smallest = point.width * point.height
    return chosen
