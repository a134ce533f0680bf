"""Choose the rungs of a title from its rate-quality curves: how good each should be, and which size is cheapest for it.

Pure. The best rung has the master's own size and a VMAF of about 94, which viewers do not tell from the master; each
next one is a just-noticeable difference of 6 VMAF lower (J. Ozer, "Finding the just noticeable difference with Netflix
VMAF", 2017), or wider where that would give more rungs than allowed. The lowest is what a slow line can carry.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from orchestration.media.hull import LOWEST_CRF, RatePoint, SizeCurve, best_for, cheapest_at

TOP_VMAF = 94.0
NOTICEABLE_VMAF = 6.0
LEAST_RATE_RATIO = 1.3
"""A player gains nothing from two rungs whose rates are closer."""
SLOW_LINE_BPS = 180_000
"""What the lowest rung may cost; where no size is so cheap, it is the cheapest."""
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
    floor = best_for(curves, SLOW_LINE_BPS) or min((curve.grid[0] for curve in curves), key=lambda p: p.bitrate_bps)
    if most > 1 and floor.bitrate_bps * LEAST_RATE_RATIO <= top.point.bitrate_bps:
        for vmaf in _targets(top.point.vmaf, floor.vmaf, most):
            choice = _choose(curves, vmaf, cap_bps)
            if choice.point.bitrate_bps * LEAST_RATE_RATIO <= chosen[-1].point.bitrate_bps:
                chosen.append(choice)
    return _for_devices(chosen, curves, device_pixels)


def _targets(top: float, bottom: float, most: int) -> list[float]:
    """Qualities below the top one down to the bottom one; steps grow by a constant factor when they must."""
    span = top - bottom
    count = min(most - 1, max(int(span / NOTICEABLE_VMAF + 0.5), 1))
    steps = _steps(span, count)
    targets, vmaf = [], top
    for step in steps:
        vmaf -= step
        targets.append(vmaf)
    return targets


def _steps(span: float, count: int) -> list[float]:
    """``count`` steps that cover ``span``, the first of them just noticeable where they need not be smaller."""
    if count * NOTICEABLE_VMAF >= span:
        return [span / count] * count
    low, high = 1.0, 4.0
    for _ in range(60):  # bisection to far below what matters
        factor = (low + high) / 2
        covered = sum(NOTICEABLE_VMAF * factor**number for number in range(count))
        low, high = (factor, high) if covered < span else (low, factor)
    steps = [NOTICEABLE_VMAF * low**number for number in range(count)]
    return [step * span / sum(steps) for step in steps]


def _choose(curves: Sequence[SizeCurve], vmaf: float, cap_bps: Callable[[int, int], int]) -> Choice:
    """The cheapest size at a quality, and how near it may come within its cap."""
    best = cheapest_at(curves, vmaf)
    if best is None:
        best = max((curve.grid[-1] for curve in curves), key=lambda point: point.vmaf)
    curve = next(curve for curve in curves if (curve.width, curve.height) == (best.width, best.height))
    allowed_bps = CAP_USE * cap_bps(best.width, best.height)
    if best.bitrate_bps > allowed_bps:
        return Choice(point=curve.at_rate(allowed_bps) or curve.grid[0], limit="rate")
    return Choice(point=best, limit="source" if best.crf <= LOWEST_CRF and best.vmaf < vmaf else None)


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
