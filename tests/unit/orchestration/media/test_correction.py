from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.media.correction import TOLERANCE_VMAF, Delivered, correct, on_target
from orchestration.media.encoders import LIKENESS, add_codecs
from orchestration.media.hull import LOWEST_CRF, Probes, RatePoint
from orchestration.media.ladder import Ladder, plan_ladder
from orchestration.media.per_title import TOP_VMAF
from orchestration.media.report import ProbeReport, VideoTrack
from orchestration.media.settings import MediaSettings

SETTINGS = MediaSettings(codecs=("h264", "hevc", "vp9", "av1"))
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
        colours="tagged", start_s=0.0, duration_s=10.0,
    )  # fmt: skip
    report = ProbeReport(
        file="film.mp4", size_bytes=1, verdict="playable", reasons=[], warnings=[], hints=[], decoded_duration_s=10.0,
        tracks=[track],
    )  # fmt: skip
    return add_codecs(plan_ladder(report, "a" * 64, SETTINGS, PROBES), SETTINGS)


def first_of(ladder: Ladder, codec: str) -> int:
    return next(number for number, rung in enumerate(ladder.video) if rung.codec == codec)


def delivered(ladder: Ladder, number: int, vmaf: float, cap_use: float | None = None) -> Delivered:
    rung = ladder.video[number]
    return Delivered(
        rendition_id=rung.rendition_id, rung=rung.rung, crf=rung.crf, target_vmaf=rung.target_vmaf, vmaf=vmaf,
        harmonic_mean=vmaf, percentile_5=vmaf, pictures=10, cpu_s=1.0,
        bitrate_bps=None if cap_use is None else round(cap_use * rung.cap_bps),
    )  # fmt: skip


def test_a_ladder_per_title_keeps_what_it_was_made_from(ladder: Ladder) -> None:
    assert ladder.points == PROBES.points
    assert ladder.video[0].target_vmaf == pytest.approx(TOP_VMAF, abs=1)
    assert len({rung.rung for rung in ladder.video}) == len(ladder.video) > 2
    assert msgspec.json.decode(msgspec.json.encode(ladder), type=Ladder) == ladder


def test_what_is_on_target_or_was_not_measured_stays(ladder: Ladder) -> None:
    near = [delivered(ladder, 0, ladder.video[0].target_vmaf + TOLERANCE_VMAF - 0.1)]
    assert correct(ladder, near, SETTINGS) is ladder


@pytest.mark.parametrize("codec", LIKENESS)
def test_a_miss_changes_that_rung_and_no_other(ladder: Ladder, codec: str) -> None:
    number = first_of(ladder, codec) + 1
    rung = ladder.video[number]
    low = correct(ladder, [delivered(ladder, number, rung.target_vmaf - 4)], SETTINGS)
    high = correct(ladder, [delivered(ladder, number, rung.target_vmaf + 4)], SETTINGS)
    assert low.video[number].crf < rung.crf < high.video[number].crf
    assert msgspec.structs.replace(low.video[number], crf=rung.crf, rendition_id=rung.rendition_id) == rung
    assert low.video[number].rendition_id != rung.rendition_id
    assert [*low.video[:number], *low.video[number + 1 :]] == [*ladder.video[:number], *ladder.video[number + 1 :]]


@pytest.mark.parametrize("codec", LIKENESS)
@given(st.floats(-9, 9), st.floats(0.7, 3.5))
def test_corrections_end_and_never_leave_a_rung_worse(ladder: Ladder, codec: str, miss: float, slope: float) -> None:
    """An encoder whose quality falls by ``slope`` per step of H.264, where the fit foretold something else."""
    number, likeness = first_of(ladder, codec), LIKENESS[codec]
    target, planned = ladder.video[number].target_vmaf, ladder.video[number].crf

    def given_by(crf: float) -> float:
        return target + miss - slope * (likeness.to_h264(crf) - likeness.to_h264(planned))

    known: list[Delivered] = []
    current = ladder
    for _ in range(likeness.most_corrections + 3):
        rung = current.video[number]
        if all(item.rendition_id != rung.rendition_id for item in known):
            known.append(delivered(current, number, given_by(rung.crf)))
        following = correct(current, known, SETTINGS)
        if following == current:
            break
        current = following
    else:
        pytest.fail("it went on")
    assert len(known) <= 1 + likeness.most_corrections
    assert all(item.crf % likeness.crf_step == 0 and item.crf <= likeness.crf_limit for item in known)
    last = current.video[number]
    final = given_by(last.crf)
    assert abs(final - target) <= max(abs(miss), TOLERANCE_VMAF) + 1e-9
    assert on_target(last, final) or len(known) == 1 + likeness.most_corrections
    assert (last.shortfall == "source") == (last.crf == LOWEST_CRF and final < target - TOLERANCE_VMAF)
    assert correct(ladder, known, SETTINGS).video[number].crf == last.crf  # planned anew, it is found again


@pytest.mark.parametrize("codec", LIKENESS)
def test_a_rung_that_falls_short_at_its_cap_is_not_encoded_again(ladder: Ladder, codec: str) -> None:
    number = first_of(ladder, codec)
    rung = ladder.video[number]
    capped = [delivered(ladder, number, rung.target_vmaf - 5, cap_use=0.97)]
    corrected = correct(ladder, capped, SETTINGS)
    assert corrected.video[number] == msgspec.structs.replace(rung, shortfall="rate")
    assert on_target(corrected.video[number], rung.target_vmaf - 5)
    assert correct(corrected, capped, SETTINGS) == corrected
    with_room = correct(ladder, [delivered(ladder, number, rung.target_vmaf - 5, cap_use=0.6)], SETTINGS).video[number]
    assert with_room.crf < rung.crf
    assert with_room.shortfall is None


def test_a_correction_that_meets_the_cap_is_the_last(ladder: Ladder) -> None:
    number = first_of(ladder, "vp9") + 1
    target = ladder.video[number].target_vmaf
    known = [delivered(ladder, number, target - 9, cap_use=0.6)]
    second = correct(ladder, known, SETTINGS)
    known.append(delivered(second, number, target - 4, cap_use=0.95))
    last = correct(second, known, SETTINGS)
    assert last.video[number] == msgspec.structs.replace(second.video[number], shortfall="rate")
    assert correct(ladder, known, SETTINGS) == last  # planned anew, it is found again


def test_no_cap_limits_what_was_too_good_before(ladder: Ladder) -> None:
    number = first_of(ladder, "hevc")
    target = ladder.video[number].target_vmaf
    known = [delivered(ladder, number, target + 4, cap_use=1.0)]
    second = correct(ladder, known, SETTINGS)
    known.append(delivered(second, number, target - 3, cap_use=0.95))
    third = correct(second, known, SETTINGS).video[number]
    assert third.shortfall is None
    assert ladder.video[number].crf < third.crf < second.video[number].crf


def test_between_tries_on_either_side_the_next_one_is_sought(ladder: Ladder) -> None:
    """Two tries at the cap give the same, and would send the next one far away."""
    number = first_of(ladder, "hevc")
    target = ladder.video[number].target_vmaf
    current, known = ladder, []
    for miss in (-11.0, 2.3, 2.2):
        known.append(delivered(current, number, target + miss, cap_use=1.0 if miss > 0 else 0.3))
        current = correct(current, known, SETTINGS)
    [low, _, high] = (item.crf for item in known)
    assert high < current.video[number].crf < high + (low - high) / 3


def test_what_other_settings_gave_says_nothing(ladder: Ladder) -> None:
    number = first_of(ladder, "vp9")
    slower = msgspec.structs.replace(SETTINGS, vp9_speed=SETTINGS.vp9_speed - 1)
    h264 = msgspec.structs.replace(ladder, video=[rung for rung in ladder.video if rung.codec == "h264"])
    planned = add_codecs(h264, slower)
    known = [delivered(ladder, number, ladder.video[number].target_vmaf - 9)]
    assert correct(ladder, known, SETTINGS) != ladder
    assert correct(planned, known, slower) == planned


def test_a_rung_that_aims_lower_is_corrected_like_any_other(ladder: Ladder) -> None:
    rung = msgspec.structs.replace(ladder.video[0], limit="source")
    aiming = msgspec.structs.replace(ladder, video=[rung, *ladder.video[1:]])
    assert not on_target(rung, rung.target_vmaf - 5)
    assert correct(aiming, [delivered(aiming, 0, rung.target_vmaf - 5)], SETTINGS).video[0].crf < rung.crf


def test_a_rung_that_its_cap_keeps_short_may_be_worse_but_not_better(ladder: Ladder) -> None:
    rung = msgspec.structs.replace(ladder.video[0], shortfall="rate")
    assert on_target(rung, rung.target_vmaf - 10)
    assert not on_target(rung, rung.target_vmaf + 10)
    assert not on_target(ladder.video[0], rung.target_vmaf - 10)
    assert on_target(msgspec.structs.replace(rung, target_vmaf=None), 1.0)
