from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.media.hull import (
    HIGHEST_CRF,
    LOWEST_CRF,
    RatePoint,
    SizeCurve,
    bd_rate,
    best_for,
    cheapest_at,
    convex_hull,
    fit_curves,
)


def point(rate_bps: float, vmaf: float, crf: float = 28, size: tuple[int, int] = (640, 360)) -> RatePoint:
    return RatePoint(width=size[0], height=size[1], crf=crf, bitrate_bps=rate_bps, vmaf=vmaf)


POINTS = [point(1_000_000, 95, 20), point(400_000, 85, 28), point(150_000, 60, 36)]
SMALL = [point(300_000, 80, 20, (426, 240)), point(120_000, 65, 28, (426, 240)), point(50_000, 40, 36, (426, 240))]

ladders = st.tuples(
    st.lists(st.integers(50, 20_000), min_size=4, max_size=4, unique=True),
    st.lists(st.integers(5, 99), min_size=4, max_size=4, unique=True),
).map(lambda rungs: list(zip(sorted(rungs[0]), sorted(rungs[1]), strict=True)))
clouds = st.lists(st.builds(point, st.integers(50_000, 20_000_000), st.floats(0, 100)), min_size=1, max_size=30)


def test_a_curve_goes_through_its_points() -> None:
    curve = SizeCurve(POINTS)
    for given_point in POINTS:
        read = curve.at_crf(given_point.crf)
        assert read.vmaf == pytest.approx(given_point.vmaf)
        assert read.bitrate_bps == pytest.approx(given_point.bitrate_bps)


@given(
    st.tuples(st.floats(0, 100), st.floats(0, 100), st.floats(0, 100)),
    st.lists(st.floats(1e4, 1e8), min_size=3, max_size=3),
)
def test_a_curve_never_gives_less_for_more_whatever_was_measured(vmafs, rates) -> None:
    curve = SizeCurve([point(rate, vmaf, crf) for rate, vmaf, crf in zip(rates, vmafs, (20, 28, 36), strict=True)])
    grid = curve.grid
    assert (grid[0].crf, grid[-1].crf) == (HIGHEST_CRF, LOWEST_CRF)
    for cheaper, dearer in pairwise(grid):
        assert dearer.vmaf >= cheaper.vmaf
        assert dearer.bitrate_bps >= cheaper.bitrate_bps
    assert curve.slope(28) < 0


def test_one_rate_factor_is_no_curve() -> None:
    with pytest.raises(ValueError, match="two rate factors"):
        SizeCurve(POINTS[:1])


def test_the_cheapest_size_depends_on_the_quality() -> None:
    curves = fit_curves([*SMALL, *POINTS])
    assert [curve.width for curve in curves] == [640, 426]
    assert cheapest_at(curves, 90).width == 640
    assert cheapest_at(curves, 65).width == 426
    assert cheapest_at(curves, 100.0) is None
    assert best_for(curves, 60_000).width == 426
    assert best_for(curves, 1) is None


def test_a_size_that_was_not_measured_lies_between_its_neighbours() -> None:
    master = [point(item.bitrate_bps * 4, item.vmaf + 2, item.crf, (1280, 720)) for item in POINTS]
    sizes = [(640, 360), (512, 288), (426, 240), (320, 180)]
    large, between, small, beyond = fit_curves([*SMALL, *POINTS, *master], sizes)
    assert [(curve.width, curve.height) for curve in (large, between, small, beyond)] == sizes
    for crf in (20.0, 28.0, 36.0):
        assert small.at_crf(crf).vmaf < between.at_crf(crf).vmaf < large.at_crf(crf).vmaf
        assert small.at_crf(crf).bitrate_bps < between.at_crf(crf).bitrate_bps < large.at_crf(crf).bitrate_bps
        assert beyond.at_crf(crf).vmaf == pytest.approx(small.at_crf(crf).vmaf)
    assert [curve.grid for curve in fit_curves(POINTS, [(640, 360)])] == [large.grid]
    assert fit_curves([], sizes) == []


def test_just_below_the_size_of_the_master_no_quality_is_taken_from_it() -> None:
    """The first scaling costs quality, however little it makes the picture smaller."""
    [nearly] = fit_curves([*SMALL, *POINTS], [(600, 338)])
    for crf in (20.0, 28.0, 36.0):
        assert nearly.at_crf(crf).vmaf == pytest.approx(SizeCurve(SMALL).at_crf(crf).vmaf)
        assert nearly.at_crf(crf).bitrate_bps > SizeCurve(SMALL).at_crf(crf).bitrate_bps


@given(st.floats(41, 94))
def test_what_is_cheapest_reaches_the_quality_and_no_size_is_cheaper(vmaf: float) -> None:
    curves = fit_curves([*SMALL, *POINTS])
    best = cheapest_at(curves, vmaf)
    assert best.vmaf >= vmaf - 1e-6
    others = [found for curve in curves if (found := curve.at_vmaf(vmaf)) is not None]
    assert best.bitrate_bps == min(other.bitrate_bps for other in others)


@given(clouds)
def test_a_hull_grows_bends_down_and_has_nothing_above_it(cloud: list[RatePoint]) -> None:
    hull = convex_hull(cloud)
    assert max(hull, key=lambda item: item.vmaf).vmaf == max(item.vmaf for item in cloud)
    slopes = []
    for left, right in pairwise(hull):
        assert right.bitrate_bps > left.bitrate_bps
        assert right.vmaf > left.vmaf
        slopes.append((right.vmaf - left.vmaf) / (math.log(right.bitrate_bps) - math.log(left.bitrate_bps)))
    assert all(later <= earlier * (1 + 1e-6) + 1e-9 for earlier, later in pairwise(slopes))
    for item in cloud:
        for left, right in pairwise(hull):
            if left.bitrate_bps <= item.bitrate_bps <= right.bitrate_bps:
                share = math.log(item.bitrate_bps / left.bitrate_bps) / math.log(right.bitrate_bps / left.bitrate_bps)
                assert item.vmaf <= left.vmaf + share * (right.vmaf - left.vmaf) + 1e-6


@settings(deadline=None)  # the first call imports scipy
@given(ladders)
def test_a_ladder_saves_nothing_against_itself(ladder) -> None:
    assert bd_rate(ladder, ladder) == pytest.approx(0)


@settings(deadline=None)
@given(ladders, st.floats(0.3, 3))
def test_a_constant_factor_of_rate_is_the_difference(ladder, factor: float) -> None:
    scaled = [(rate * factor, vmaf) for rate, vmaf in ladder]
    assert bd_rate(ladder, scaled) == pytest.approx(factor - 1)
    assert (1 + bd_rate(ladder, scaled)) * (1 + bd_rate(scaled, ladder)) == pytest.approx(1)


def test_ladders_without_a_common_quality_are_not_compared() -> None:
    with pytest.raises(ValueError, match="no range of quality"):
        bd_rate([(1, 10), (2, 20)], [(1, 30), (2, 40)])
    with pytest.raises(ValueError, match="two rungs"):
        bd_rate([(1, 10), (2, 9)], [(1, 30), (2, 40)])
