from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.media.ladder import BOX_HEIGHTS, FINE_BOX_HEIGHTS, cap_bps, fit_sizes, plan_ladder, spread
from orchestration.media.report import AudioTrack, ProbeReport, VideoTrack
from orchestration.media.settings import MediaSettings

SHA = "a" * 64


def report(width: int = 1920, height: int = 1080, rate: str = "25", *, languages: tuple[str, ...] = ("eng",), **video):
    track = VideoTrack(
        **{
            "index": 0, "codec": "h264", "width": width, "height": height, "coded_width": width,
            "coded_height": height, "pixel_format": "yuv420p", "bit_depth": 8, "frame_rate": rate,
            "variable_frame_rate": False, "rotation_degrees": 0, "interlaced": False, "transfer": "sdr",
            "colours": "tagged", "start_s": 0.0, "duration_s": 10.0, **video,
        }
    )  # fmt: skip
    sounds = [
        AudioTrack(
            index=number, codec="aac", channels=2, sample_rate_hz=48000, language=language, usable=True, start_s=0.0,
            duration_s=10.0,
        )
        for number, language in enumerate(languages, start=1)
    ]  # fmt: skip
    return ProbeReport(
        file="film.mp4", size_bytes=1, verdict="playable", reasons=[], warnings=[], hints=[], decoded_duration_s=10.0,
        tracks=[track, *sounds],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ((1280, 720), [("240p", 426, 240), ("360p", 640, 360), ("480p", 854, 480), ("720p", 1280, 720)]),
        ((800, 332), [("240p", 426, 178), ("360p", 640, 266), ("480p", 800, 332)]),
        ((960, 540), [("240p", 426, 240), ("360p", 640, 360), ("480p", 960, 540)]),
        ((720, 1280), [("240p", 240, 426), ("360p", 360, 640), ("480p", 480, 854), ("720p", 720, 1280)]),
        ((161, 121), [("240p", 160, 120)]),
        ((200, 200), [("240p", 200, 200)]),
    ],
)
def test_sizes_fit_the_source(source, expected) -> None:
    assert fit_sizes(*source) == expected


def test_an_odd_aspect_is_kept() -> None:
    sizes = fit_sizes(1616, 1568)
    assert sizes[-1] == ("1440p", 1616, 1568)
    assert all(width / height == pytest.approx(1616 / 1568, rel=0.01) for _, width, height in sizes)


def test_more_sizes_end_at_the_same_one() -> None:
    assert {name for name, _, _ in fit_sizes(1920, 1080)} < {
        name for name, _, _ in fit_sizes(1920, 1080, FINE_BOX_HEIGHTS)
    }
    assert fit_sizes(960, 540, FINE_BOX_HEIGHTS)[-2:] == [("480p", 854, 480), ("576p", 960, 540)]
    assert fit_sizes(8000, 4500, FINE_BOX_HEIGHTS)[-1] == fit_sizes(8000, 4500)[-1] == ("2160p", 3840, 2160)


@given(st.integers(2, 8000), st.integers(2, 8000), st.sampled_from([BOX_HEIGHTS, FINE_BOX_HEIGHTS]))
def test_rungs_are_even_unique_growing_and_never_larger_than_the_source(width: int, height: int, boxes) -> None:
    sizes = fit_sizes(width, height, boxes)
    assert sizes
    assert len({name for name, _, _ in sizes}) == len(sizes)
    pixels = [rung_width * rung_height for _, rung_width, rung_height in sizes]
    assert pixels == sorted(pixels)
    for _, rung_width, rung_height in sizes:
        assert rung_width % 2 == 0
        assert rung_height % 2 == 0
        assert rung_width <= max(width, 2)
        assert rung_height <= max(height, 2)


def test_few_rungs_keep_the_largest_and_the_smallest() -> None:
    names = [rung.rung for rung in plan_ladder(report(), SHA, MediaSettings(max_rungs=3)).video]
    assert names == ["1080p", "480p", "240p"]


def test_caps_grow_with_pixels_and_with_frame_rate() -> None:
    assert cap_bps(640, 360, Fraction(25)) < cap_bps(1280, 720, Fraction(25)) < cap_bps(1280, 720, Fraction(50))


def test_high_rates_are_halved_and_fields_become_pictures() -> None:
    assert plan_ladder(report(rate="120"), SHA, MediaSettings()).frame_rate == "60"
    assert plan_ladder(report(interlaced=True), SHA, MediaSettings()).frame_rate == "50"


def test_every_sound_track_is_in_the_ladder() -> None:
    ladder = plan_ladder(report(languages=("eng", "deu", "eng", "und")), SHA, MediaSettings())
    assert [(rung.rung, rung.track_index) for rung in ladder.audio] == [
        ("audio-en", 1),
        ("audio-de", 2),
        ("audio-en-2", 3),
        ("audio-und", 4),
    ]


def test_ids_follow_the_source_and_the_settings_and_nothing_else() -> None:
    ids = [rung.rendition_id for rung in plan_ladder(report(), SHA, MediaSettings()).video]
    assert ids == [rung.rendition_id for rung in plan_ladder(report(), SHA, MediaSettings()).video]
    assert not set(ids) & {rung.rendition_id for rung in plan_ladder(report(), "b" * 64, MediaSettings()).video}
    assert not set(ids) & {rung.rendition_id for rung in plan_ladder(report(), SHA, MediaSettings(crf=30)).video}


def test_another_number_of_rungs_keeps_the_ids_of_those_that_stay() -> None:
    few = {rung.rendition_id for rung in plan_ladder(report(), SHA, MediaSettings(max_rungs=2)).video}
    many = {rung.rendition_id for rung in plan_ladder(report(), SHA, MediaSettings(max_rungs=5)).video}
    assert few < many


def test_an_even_choice_keeps_both_ends_and_one_alone_is_the_one_that_was_asked_for():
    assert spread("abcdef", 3, alone=0) == ["a", "c", "f"]
    assert spread("fedcba", 3, alone=-1) == ["f", "d", "a"]
    assert (spread("abc", 1, alone=0), spread("abc", 1, alone=-1)) == (["a"], ["c"])
    assert spread("abc", 5, alone=0) == "abc"
