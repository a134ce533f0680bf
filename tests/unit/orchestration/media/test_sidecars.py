from __future__ import annotations

import datetime as dt
import os
from pathlib import Path

import pytest

from orchestration.media.description import TitleDescription, read_description
from orchestration.media.masters import masters_by_title
from orchestration.media.sidecars import find_sidecars, fingerprint, sidecars_by_master


def put(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).write_text("x")


def test_names_say_language_and_role(tmp_path: Path) -> None:
    put(tmp_path, "film.mp4", "film.srt", "film.eng.sdh.srt", "film.pt-BR.vtt", "film.sv.forced.ass", "film.hi.srt",
        "film.en.hi.ttml", "film.en.directors cut.srt", "film.toml", "film.nfo", "film2.srt", ".film.srt")  # fmt: skip
    found = find_sidecars(tmp_path / "film.mp4")
    assert {(file.path.name, file.language, file.role, file.label) for file in found.captions} == {
        ("film.srt", "und", "subtitles", ""),
        ("film.eng.sdh.srt", "en", "captions", ""),
        ("film.pt-BR.vtt", "pt-br", "subtitles", ""),
        ("film.sv.forced.ass", "sv", "forced", ""),
        ("film.hi.srt", "hi", "subtitles", ""),
        ("film.en.hi.ttml", "en", "captions", ""),
        ("film.en.directors cut.srt", "en", "subtitles", "directors cut"),
    }
    assert [path.name for path in found.descriptions] == ["film.toml"]


def test_a_name_that_is_no_utf_8_is_read_like_another(tmp_path: Path) -> None:
    put(tmp_path, "film.mp4", os.fsdecode(b"film.en.caf\xe9.srt"))
    found = find_sidecars(tmp_path / "film.mp4")
    assert [(file.language, file.label) for file in found.captions] == [("en", r"caf\xe9")]
    assert fingerprint(found)


def test_a_sidecar_belongs_to_the_longest_name_and_is_no_master(tmp_path: Path) -> None:
    put(tmp_path, "film.mp4", "film.en.mkv", "film.en.srt", "film.sv.srt", "film.json", "film.en.json")
    masters = masters_by_title(tmp_path)
    assert sorted(path.name for path in masters.values()) == ["film.en.mkv", "film.mp4"]
    found = sidecars_by_master(list(masters.values()))
    assert [path.name for path in found[tmp_path / "film.mp4"].paths] == ["film.json", "film.sv.srt"]
    assert [path.name for path in found[tmp_path / "film.en.mkv"].paths] == ["film.en.json", "film.en.srt"]
    assert all(find_sidecars(master) == found[master] for master in masters.values())


def test_a_fingerprint_follows_every_file(tmp_path: Path) -> None:
    put(tmp_path, "film.mp4")
    assert fingerprint(find_sidecars(tmp_path / "film.mp4")) == ""
    seen = set()
    for action in (
        lambda: put(tmp_path, "film.en.srt"),
        lambda: put(tmp_path, "film.toml"),
        lambda: os.utime(tmp_path / "film.toml", ns=(1, 1)),
        lambda: (tmp_path / "film.en.srt").unlink(),
    ):
        action()
        seen.add(fingerprint(find_sidecars(tmp_path / "film.mp4")))
    assert len(seen) == 4


def test_a_description_in_either_format(tmp_path: Path) -> None:
    toml, json = tmp_path / "film.toml", tmp_path / "film.json"
    toml.write_text('title = "Der Film"\ngenres = ["drama", "war"]\nmaturity_age = 12\nrelease_date = 2026-01-05\n')
    json.write_text(
        '{"name": "Der Film", "genres": ["drama", "war"], "maturity_age": 12, "release_date": "2026-01-05"}'
    )
    expected = TitleDescription(
        name="Der Film", genres=["drama", "war"], maturity_age=12, release_date=dt.date(2026, 1, 5)
    )
    assert read_description([toml]) == (expected, [])
    assert read_description([json]) == (expected, [])
    assert read_description([json, toml]) == (
        expected,
        ["film.toml is not read: film.json describes the title already"],
    )
    assert read_description([]) == (None, [])


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("film.toml", b"name = ", "film.toml is left out"),
        ("film.json", b"[1]", "no table of fields"),
        ("film.json", b"\xff\xfe{", "film.json is left out"),
        ("film.toml", b'name = "\xff"', "film.toml is left out"),
    ],
)
def test_a_description_that_cannot_be_read_is_told(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    description, warnings = read_description([tmp_path / name])
    assert description is None
    assert said in warnings[0]


def test_a_wrong_field_is_left_out_alone(tmp_path: Path) -> None:
    (tmp_path / "film.toml").write_text(
        'name = "Film"\nkind = "opera"\nmaturity_age = "old"\nstars = 5\ngenre = "war"\n'
        "licence_start = 2030-01-01\nlicence_end = 2029-01-01\n"
    )
    description, warnings = read_description([tmp_path / "film.toml"])
    assert description == TitleDescription(name="Film", genres=["war"])
    assert [warning.partition(": ")[2].split(" ")[0] for warning in warnings] == [
        "maturity_age", "stars", "kind", "the",
    ]  # fmt: skip
