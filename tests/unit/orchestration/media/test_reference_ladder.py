from __future__ import annotations

import math

import pytest

from orchestration.media.hull import RatePoint, fit_curves
from orchestration.media.reference_ladder import fitting_rungs, foretold_rungs, mean_saving, rung_saving

POINTS = [
    RatePoint(
        width=width,
        height=height,
        crf=crf,
        bitrate_bps=3e6 * (width * height / (1280 * 720)) ** 0.8 * math.exp(-0.14 * (crf - 20)),
        vmaf=96 - 8 * number - 0.1 * (crf - 16) ** 1.8,
    )
    for number, (width, height) in enumerate(((1280, 720), (640, 360), (426, 240)))
    for crf in (20.0, 28.0, 36.0)
]


def test_no_rung_enlarges_the_picture_and_the_aspect_is_kept() -> None:
    assert fitting_rungs(1920, 1080)[0] == (416, 234, 145_000)
    assert fitting_rungs(1920, 1080)[-1] == (1920, 1080, 7_800_000)
    assert fitting_rungs(800, 332) == [
        (416, 172, 145_000),
        (640, 266, 365_000),
        (768, 318, 730_000),
        (768, 318, 1_100_000),
    ]
    assert fitting_rungs(1080, 1920)[-1] == (1080, 1920, 7_800_000)
    assert fitting_rungs(200, 100) == [(200, 100, 145_000)]


def test_a_ladder_of_the_best_sizes_saves_and_a_dearer_one_does_not() -> None:
    [curve] = fit_curves(POINTS, [(1280, 720)])
    rungs = [(point.bitrate_bps, point.vmaf) for point in (curve.at_crf(crf) for crf in (20, 26, 32))]
    reference = foretold_rungs(POINTS)
    saving = mean_saving(reference, rungs)
    dearer = mean_saving(reference, [(rate * 2, vmaf) for rate, vmaf in rungs])
    assert saving is not None
    assert dearer is not None
    assert 1 - dearer == pytest.approx(2 * (1 - saving))


def test_nothing_measured_or_nothing_in_common_foretells_nothing() -> None:
    assert foretold_rungs([]) == []
    assert mean_saving([], [(1e6, 90.0), (2e6, 95.0)]) is None
    assert mean_saving(foretold_rungs(POINTS), [(1e6, 99.0), (2e6, 99.5)]) is None
    assert rung_saving([], 1e6, 90.0) is None
    assert rung_saving(foretold_rungs(POINTS), 1e6, 99.0) is None


def test_a_rung_saves_what_it_costs_less_than_the_reference_at_its_quality() -> None:
    reference = [(1e6, 80.0), (4e6, 90.0)]
    assert rung_saving(reference, 1e6, 80.0) == pytest.approx(0.0)
    assert rung_saving(reference, 3e6, 90.0) == pytest.approx(0.25)
    assert rung_saving(reference, 1e6, 85.0) == pytest.approx(0.5)  # half way up, the rate has doubled
    assert rung_saving(reference, 5e6, 90.0) == pytest.approx(-0.25)
    assert rung_saving(reference, 1e6, 79.0) is None
