"""The fixed ladder that savings are told against: Apple's, which most services started from.

H.264 rungs for 16:9 at up to 30 pictures a second, from "HLS Authoring Specification for Apple Devices", Apple Inc.
"""

from __future__ import annotations

from collections.abc import Sequence

from orchestration.media.hull import RatePoint, bd_rate, fit_curves

APPLE_H264 = (
    (234, 145_000), (360, 365_000), (432, 730_000), (432, 1_100_000), (540, 2_000_000), (720, 3_000_000),
    (720, 4_500_000), (1080, 6_000_000), (1080, 7_800_000),
)  # fmt: skip
"""Height of the 16:9 box and average bit rate in bits per second, cheapest first."""


def fitting_rungs(width: int, height: int) -> list[tuple[int, int, int]]:
    """The rungs of ``APPLE_H264`` that do not enlarge a picture, in its aspect: (width, height, bit rate).

    A picture that is smaller than all of them has the cheapest one, in its own size.
    """
    scales = [(min(box * 16 / 9 / max(width, height), box / min(width, height)), rate) for box, rate in APPLE_H264]
    fitting = [(scale, rate) for scale, rate in scales if scale <= 1] or [(1.0, APPLE_H264[0][1])]
    return [(round(width * scale / 2) * 2, round(height * scale / 2) * 2, rate) for scale, rate in fitting]


def foretold_saving(points: Sequence[RatePoint], delivered: Sequence[tuple[float, float]]) -> float | None:
    """About how much less rate a ladder needs than Apple's for the same quality; 0.2 saves a fifth.

    Apple's rungs are not encoded: what each would give is read from the fitted curve of its size.

    Args:
        points: What was measured of samples.
        delivered: (bit rate, VMAF) of each rung of the ladder.

    Returns:
        None when nothing was measured, or the two ladders have no quality in common.
    """
    if not points:
        return None
    largest = max(points, key=lambda point: point.width * point.height)
    reference = []
    for width, height, bitrate_bps in fitting_rungs(largest.width, largest.height):
        [curve] = fit_curves(points, [(width, height)])
        if (point := curve.at_rate(bitrate_bps)) is not None:
            reference.append((float(bitrate_bps), point.vmaf))
    try:
        return -bd_rate(reference, delivered)
    except ValueError:
        return None
