from __future__ import annotations

import struct
from pathlib import Path

import pytest

from orchestration.media.captions import CaptionSet, decode_text, make_captions
from orchestration.media.probe import probe_file
from orchestration.media.process import run_program
from orchestration.media.programs import find_ffmpeg
from orchestration.media.renditions import read_rendition, rendition_key
from orchestration.media.sidecars import find_sidecars
from orchestration.store import LocalStore

SRT = "1\n00:00:00,500 --> 00:00:01,500\n{}\n"
ASS = (
    "[Script Info]\nScriptType: v4.00+\n\n[V4+ Styles]\nFormat: Name, Fontname, Fontsize\nStyle: Default,Arial,20\n\n"
    "[Events]\nFormat: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"
    "Dialogue: 0,0:00:00.50,0:00:01.50,Default,,0,0,0,,{\\an8}Hej {\\i1}du{\\i0}\\Når\n"
)
TTML = '<tt xmlns="http://www.w3.org/ns/ttml"><body><p begin="0.5s" end="1.5s">Bonjour</p></body></tt>'


@pytest.fixture(scope="module")
def silent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A master of two seconds with two text tracks: English, and forced Swedish."""
    folder = tmp_path_factory.mktemp("captions")
    for language in ("eng", "swe"):
        (folder / f"{language}.srt").write_text(SRT.format(f"embedded {language}"))
    command = [
        find_ffmpeg(), "-v", "error", "-y", "-f", "lavfi", "-i", "color=s=64x36:r=25:d=2",
        "-i", str(folder / "eng.srt"), "-i", str(folder / "swe.srt"), "-map", "0", "-map", "1", "-map", "2",
        "-c:v", "libx264", "-c:s", "srt", "-metadata:s:s:0", "language=eng", "-metadata:s:s:1", "language=swe",
        "-disposition:s:1", "forced", str(folder / "with.mkv"),
    ]  # fmt: skip
    run_program(command, timeout_s=60)
    return folder / "with.mkv"


def make(master: Path, folder: Path) -> tuple[CaptionSet, dict[str, str]]:
    """Captions, and the text of each by rung."""
    store = LocalStore(folder / "store")
    (folder / "work").mkdir()
    made = make_captions(
        master, probe_file(master), find_sidecars(master).captions, 2.0, folder / "work", store, "film"
    )
    texts = {}
    for record in made.records:
        rendition_id = record.rendition.rendition_id
        assert read_rendition(store, "film", rendition_id) == record
        content = store.read_bytes(rendition_key("film", rendition_id, "text.vtt"))
        assert len(content) == record.size_bytes
        texts[record.rendition.rung] = content.decode()
    return made, texts


def beside(master: Path, folder: Path, **files: str | bytes) -> Path:
    """A copy of a master with sidecars; ``en_sdh_srt`` stands for ``film.en.sdh.srt``."""
    copy = folder / "film.mkv"
    copy.write_bytes(master.read_bytes())
    for name, content in files.items():
        data = content.encode() if isinstance(content, str) else content
        (folder / f"film.{name.replace('_', '.')}").write_bytes(data)
    return copy


def test_text_tracks_of_the_master_become_webvtt(silent: Path, tmp_path: Path) -> None:
    made, texts = make(beside(silent, tmp_path), tmp_path)
    assert made.warnings == []
    assert texts["text-en"] == "WEBVTT\n\n00:00:00.500 --> 00:00:01.500\nembedded eng\n"
    assert [(item.rendition.rung, item.rendition.role, item.rendition.kind) for item in made.records] == [
        ("text-en", "subtitles", "text"),
        ("text-sv-forced", "forced", "text"),
    ]


def test_every_format_of_sidecar_is_read(silent: Path, tmp_path: Path) -> None:
    master = beside(silent, tmp_path, de_srt=SRT.format("Grüß"), da_vtt=f"WEBVTT\n\n{SRT.format('Hej')}",
                    nb_sdh_ass=ASS, fr_ttml=TTML)  # fmt: skip
    made, texts = make(master, tmp_path)
    assert made.warnings == []
    assert "Grüß" in texts["text-de"]
    assert "Hej" in texts["text-da"]
    assert "Hej <i>du</i>\når" in texts["text-nb-sdh"]
    assert "Bonjour" in texts["text-fr"]
    assert {item.rendition.name for item in made.records} == {"de", "da", "nb (SDH)", "fr", "en", "sv (forced)"}


def test_a_sidecar_replaces_the_track_it_corrects(silent: Path, tmp_path: Path) -> None:
    made, texts = make(beside(silent, tmp_path, en_srt=SRT.format("corrected")), tmp_path)
    assert "corrected" in texts["text-en"]
    assert sorted(texts) == ["text-en", "text-sv-forced"]
    assert made.warnings == ["subtitle track 1 (eng) is replaced by film.en.srt"]


@pytest.mark.parametrize(
    ("name", "content", "said", "rungs"),
    [
        ("de_srt", SRT.format("Grüß").encode("cp1252"), "is Windows-1252 (Latin-1), guessed", 1),
        ("de_srt", SRT.format("Grüß").encode("utf-16"), "is UTF-16, not UTF-8", 1),
        ("de_srt", b"", "there is no caption in it", 0),
        ("de_ttml", b"<tt", "it is no XML", 0),
        ("de_ass", b"\x00\x01\x02 no script", "film.de.ass", 0),
        ("srt", SRT.format("Hm"), "names no language", 1),
        ("de_srt", SRT.format("a") + "\n2\n00:01:00,000 --> 00:01:01,000\nlate\n", "1 of 2 captions begin after", 1),
    ],
)
def test_a_bad_sidecar_is_told_and_stops_nothing(
    silent: Path, tmp_path: Path, name: str, content: str | bytes, said: str, rungs: int
) -> None:
    made, texts = make(beside(silent, tmp_path, **{name: content}), tmp_path)
    assert any(said in warning for warning in made.warnings), made.warnings
    assert len(texts) == 2 + rungs
    assert not any("\ufffd" in text for text in texts.values())


def test_ids_follow_the_text(silent: Path, tmp_path: Path) -> None:
    ids = []
    for number, text in enumerate(("one", "one", "two")):
        folder = tmp_path / str(number)
        folder.mkdir()
        made, _ = make(beside(silent, folder, de_srt=SRT.format(text)), folder)
        ids.append(made.records[0].rendition.rendition_id)
    assert ids[0] == ids[1] != ids[2]


def test_a_bitmap_track_is_told_by_the_probe(tmp_path: Path) -> None:
    picture = struct.pack(">HHBHBBBB", 64, 36, 0x10, 0, 0x80, 0, 0, 0)  # a presentation of nothing (Blu-ray, PGS)
    for moment in (0, 90_000):
        with (tmp_path / "film.sup").open("ab") as file:
            file.write(b"PG" + struct.pack(">IIBH", moment, 0, 0x16, len(picture)) + picture)
            file.write(b"PG" + struct.pack(">IIBH", moment, 0, 0x80, 0))
    master = tmp_path / "film.mkv"
    command = [
        find_ffmpeg(), "-v", "error", "-y", "-f", "lavfi", "-i", "color=s=64x36:r=25:d=2",
        "-f", "sup", "-i", str(tmp_path / "film.sup"), "-map", "0", "-map", "1", "-c:v", "libx264", "-c:s", "copy",
        str(master),
    ]  # fmt: skip
    run_program(command, timeout_s=60)
    report = probe_file(master)
    assert report.verdict == "playable"
    assert report.text == []
    assert any("bitmap, which cannot be converted to text" in warning for warning in report.warnings)


def test_utf_16_without_a_mark_is_recognised() -> None:
    assert decode_text("hello there".encode("utf-16-le")) == ("hello there", "UTF-16 without a mark")
    assert decode_text("hello there".encode("utf-16-be")) == ("hello there", "UTF-16 without a mark")
    assert decode_text("hej då".encode()) == ("hej då", None)
