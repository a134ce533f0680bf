"""What other codecs get, and what each encoder is told."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import get_args

import msgspec
import pytest

from orchestration.media.encoders import add_codecs, encoder_cpu_s, ticks_per_second, video_options
from orchestration.media.ladder import Ladder, VideoCodec, VideoRung
from orchestration.media.settings import MediaSettings, Preset

SIZES = {"1080p": (1920, 1080), "720p": (1280, 720), "480p": (854, 480), "240p": (426, 240)}


@pytest.fixture
def ladder() -> Ladder:
    rungs = [
        VideoRung(rendition_id=name, rung=name, width=width, height=height, cap_bps=1_000_000, crf=23.4)
        for name, (width, height) in SIZES.items()
    ]
    return Ladder(source_sha256="a" * 64, frame_rate="25", duration_s=60.0, video=rungs, audio=[])


def test_h264_alone_leaves_the_ladder_as_it_is(ladder: Ladder) -> None:
    assert add_codecs(ladder, MediaSettings()) == ladder


def test_codecs_stand_beside_h264_with_names_and_ids_of_their_own(ladder: Ladder) -> None:
    settings = MediaSettings(codecs=("vp9", "av1", "h264"), extra_codec_rungs=2)
    rungs = add_codecs(ladder, settings).video
    assert [rung.rung for rung in rungs] == [*SIZES, "1080p-vp9", "240p-vp9", "1080p-av1", "240p-av1"]
    assert len({rung.rendition_id for rung in rungs}) == len(rungs)
    assert all(rung.cap_bps < 1_000_000 for rung in rungs[4:])
    assert add_codecs(add_codecs(ladder, settings), settings) == add_codecs(ladder, settings)


def test_a_sibling_has_the_target_of_its_rung_and_limits_of_its_own(ladder: Ladder) -> None:
    aimed = [msgspec.structs.replace(rung, target_vmaf=90.0, limit="rate") for rung in ladder.video]
    settings = MediaSettings(codecs=("h264", "hevc", "vp9"))
    siblings = add_codecs(msgspec.structs.replace(ladder, video=aimed), settings).video[len(aimed) :]
    assert {(rung.codec, rung.crf) for rung in siblings} == {("hevc", 26.5), ("vp9", 34.0)}  # x265 knows quarters
    assert {(rung.target_vmaf, rung.limit) for rung in siblings} == {(90.0, "rate")}


def test_other_effort_is_another_rendition(ladder: Ladder) -> None:
    fast = add_codecs(ladder, MediaSettings(codecs=("h264", "av1"), av1_preset=10)).video
    slow = add_codecs(ladder, MediaSettings(codecs=("h264", "av1"), av1_preset=4)).video
    assert {rung.rendition_id for rung in fast[4:]}.isdisjoint(rung.rendition_id for rung in slow[4:])


@pytest.mark.parametrize("codec", ["h264", "hevc", "vp9", "av1"])
def test_all_encoders_start_groups_at_the_same_pictures(ladder: Ladder, codec: str) -> None:
    rungs = add_codecs(ladder, MediaSettings(codecs=("h264", codec))).video
    options = video_options(rungs[-1], Fraction(30000, 1001), MediaSettings(keyframe_interval_s=2.0))
    assert options["g"] == 60
    assert options["fflags"] == "+bitexact"


@pytest.mark.parametrize("rate", ["24", "25", "30000/1001", "24000/1001", "25/2", "1/3"])
def test_every_picture_lasts_whole_ticks(rate: str) -> None:
    ticks = ticks_per_second(Fraction(rate))
    assert (ticks / Fraction(rate)).denominator == 1
    assert ticks >= 1000


@pytest.mark.parametrize(
    ("codec", "field", "known", "unknown"),
    [
        ("h264", "preset", get_args(Preset), "placebo"),
        ("hevc", "hevc_preset", get_args(Preset), "placebo"),
        ("vp9", "vp9_speed", range(7), 7),
        ("av1", "av1_preset", range(14), 14),
    ],
)
def test_every_effort_that_may_be_set_has_a_cost(
    ladder: Ladder, codec: VideoCodec, field: str, known: Sequence[object], unknown: object
) -> None:
    rungs = [msgspec.structs.replace(rung, codec=codec) for rung in ladder.video]
    for effort in known:
        assert encoder_cpu_s(rungs, ladder.rate, msgspec.convert({field: effort}, MediaSettings)) > 0
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({field: unknown}, MediaSettings)
