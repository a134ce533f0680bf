from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest

from orchestration.media.errors import QualityUnmeasured
from orchestration.media.hull import fit_curves
from orchestration.media.probe import probe_file
from orchestration.media.process import run_program
from orchestration.media.programs import find_ffmpeg
from orchestration.media.quality import Reference, Window, measure_quality, pool_scores, sample_windows
from orchestration.media.search import (
    PROBED_SIZES,
    after_key_pictures,
    measured_pictures,
    probe_qualities,
    probed_sizes,
    search_id,
    search_windows,
)
from orchestration.media.settings import MediaSettings

RATE = Fraction(25)
SETTINGS = MediaSettings(preset="ultrafast", threads=1)


@pytest.fixture(scope="module")
def master(make_film: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_film(tmp_path_factory.mktemp("quality") / "film.mp4", "-crf", "10", "-g", "12", duration_s=4)


def reference(master: Path, *windows: Window) -> Reference:
    return Reference(master=master, report=probe_file(master), rate=RATE, windows=windows, width=320, height=180)


def encode(master: Path, path: Path, *options: str) -> Path:
    command = [find_ffmpeg(), "-v", "error", "-i", str(master), "-an", "-c:v", "libx264", "-preset", "ultrafast"]
    run_program([*command, *options, str(path)], timeout_s=60)
    return path


def test_windows_are_spread_and_a_short_film_is_one() -> None:
    assert sample_windows(100, RATE, 2, 10) == (Window(first=620, count=10), Window(first=1870, count=10))
    assert sample_windows(0.5, RATE, 2, 10) == (Window(first=0, count=12),)
    assert len(search_windows(8, RATE)) < len(search_windows(120, RATE)) < len(search_windows(1200, RATE))
    assert len(search_windows(7200, RATE)) == len(search_windows(1200, RATE))


def test_the_first_pictures_of_a_window_are_not_measured() -> None:
    shown, held = measured_pictures((Window(first=50, count=12), Window(first=700, count=12)))
    assert shown == (Window(first=56, count=6), Window(first=709, count=3))
    assert held == (Window(first=6, count=6), Window(first=21, count=3))
    assert measured_pictures((Window(first=0, count=2),)) == ((Window(first=1, count=1),), (Window(first=1, count=1),))


def test_windows_follow_key_pictures_and_never_meet(make_film: Callable[..., Path], tmp_path: Path) -> None:
    """A master with one key picture for all windows: they are told apart, and little is decoded on the way to them."""
    often = make_film(tmp_path / "often.mp4", "-g", "12", "-sc_threshold", "0", duration_s=12)
    once = make_film(tmp_path / "once.mp4", "-g", "1000", "-sc_threshold", "0", duration_s=12)
    windows = tuple(Window(first=first, count=8) for first in (40, 90, 290))
    assert [item.first for item in after_key_pictures(often, probe_file(often), RATE, windows)] == [37, 85, 289]
    assert [item.first for item in after_key_pictures(once, probe_file(once), RATE, windows)] == [1, 90, 190]


def test_pools() -> None:
    pooled = pool_scores([float(score) for score in range(1, 101)], 2.0)
    assert (pooled.mean, pooled.percentile_5, pooled.pictures, pooled.cpu_s) == (50.5, 5.0, 100, 2.0)
    assert pooled.harmonic_mean < pooled.mean
    assert pool_scores([0.0, 0.0], 0.0).harmonic_mean == 0


def test_pictures_are_compared_with_themselves_wherever_a_window_is(master: Path, tmp_path: Path) -> None:
    """A window that was off by one picture would score low: everything moves."""
    windows = (Window(first=3, count=6), Window(first=41, count=6), Window(first=88, count=12))
    good = encode(master, tmp_path / "good.mp4", "-crf", "10")
    bad = encode(master, tmp_path / "bad.mp4", "-crf", "45")
    small = encode(master, tmp_path / "small.mp4", "-crf", "10", "-vf", "scale=160:90")
    best, worst, soft = measure_quality(
        reference(master, *windows), [good, bad, small], tmp_path, held=windows, with_xpsnr=True
    )
    assert 100 > best.xpsnr_db > soft.xpsnr_db
    assert best.xpsnr_db > worst.xpsnr_db + 5
    assert best.mean > 95 > soft.mean > 20
    assert worst.mean < best.mean - 10
    assert best.pictures == 24
    assert best.percentile_5 <= best.mean
    assert best.cpu_s > 0
    late = tuple(Window(first=window.first + 1, count=window.count - 1) for window in windows)
    early = tuple(Window(first=window.first, count=window.count - 1) for window in windows)
    [off] = measure_quality(reference(master, *late), [good], tmp_path, held=early)
    assert off.mean < best.mean - 10
    assert off.xpsnr_db is None


def test_some_pictures_tell_for_all(master: Path, tmp_path: Path) -> None:
    file = encode(master, tmp_path / "film.mp4", "-crf", "30")
    [every] = measure_quality(reference(master, Window(first=0, count=100)), [file], tmp_path)
    [some] = measure_quality(reference(master, Window(first=0, count=100)), [file], tmp_path, every=4)
    assert some.pictures == 25
    assert some.mean == pytest.approx(every.mean, abs=1.5)


def test_a_rendition_that_lacks_pictures_is_not_measured(master: Path, tmp_path: Path) -> None:
    short = encode(master, tmp_path / "short.mp4", "-t", "1")
    with pytest.raises(QualityUnmeasured, match="25 pictures where 50"):
        measure_quality(reference(master, Window(first=0, count=50)), [short], tmp_path)


def test_a_search_finds_the_same_falling_curve_every_time(master: Path, tmp_path: Path) -> None:
    report = probe_file(master)
    (tmp_path / "first").mkdir()
    (tmp_path / "second").mkdir()
    first = probe_qualities(master, report, SETTINGS, tmp_path / "first")
    second = probe_qualities(master, report, SETTINGS, tmp_path / "second")
    assert first.points == second.points
    assert first.cpu_s > 0
    assert [(item.width, item.crf) for item in first.points] == [(320, 18.0), (320, 26.0), (320, 34.0)]
    [curve] = fit_curves(first.points)
    assert curve.at_crf(20).vmaf > curve.at_crf(28).vmaf > curve.at_crf(36).vmaf
    assert curve.at_crf(20).bitrate_bps > curve.at_crf(28).bitrate_bps > curve.at_crf(36).bitrate_bps


def test_few_sizes_are_probed_with_the_largest_and_the_smallest() -> None:
    assert probed_sizes(3840, 2160)[0] == (3840, 2160)
    assert probed_sizes(3840, 2160)[-1] == (426, 240)
    assert len(probed_sizes(3840, 2160)) == PROBED_SIZES
    assert probed_sizes(320, 180) == [(320, 180)]


def test_another_encoder_setting_is_another_search() -> None:
    assert search_id(SETTINGS) == search_id(MediaSettings(preset="ultrafast", threads=1, max_rungs=2))
    assert search_id(SETTINGS) != search_id(MediaSettings(preset="fast", threads=1))
