"""The fixed ladder that savings are told against: Apple's, which most services started from.

H.264 rungs for 16:9 at up to 30 pictures a second, from "HLS Authoring Specification for Apple Devices", Apple Inc.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from orchestration.media.hull import RatePoint, SizeCurve, bd_rate, fit_curves

APPLE_H264 = (
    (234, 145_000), (360, 365_000), (432, 730_000), (432, 1_100_000), (540, 2_000_000), (720, 3_000_000),
    (720, 4_500_000), (1080, 6_000_000), (1080, 7_800_000),
)  # fmt: skip
"""Height of the 16:9 box and average bit rate in bits per second, cheapest first."""


def fitting_rungs(width: int, height: int) -> list[tuple[int, int]]:
    """The rungs of ``APPLE_H264`` that do not enlarge a picture; its cheapest one for a picture that is smaller."""
    box = max(min(width, height), max(width, height) * 9 / 16)
    return [rung for rung in APPLE_H264 if rung[0] <= box] or [APPLE_H264[0]]


def foretold_saving(points: Sequence[RatePoint], delivered: Sequence[tuple[float, float]]) -> float | None:
    """About how much less rate a ladder needs than Apple's for the same quality; 0.2 saves a fifth.

    Apple's rungs are not encoded: what each would give is read from the fitted curve of the nearest size.

    Args:
        points: What was measured of samples.
        delivered: (bit rate, VMAF) of each rung of the ladder.

    Returns:
        None when nothing was measured, or the two ladders have no quality in common.
    """
    curves = fit_curves(points)
    if not curves:
        return None
    reference = [
        (float(bitrate_bps), point.vmaf)
        for box, bitrate_bps in fitting_rungs(curves[0].width, curves[0].height)
        if (point := _nearest(curves, box).at_rate(bitrate_bps)) is not None
    ]
    try:
        return -bd_rate(reference, delivered)
    except ValueError:
        return None


def _nearest(curves: Sequence[SizeCurve], box: int) -> SizeCurve:
    pixels = box * box * 16 / 9
    return min(curves, key=lambda curve: abs(math.log(curve.width * curve.height / pixels)))
