"""The fixed ladder that savings are told against: Apple's, which most services started from.

H.264 rungs for 16:9 at up to 30 pictures a second, from "HLS Authoring Specification for Apple Devices", Apple Inc.
"""

from __future__ import annotations

from collections.abc import Sequence

from orchestration.media.hull import RatePoint, bd_rate, fit_curves, rate_at

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


def foretold_rungs(points: Sequence[RatePoint]) -> list[tuple[float, float]]:
    """(Bit rate, VMAF) of Apple's rungs for a master, cheapest first: read from the fitted curve of each one's size.

    Args:
        points: What was measured of samples, in the master's own size too; of none nothing is foretold.
    """
    if not points:
        return []
    largest = max(points, key=lambda point: point.width * point.height)
    rungs = []
    for width, height, bitrate_bps in fitting_rungs(largest.width, largest.height):
        [curve] = fit_curves(points, [(width, height)])
        if (point := curve.at_rate(bitrate_bps)) is not None:
            rungs.append((float(bitrate_bps), point.vmaf))
    return rungs


def mean_saving(reference: Sequence[tuple[float, float]], delivered: Sequence[tuple[float, float]]) -> float | None:
    """How much less rate a ladder needs than a reference for the same quality, on average; 0.2 saves a fifth.

    Args:
        reference: (bit rate, VMAF) of each rung.
        delivered: Likewise.

    Returns:
        None when one of them has not two rungs to tell by, or they have no quality in common.
    """
    try:
        return -bd_rate(reference, delivered)
    except ValueError:
        return None


def rung_saving(reference: Sequence[tuple[float, float]], bitrate_bps: float, vmaf: float) -> float | None:
    """How much less rate one rung needs than a reference ladder would for its quality; 0.2 saves a fifth.

    Returns:
        None when the reference has not two rungs to tell by, or none so good or so poor.
    """
    try:
        reference_bps = rate_at(reference, vmaf)
    except ValueError:
        return None
    return None if reference_bps is None else 1 - bitrate_bps / reference_bps
