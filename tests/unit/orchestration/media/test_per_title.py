from __future__ import annotations

import math
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from orchestration.media.hull import RatePoint, fit_curves
from orchestration.media.per_title import (
    LEAST_RATE_RATIO,
    MOST_RATE_RATIO,
    NOTICEABLE_VMAF,
    SLOW_LINE_BPS,
    TOP_VMAF,
    choose_rungs,
)

SIZES = ((1920, 1080), (1280, 720), (854, 480), (640, 360), (426, 240))


def curves_of(bits: float = 1.0, *, ceiling: float = 98.0, sizes=SIZES):
    """Curves such as film has: smaller sizes cost less and reach less; ``bits`` scales all rates."""
    points = []
    for number, (width, height) in enumerate(sizes):
        for crf in (20.0, 28.0, 36.0):
            rate = bits * 4e6 * (width * height / (1920 * 1080)) ** 0.8 * math.exp(-0.14 * (crf - 20))
            vmaf = max(ceiling - 9 * number - 0.1 * (crf - 16) ** 1.85, 0.0)
            points.append(RatePoint(width=width, height=height, crf=crf, bitrate_bps=rate, vmaf=vmaf))
    return fit_curves(points)


def no_cap(_width: int, _height: int) -> int:
    return 10**12


def test_the_best_rung_has_the_masters_size_and_looks_like_it() -> None:
    choices = choose_rungs(curves_of(), no_cap, 6)
    assert (choices[0].point.width, choices[0].point.height) == (1920, 1080)
    assert TOP_VMAF <= choices[0].point.vmaf < TOP_VMAF + 1
    assert all(choice.limit is None for choice in choices)
    assert choices[-1].point.width < 1920


@given(st.floats(0.01, 20), st.integers(1, 9))
def test_rungs_are_apart_in_rate_and_quality(bits: float, most: int) -> None:
    choices = choose_rungs(curves_of(bits), no_cap, most)
    assert 1 <= len(choices) <= most
    for better, worse in pairwise(choices):
        assert worse.point.bitrate_bps * LEAST_RATE_RATIO <= better.point.bitrate_bps * 1.0001
        assert worse.point.vmaf < better.point.vmaf


def test_steps_are_noticeable_and_no_line_is_left_far_behind() -> None:
    """Each step is a noticeable difference or twice the rate, up to what the grid of rate factors allows."""
    for better, worse in pairwise(choose_rungs(curves_of(2.0), no_cap, 20)):
        assert better.point.vmaf - worse.point.vmaf < NOTICEABLE_VMAF + 0.6
        assert better.point.bitrate_bps / worse.point.bitrate_bps < MOST_RATE_RATIO * 1.06


def test_few_rungs_still_reach_from_top_to_bottom() -> None:
    few, many = choose_rungs(curves_of(2.0), no_cap, 3), choose_rungs(curves_of(2.0), no_cap, 9)
    assert len(few) == 3
    assert few[0] == many[0]
    assert few[-1] == many[-1]


def test_a_cap_lowers_the_aim_and_says_so() -> None:
    [top, *_] = choose_rungs(curves_of(), lambda width, height: 1_000_000, 6)
    assert top.limit == "rate"
    assert top.point.bitrate_bps <= 1_000_000
    assert top.point.vmaf < TOP_VMAF


def test_a_master_that_gives_no_more_says_so() -> None:
    [top, *_] = choose_rungs(curves_of(ceiling=85), no_cap, 6)
    assert top.limit == "source"
    [curve, *_] = curves_of(ceiling=85)
    assert curve.grid[-1].vmaf - 1 < top.point.vmaf < curve.grid[-1].vmaf


def test_every_class_of_device_gets_a_rung() -> None:
    large = SIZES[:2]
    easy = curves_of(0.02, sizes=large)
    assert {choice.point.width for choice in choose_rungs(easy, no_cap, 3)} == {1920}
    fitting = choose_rungs(easy, no_cap, 3, [1280 * 720])
    assert fitting[-1].point.width == 1280
    assert fitting[0].point.width == 1920


def test_the_same_curves_give_the_same_rungs() -> None:
    assert choose_rungs(curves_of(), no_cap, 6) == choose_rungs(curves_of(), no_cap, 6)


def test_a_title_that_costs_next_to_nothing_still_gets_a_ladder() -> None:
    """What few samples foretell of such a rate may be far off."""
    choices = choose_rungs(curves_of(0.03), no_cap, 6)
    assert choices[0].point.bitrate_bps < SLOW_LINE_BPS
    assert choices[-1].point.bitrate_bps <= choices[0].point.bitrate_bps / MOST_RATE_RATIO
