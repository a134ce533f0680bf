"""What follows from a rung whose delivered quality misses its target: another rate factor for it. Pure.

Samples foretell the rate factor of a target to within a few points of VMAF. The delivered rendition tells how far off
that was, and the fitted curve by how much to change it; a second correction goes by what the first one did.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from orchestration.media.hull import CRF_STEP, HIGHEST_CRF, LOWEST_CRF, fit_curves
from orchestration.media.ladder import Ladder, VideoRung, with_crf
from orchestration.media.settings import MediaSettings

TOLERANCE_VMAF = 1.5
MOST_CORRECTIONS = 2
STEEPEST_SLOPE, FLATTEST_SLOPE = -6.0, -0.3
"""Believable VMAF per step of the rate factor; what two measurements say beyond that is noise."""
DEFAULT_SLOPE = -2.0


class Delivered(msgspec.Struct, frozen=True, kw_only=True):
    """What one rendition was measured to give.

    Attributes:
        percentile_5: One picture of twenty is worse than this.
        xpsnr_db: Of luma; None for what was measured before it was.
        cpu_s: What measuring it cost, in CPU seconds.
    """

    rendition_id: str
    rung: str
    crf: float
    target_vmaf: float | None
    vmaf: float
    harmonic_mean: float
    percentile_5: float
    pictures: int
    cpu_s: float
    xpsnr_db: float | None = None


def on_target(rung: VideoRung, vmaf: float) -> bool:
    """Whether a delivered quality is near enough; a rung that its cap or the master limits may be worse."""
    if rung.target_vmaf is None:
        return True
    if rung.limit is not None and vmaf < rung.target_vmaf:
        return True
    return abs(vmaf - rung.target_vmaf) <= TOLERANCE_VMAF


def correct(ladder: Ladder, measured: Sequence[Delivered], settings: MediaSettings) -> Ladder:
    """The ladder with another rate factor for each H.264 rung that misses its target; itself when there is none.

    Args:
        ladder: As it was encoded last.
        measured: What its renditions, and earlier ones of the same rungs and targets, were measured to give.
        settings: As for planning.

    Returns:
        A rung that was corrected often enough, or cannot come nearer, gets the best rate factor tried.
    """
    sizes = {(rung.width, rung.height) for rung in ladder.video}
    slopes = {(curve.width, curve.height): curve for curve in fit_curves(ladder.points, sizes)}
    rungs = []
    for rung in ladder.video:
        tried = _tries(rung, measured)
        if rung.codec != "h264" or rung.target_vmaf is None or rung.crf not in tried:
            rungs.append(rung)
            continue
        crf = rung.crf
        if not on_target(rung, tried[crf]):
            curve = slopes.get((rung.width, rung.height))
            crf = next_crf(rung, tried, curve.slope(crf) if curve else DEFAULT_SLOPE)
        corrected = rung if crf == rung.crf else with_crf(rung, crf, ladder, settings)
        if crf == LOWEST_CRF and crf in tried and tried[crf] < rung.target_vmaf - TOLERANCE_VMAF:
            corrected = msgspec.structs.replace(corrected, limit="source")
        rungs.append(corrected)
    return ladder if rungs == ladder.video else msgspec.structs.replace(ladder, video=rungs)


def next_crf(rung: VideoRung, tried: Mapping[float, float], slope: float) -> float:
    """The rate factor to try next, or the best one tried when no other is left to try.

    Args:
        rung: It has a target.
        tried: VMAF by rate factor.
        slope: VMAF per step of the rate factor, from the fitted curve.
    """
    assert rung.target_vmaf is not None
    target = rung.target_vmaf
    by_miss = sorted(tried, key=lambda crf: (abs(tried[crf] - target), crf))
    nearest = by_miss[0]
    if len(tried) > MOST_CORRECTIONS or abs(tried[nearest] - target) <= TOLERANCE_VMAF:
        return nearest  # a run that starts again finds what an earlier one corrected
    if len(by_miss) > 1:
        slope = (tried[by_miss[0]] - tried[by_miss[1]]) / (by_miss[0] - by_miss[1])
    slope = min(max(slope, STEEPEST_SLOPE), FLATTEST_SLOPE)
    wanted = nearest + (target - tried[nearest]) / slope
    crf = min(max(round(wanted / CRF_STEP) * CRF_STEP, LOWEST_CRF), HIGHEST_CRF)
    return nearest if crf in tried else crf


def _tries(rung: VideoRung, measured: Sequence[Delivered]) -> dict[float, float]:
    """VMAF by rate factor of all renditions that were made for this rung and target."""
    return {
        item.crf: item.vmaf
        for item in measured
        if item.rung == rung.rung and item.target_vmaf == rung.target_vmaf and item.target_vmaf is not None
    }
