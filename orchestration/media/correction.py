"""What follows from a rung whose delivered quality misses its target: another rate factor for it. Pure.

Samples foretell the rate factor of a target to within a few points of VMAF, and a rule of thumb (`encoders.Likeness`)
what is like it in another codec. The delivered rendition tells how far off that was, and the fitted curve by how much
to change it; later corrections go by what the earlier ones did. All reckoning is in rate factors of H.264, for which
the curves are fitted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from orchestration.media.encoders import LIKENESS
from orchestration.media.hull import LOWEST_CRF, fit_curves
from orchestration.media.ladder import Ladder, VideoRung, with_crf
from orchestration.media.per_title import CAP_USE, Limit
from orchestration.media.settings import MediaSettings

TOLERANCE_VMAF = 1.5
STEEPEST_SLOPE, FLATTEST_SLOPE = -6.0, -0.3
"""Believable VMAF per step of H.264's rate factor; what two measurements say beyond that is noise."""
DEFAULT_SLOPE = -2.0


class Delivered(msgspec.Struct, frozen=True, kw_only=True):
    """What one rendition was measured to give.

    Attributes:
        percentile_5: One picture of twenty is worse than this.
        xpsnr_db: Of luma; None for what was measured before it was.
        bitrate_bps: What the whole rendition costs on average; None likewise.
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
    bitrate_bps: int | None = None


def on_target(rung: VideoRung, vmaf: float) -> bool:
    """Whether a delivered quality is near enough; a rung that was found to fall short for its cap or its master may."""
    if rung.target_vmaf is None:
        return True
    if rung.shortfall is not None and vmaf < rung.target_vmaf:
        return True
    return abs(vmaf - rung.target_vmaf) <= TOLERANCE_VMAF


def correct(ladder: Ladder, measured: Sequence[Delivered], settings: MediaSettings) -> Ladder:
    """The ladder with another rate factor for each rung that misses its target; itself when there is none.

    Args:
        ladder: As it was encoded last.
        measured: What its renditions, and earlier ones of the same rungs and targets, were measured to give.
        settings: As for planning.

    Returns:
        A rung that was corrected often enough, or cannot come nearer, gets the best rate factor tried, and its
        shortfall is told where it cannot for its cap or for its master.
    """
    sizes = {(rung.width, rung.height) for rung in ladder.video}
    curves = {(curve.width, curve.height): curve for curve in fit_curves(ladder.points, sizes)}
    rungs = []
    for rung in ladder.video:
        tried = _tries(rung, measured, ladder, settings)
        if rung.target_vmaf is None or rung.crf not in tried:
            rungs.append(rung)
            continue
        crf = rung.crf
        if not on_target(rung, tried[crf].vmaf):
            curve = curves.get((rung.width, rung.height))
            slope = curve.slope(LIKENESS[rung.codec].to_h264(crf)) if curve else DEFAULT_SLOPE
            crf = next_crf(rung, tried, slope)
        corrected = rung if crf == rung.crf else with_crf(rung, crf, ladder, settings)
        rungs.append(msgspec.structs.replace(corrected, shortfall=_shortfall(rung, crf, tried)))
    return ladder if rungs == ladder.video else msgspec.structs.replace(ladder, video=rungs)


def next_crf(rung: VideoRung, tried: Mapping[float, Delivered], slope: float) -> float:
    """The rate factor to try next, or the best one tried when no other is left to try.

    Args:
        rung: It has a target.
        tried: What was delivered, by rate factor.
        slope: VMAF per step of H.264's rate factor, from the fitted curve.
    """
    assert rung.target_vmaf is not None
    target, likeness = rung.target_vmaf, LIKENESS[rung.codec]
    by_miss = sorted(tried.values(), key=lambda item: (abs(item.vmaf - target), item.crf))
    nearest = by_miss[0]
    if (
        len(tried) > likeness.most_corrections
        or abs(nearest.vmaf - target) <= TOLERANCE_VMAF
        or _fills_cap(rung, tried)
    ):
        return nearest.crf  # a run that starts again finds what an earlier one corrected
    if len(by_miss) > 1:
        # between a try on either side lies the answer; two on one side say little where a cap holds both
        beyond = (item for item in by_miss[1:] if (item.vmaf > target) != (nearest.vmaf > target))
        second = next(beyond, by_miss[1])
        slope = (nearest.vmaf - second.vmaf) / (likeness.to_h264(nearest.crf) - likeness.to_h264(second.crf))
    slope = min(max(slope, STEEPEST_SLOPE), FLATTEST_SLOPE)
    wanted = likeness.to_h264(nearest.crf) + (target - nearest.vmaf) / slope
    crf = max(likeness.from_h264(wanted), LOWEST_CRF)
    return nearest.crf if crf in tried else crf


def _shortfall(rung: VideoRung, crf: float, tried: Mapping[float, Delivered]) -> Limit | None:
    """What keeps a rung of this rate factor below its target, as far as it was tried."""
    assert rung.target_vmaf is not None
    if crf == LOWEST_CRF and crf in tried and tried[crf].vmaf < rung.target_vmaf - TOLERANCE_VMAF:
        return "source"
    return "rate" if _fills_cap(rung, tried) else None


def _fills_cap(rung: VideoRung, tried: Mapping[float, Delivered]) -> bool:
    """Whether the best that was tried falls short and costs more already than a rung is planned to cost."""
    assert rung.target_vmaf is not None
    best = max(tried.values(), key=lambda item: item.vmaf)
    short = best.vmaf < rung.target_vmaf - TOLERANCE_VMAF
    return short and best.bitrate_bps is not None and best.bitrate_bps > CAP_USE * rung.cap_bps


def _tries(
    rung: VideoRung, measured: Sequence[Delivered], ladder: Ladder, settings: MediaSettings
) -> dict[float, Delivered]:
    """What renditions of this rung and target were measured to give, by rate factor, all else being made as now."""
    return {
        item.crf: item
        for item in measured
        if item.target_vmaf == rung.target_vmaf
        and item.rendition_id == with_crf(rung, item.crf, ladder, settings).rendition_id
    }
