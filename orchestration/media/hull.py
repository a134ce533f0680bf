"""What quality costs at which size: curves fitted to a few probes, their hull, and the saving between two ladders.

Pure arithmetic on (bit rate, VMAF) points. How points are measured is `search.py`'s business, which of them become
rungs `ladder.py`'s. Sources: the convex hull over sizes is Netflix's per-title method (A. Aaron et al., "Per-Title
Encode Optimization", 2015); the mean difference of rate is Bjøntegaard's (ITU-T VCEG-M33, 2001), with piecewise cubic
interpolation as JVET uses it (JVET-H0030).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

LOWEST_CRF = 16.0
HIGHEST_CRF = 40.0
SAME_RATE = 1 + 1e-9
"""Rates closer than this are one rate: their logarithms hardly differ."""
CRF_STEP = 0.25
"""Rate factors are whole multiples of it: finer ones change nothing that could be measured."""


class RatePoint(msgspec.Struct, frozen=True, kw_only=True):
    """What one encode cost and gave."""

    width: int
    height: int
    crf: float
    bitrate_bps: float
    vmaf: float


class Probes(msgspec.Struct, frozen=True, kw_only=True):
    """What a search measured and what that cost, in CPU seconds."""

    points: list[RatePoint]
    cpu_s: float


class SizeCurve:
    """Rate and quality of one size over the rate factor.

    The logarithm of the rate and the VMAF are each a polynomial in the rate factor, quadratic from three points on, and
    read on a grid from the highest to the lowest rate factor. A lower rate factor never gives or costs less there:
    where a fit bends back outside its points, it goes on level.
    """

    def __init__(self, points: Sequence[RatePoint]) -> None:
        if len({point.crf for point in points}) < 2:
            raise ValueError("a curve needs points of two rate factors at least")
        self.width, self.height = points[0].width, points[0].height
        degree = min(len(points) - 1, 2)
        crfs = [point.crf for point in points]
        grid = np.arange(HIGHEST_CRF, LOWEST_CRF - CRF_STEP / 2, -CRF_STEP)
        rates = np.polyval(np.polyfit(crfs, [math.log(point.bitrate_bps) for point in points], degree), grid)
        vmafs = np.polyval(np.polyfit(crfs, [point.vmaf for point in points], degree), grid)
        self._crfs = grid
        self._log_rates = np.maximum.accumulate(rates)
        self._vmafs = np.maximum.accumulate(np.clip(vmafs, 0.0, 100.0))

    @property
    def grid(self) -> list[RatePoint]:
        """The whole curve, cheapest first."""
        return [self._at(index) for index in range(len(self._crfs))]

    def at_crf(self, crf: float) -> RatePoint:
        """The point of a rate factor, the nearest of the grid."""
        return self._at(int(np.argmin(np.abs(self._crfs - crf))))

    def at_vmaf(self, vmaf: float) -> RatePoint | None:
        """The cheapest point of this quality or better; None when no rate factor reaches it."""
        index = int(np.searchsorted(self._vmafs, vmaf - 1e-9))
        return self._at(index) if index < len(self._crfs) else None

    def at_rate(self, bitrate_bps: float) -> RatePoint | None:
        """The best point that costs no more; None when all cost more."""
        index = int(np.searchsorted(self._log_rates, math.log(bitrate_bps) + 1e-9)) - 1
        return self._at(index) if index >= 0 else None

    def slope(self, crf: float, reach: float = 2.0) -> float:
        """VMAF gained by one step of the rate factor, around ``crf``; negative, and never quite level."""
        above, below = self.at_crf(crf + reach), self.at_crf(crf - reach)
        return min((above.vmaf - below.vmaf) / max(above.crf - below.crf, CRF_STEP), -0.2)

    def _at(self, index: int) -> RatePoint:
        return RatePoint(
            width=self.width,
            height=self.height,
            crf=float(self._crfs[index]),
            bitrate_bps=math.exp(self._log_rates[index]),
            vmaf=float(self._vmafs[index]),
        )


def fit_curves(points: Iterable[RatePoint], sizes: Collection[tuple[int, int]] | None = None) -> list[SizeCurve]:
    """A curve for each size, largest first.

    Args:
        points: What was measured.
        sizes: Which curves are wanted; those of the measured sizes when not given. A size that was not measured gets
            what lies between the measured ones at each rate factor, over the logarithm of the pixels (piecewise cubic
            and monotone, so nothing overshoots); beyond them, what the nearest one has. The largest measured size is
            the master's own and lost nothing by scaling, so no quality is foretold from it.
    """
    measured: dict[tuple[int, int], list[RatePoint]] = {}
    for point in points:
        measured.setdefault((point.width, point.height), []).append(point)
    wanted = sorted(measured if sizes is None else sizes, key=lambda size: (size[0] * size[1], size), reverse=True)
    return [SizeCurve(measured.get(size) or _between(measured, size)) for size in wanted] if measured else []


def _between(measured: Mapping[tuple[int, int], Sequence[RatePoint]], size: tuple[int, int]) -> list[RatePoint]:
    """What a size would have been measured to give, from the sizes that were."""
    by_crf: dict[float, list[RatePoint]] = {}
    for point in sorted((point for found in measured.values() for point in found), key=_pixels):
        by_crf.setdefault(point.crf, []).append(point)
    foretold = []
    for crf, row in by_crf.items():
        log_rate = _interpolated(row, [math.log(point.bitrate_bps) for point in row], size)
        scaled = row[:-1] or row
        vmaf = _interpolated(scaled, [point.vmaf for point in scaled], size)
        foretold.append(RatePoint(width=size[0], height=size[1], crf=crf, bitrate_bps=math.exp(log_rate), vmaf=vmaf))
    return foretold


def _interpolated(row: Sequence[RatePoint], values: Sequence[float], size: tuple[int, int]) -> float:
    """The value at a size, from those of the points of ``row``, smallest first."""
    from scipy.interpolate import PchipInterpolator

    if len(row) == 1:
        return values[0]
    places = [math.log(_pixels(point)) for point in row]
    return float(PchipInterpolator(places, values)(min(max(math.log(size[0] * size[1]), places[0]), places[-1])))


def _pixels(point: RatePoint) -> int:
    return point.width * point.height


def cheapest_at(curves: Iterable[SizeCurve], vmaf: float) -> RatePoint | None:
    """The cheapest way to a quality, of all sizes; the larger size when two cost the same."""
    found = [point for curve in curves if (point := curve.at_vmaf(vmaf)) is not None]
    return min(found, key=lambda point: (point.bitrate_bps, -point.width * point.height), default=None)


def best_for(curves: Iterable[SizeCurve], bitrate_bps: float) -> RatePoint | None:
    """The best quality for a rate, of all sizes."""
    found = [point for curve in curves if (point := curve.at_rate(bitrate_bps)) is not None]
    return max(found, key=lambda point: (point.vmaf, -point.bitrate_bps), default=None)


def convex_hull(points: Iterable[RatePoint]) -> list[RatePoint]:
    """The upper hull of VMAF over the logarithm of the rate, cheapest first; both grow along it.

    Andrew's monotone chain ("Another efficient algorithm for convex hulls in two dimensions", 1979).
    """
    hull: list[RatePoint] = []
    for point in sorted(points, key=lambda point: (point.bitrate_bps, -point.vmaf)):
        if hull and point.vmaf <= hull[-1].vmaf:
            continue
        if hull and point.bitrate_bps <= hull[-1].bitrate_bps * SAME_RATE:
            hull.pop()
        while len(hull) >= 2 and _turn(hull[-2], hull[-1], point) >= 0:
            hull.pop()
        hull.append(point)
    return hull


def bd_rate(reference: Sequence[tuple[float, float]], tested: Sequence[tuple[float, float]]) -> float:
    """How much more rate ``tested`` needs for the same quality as ``reference``, on average: -0.2 saves a fifth.

    Args:
        reference: (bit rate, VMAF) of each rung; rungs that cost more and give less than another are left out.
        tested: Likewise.

    Raises:
        ValueError: A ladder has fewer than two useful rungs, or the two have no range of quality in common.
    """
    curves = [_log_rates(rungs) for rungs in (reference, tested)]
    low, high = max(curve.x[0] for curve in curves), min(curve.x[-1] for curve in curves)
    if high <= low:
        raise ValueError("the two ladders have no range of quality in common")
    means = [curve.integrate(low, high) / (high - low) for curve in curves]
    return math.exp(means[1] - means[0]) - 1


def rate_at(rungs: Sequence[tuple[float, float]], vmaf: float) -> float | None:
    """The bit rate at which a ladder would give a quality, between its rungs as `bd_rate` has it.

    Args:
        rungs: (bit rate, VMAF) of each.
        vmaf: The quality.

    Returns:
        None when the quality is beyond its best or its worst rung.

    Raises:
        ValueError: The ladder has fewer than two useful rungs.
    """
    curve = _log_rates(rungs)
    return math.exp(float(curve(vmaf))) if curve.x[0] <= vmaf <= curve.x[-1] else None


def _log_rates(rungs: Sequence[tuple[float, float]]) -> Any:
    """The logarithm of a ladder's rate over its quality, through its useful rungs."""
    from scipy.interpolate import PchipInterpolator

    useful = _efficient(rungs)
    if len(useful) < 2:
        raise ValueError("a ladder needs two rungs of different quality to be compared")
    return PchipInterpolator([vmaf for _, vmaf in useful], [math.log(rate) for rate, _ in useful])


def _efficient(rungs: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Rungs of growing rate and quality."""
    useful: list[tuple[float, float]] = []
    for rate, vmaf in sorted(rungs, key=lambda rung: (rung[0], -rung[1])):
        if not useful or (vmaf > useful[-1][1] and rate > useful[-1][0]):
            useful.append((rate, vmaf))
    return useful


def _turn(first: RatePoint, second: RatePoint, third: RatePoint) -> float:
    """Positive when the way by ``second`` turns upwards."""
    return (math.log(second.bitrate_bps) - math.log(first.bitrate_bps)) * (third.vmaf - first.vmaf) - (
        second.vmaf - first.vmaf
    ) * (math.log(third.bitrate_bps) - math.log(first.bitrate_bps))
