from __future__ import annotations

from pathlib import Path

import av
import pytest

from orchestration.media.masters import is_master, slug
from orchestration.media.probe import probe_file
from orchestration.sample.masters import SAMPLE_MASTERS, generate_broken_master, generate_masters
from orchestration.store import file_sha256


@pytest.fixture(scope="module")
def masters(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return generate_masters(tmp_path_factory.mktemp("masters"), count=len(SAMPLE_MASTERS), duration_s=1)


def test_every_recipe_makes_a_film_with_sound(masters: list[Path]) -> None:
    for path in masters:
        report = probe_file(path)
        assert report.playable, (path.name, report.reasons)
        assert report.warnings == []
        assert report.decoded_duration_s >= 1


def test_no_film_is_of_one_colour(masters: list[Path]) -> None:
    for path in masters:
        with av.open(str(path)) as film:
            picture = next(film.decode(video=0)).to_ndarray(format="rgb24")
        assert picture.std(axis=(0, 1)).max() > 5, path.name


def test_the_films_differ(masters: list[Path]) -> None:
    reports = [probe_file(path) for path in masters]
    assert {report.video.frame_rate for report in reports} >= {"24", "25", "30", "30000/1001"}
    assert {report.audio[0].channels for report in reports} >= {1, 2, 6}
    assert any(report.video.height > report.video.width for report in reports)
    assert len({(report.video.width, report.video.height) for report in reports}) >= 5


def test_names_are_titles(masters: list[Path]) -> None:
    assert all(slug(path.stem) == path.stem for path in masters)


def test_what_is_there_is_left_alone(masters: list[Path]) -> None:
    before = {path: path.stat().st_mtime_ns for path in masters}
    generate_masters(masters[0].parent, count=len(SAMPLE_MASTERS), duration_s=1)
    assert {path: path.stat().st_mtime_ns for path in masters} == before
    assert sorted(masters[0].parent.iterdir()) == sorted(masters)


def test_the_same_film_every_time(tmp_path: Path, masters: list[Path]) -> None:
    [again] = generate_masters(tmp_path, count=1, duration_s=1)
    assert file_sha256(again) == file_sha256(masters[0])


def test_the_broken_master_goes_through_intake_and_is_refused(tmp_path: Path) -> None:
    path = generate_broken_master(tmp_path)
    assert is_master(path)
    assert not probe_file(path).playable


def test_more_masters_than_recipes_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="sample masters"):
        generate_masters(tmp_path, count=100)
