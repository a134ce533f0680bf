from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.media.correction import MOST_CORRECTIONS, TOLERANCE_VMAF, Delivered, correct, on_target
from orchestration.media.hull import LOWEST_CRF, Probes, RatePoint
from orchestration.media.ladder import Ladder, plan_ladder
from orchestration.media.per_title import TOP_VMAF
from orchestration.media.report import ProbeReport, VideoTrack
from orchestration.media.settings import MediaSettings

SETTINGS = MediaSettings()
PROBES = Probes(
    points=[
        RatePoint(width=640, height=360, crf=crf, bitrate_bps=rate, vmaf=vmaf)
        for crf, rate, vmaf in ((18.0, 1_000_000, 97.5), (26.0, 340_000, 88.0), (34.0, 110_000, 66.0))
    ],
    cpu_s=1.0,
)


@pytest.fixture(scope="module")
def ladder() -> Ladder:
    track = VideoTrack(
        index=0, codec="h264", width=640, height=360, coded_width=640, coded_height=360, pixel_format="yuv420p",
        bit_depth=8, frame_rate="25", variable_frame_rate=False, rotation_degrees=0, interlaced=False, transfer="sdr",
        start_s=0.0, duration_s=10.0,
    )  # fmt: skip
    report = ProbeReport(
        file="film.mp4", size_bytes=1, verdict="playable", reasons=[], warnings=[], hints=[], decoded_duration_s=10.0,
        tracks=[track],
    )  # fmt: skip
    return plan_ladder(report, "a" * 64, SETTINGS, PROBES)


def delivered(ladder: Ladder, number: int, vmaf: float) -> Delivered:
    rung = ladder.video[number]
    return Delivered(
        rendition_id=rung.rendition_id, rung=rung.rung, crf=rung.crf, target_vmaf=rung.target_vmaf, vmaf=vmaf,
        harmonic_mean=vmaf, percentile_5=vmaf, pictures=10, cpu_s=1.0,
    )  # fmt: skip


def test_a_ladder_per_title_keeps_what_it_was_made_from(ladder: Ladder) -> None:
    assert ladder.points == PROBES.points
    assert ladder.video[0].target_vmaf == pytest.approx(TOP_VMAF, abs=1)
    assert len({rung.rung for rung in ladder.video}) == len(ladder.video) > 2
    assert msgspec.json.decode(msgspec.json.encode(ladder), type=Ladder) == ladder


def test_what_is_on_target_or_was_not_measured_stays(ladder: Ladder) -> None:
    near = [delivered(ladder, 0, ladder.video[0].target_vmaf + TOLERANCE_VMAF - 0.1)]
    assert correct(ladder, near, SETTINGS) is ladder


def test_a_miss_changes_that_rung_and_no_other(ladder: Ladder) -> None:
    low = correct(ladder, [delivered(ladder, 1, ladder.video[1].target_vmaf - 4)], SETTINGS)
    high = correct(ladder, [delivered(ladder, 1, ladder.video[1].target_vmaf + 4)], SETTINGS)
    assert low.video[1].crf < ladder.video[1].crf < high.video[1].crf
    assert low.video[1].target_vmaf == ladder.video[1].target_vmaf
    assert low.video[1].rendition_id != ladder.video[1].rendition_id
    assert [low.video[0], *low.video[2:]] == [ladder.video[0], *ladder.video[2:]]


@given(st.floats(-9, 9), st.floats(0.7, 3.5))
def test_corrections_end_and_never_leave_a_rung_worse(ladder: Ladder, miss: float, slope: float) -> None:
    """An encoder whose quality falls by ``slope`` per step, where the fit foretold something else."""
    target, planned = ladder.video[0].target_vmaf, ladder.video[0].crf
    known: list[Delivered] = []
    current = ladder
    for _ in range(MOST_CORRECTIONS + 3):
        vmaf = target + miss - slope * (current.video[0].crf - planned)
        if all(item.rendition_id != current.video[0].rendition_id for item in known):
            known.append(delivered(current, 0, vmaf))
        following = correct(current, known, SETTINGS)
        if following == current:
            break
        current = following
    else:
        pytest.fail("it went on")
    assert len(known) <= 1 + MOST_CORRECTIONS
    final = target + miss - slope * (current.video[0].crf - planned)
    assert abs(final - target) <= max(abs(miss), TOLERANCE_VMAF) + 1e-9
    assert on_target(current.video[0], final) or len(known) == 1 + MOST_CORRECTIONS
    assert (current.video[0].limit == "source") == (
        current.video[0].crf == LOWEST_CRF and final < target - TOLERANCE_VMAF
    )
    assert correct(ladder, known, SETTINGS).video[0].crf == current.video[0].crf  # planned anew, it is found again


def test_a_rung_that_its_cap_limits_may_be_worse_but_not_better(ladder: Ladder) -> None:
    rung = msgspec.structs.replace(ladder.video[0], limit="rate")
    assert on_target(rung, rung.target_vmaf - 10)
    assert not on_target(rung, rung.target_vmaf + 10)
    assert not on_target(ladder.video[0], rung.target_vmaf - 10)
    assert on_target(msgspec.structs.replace(rung, target_vmaf=None), 1.0)
