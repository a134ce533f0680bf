from __future__ import annotations

import os
from pathlib import Path

import pytest

from orchestration.media import masters
from orchestration.media.errors import MasterMissing
from orchestration.media.masters import find_master, is_master, masters_by_title, readable, slug


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Über Land (2024)", "uber-land-2024"),
        ("tears_of_steel", "tears-of-steel"),
        ("x" * 90, "x" * 64),
        ("--a--", "a"),
    ],
)
def test_slug(name: str, expected: str) -> None:
    assert slug(name) == expected


def test_a_name_without_latin_letters_gets_an_id_of_its_own() -> None:
    assert slug("映画") != slug("電影")
    assert slug("映画").startswith("title-")


def test_a_name_that_is_no_utf_8_is_a_title_like_another(tmp_path: Path) -> None:
    for name in (b"caf\xe9.mp4", b"\xe9\xe8.mp4", b"film.mp4"):
        (tmp_path / os.fsdecode(name)).write_bytes(b"")
    titles = masters_by_title(tmp_path)
    assert {"caf", "film"} < set(titles)
    assert len(titles) == 3
    assert readable(titles["caf"].name) == r"caf\xe9.mp4"


def test_a_file_that_cannot_be_looked_into_is_left_to_its_own_probe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("locked", "film.mp4"):
        (tmp_path / name).write_bytes(b"")

    def refuse(path: Path) -> str | None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(masters, "sniff_container", refuse)
    assert sorted(masters_by_title(tmp_path)) == ["film", "locked"]


def test_only_masters_count(tmp_path: Path) -> None:
    for name in ("README.md", ".hidden.mp4", "film.mp4.part", "film.srt", "notes"):
        (tmp_path / name).write_text("text")
    (tmp_path / "text.mp4").write_text("text")
    (tmp_path / "container-without-extension").write_bytes(b"\x1a\x45\xdf\xa3" + bytes(100))
    (tmp_path / "folder.mp4").mkdir()
    assert {path.name for path in tmp_path.iterdir() if is_master(path)} == {"text.mp4", "container-without-extension"}


def test_colliding_names_get_ids_that_do_not_depend_on_each_other(tmp_path: Path) -> None:
    for name in ("my film.mp4", "My Film.mkv", "my-film.webm"):
        (tmp_path / name).write_bytes(b"")
    titles = masters_by_title(tmp_path)
    assert titles["my-film"].name == "My Film.mkv"
    assert len(titles) == 3
    (tmp_path / "My Film.mkv").unlink()
    later = masters_by_title(tmp_path)
    assert [title for title, path in titles.items() if path.name == "my-film.webm"] == [
        title for title, path in later.items() if path.name == "my-film.webm"
    ]


def test_the_file_that_a_title_was_made_of_keeps_it(tmp_path: Path) -> None:
    for name in ("film.avi", "film.mp4"):
        (tmp_path / name).write_bytes(b"")
    assert masters_by_title(tmp_path, holder=lambda _title: "film.mp4")["film"].name == "film.mp4"


def test_a_missing_master_is_named(tmp_path: Path) -> None:
    with pytest.raises(MasterMissing, match="no-such-film"):
        find_master(tmp_path, "no-such-film")
