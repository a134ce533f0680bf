"""Sound tracks, captions and descriptions of a master, all the way into a package, and deliveries that come again."""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import av
import msgspec
import pytest
from player_sdk.playlist import parse_manifest

from orchestration.media import pipeline
from orchestration.media.check import check_package
from orchestration.media.handover import ProbedMaster, described_titles, read_sidecars
from orchestration.media.loudness import measure_loudness
from orchestration.media.masters import masters_by_title
from orchestration.media.objects import PackageRecord, media_prefix
from orchestration.media.process import run_program
from orchestration.media.programs import find_ffmpeg
from orchestration.media.publish import read_current_package
from orchestration.media.retention import GRACE, sweep_media
from orchestration.media.settings import MediaSettings
from orchestration.media.sidecars import find_sidecars
from orchestration.media.title_encode import encode_title
from orchestration.media.title_package import PackagedTitle, package_title
from orchestration.media.title_work import TitleWork
from orchestration.store import LocalStore

SETTINGS = MediaSettings(ladder="fixed", preset="ultrafast", max_rungs=2, threads=1, codecs=("h264", "vp9"))
PLAIN = msgspec.structs.replace(SETTINGS, codecs=("h264",), max_rungs=1)
NOW = dt.datetime(2026, 9, 1, tzinfo=dt.UTC)
SRT = "1\n00:00:00,500 --> 00:00:01,500\n{}\n"
SIX = "|".join(f"0.1*sin(2*PI*{100 * number}*t)" for number in range(1, 7))


def make_master(path: Path, colour: str = "testsrc2") -> Path:
    """Three seconds with English 5.1, a commentary, German in mono, and English subtitles."""
    (path.parent / "inside.txt").write_text(SRT.format("inside"))
    command = [
        find_ffmpeg(), "-v", "error", "-y", "-f", "lavfi", "-i", f"{colour}=s=320x180:r=25:d=3",
        "-f", "lavfi", "-i", f"aevalsrc='{SIX}':c=5.1:s=48000:d=3", "-f", "lavfi", "-i", "sine=f=300:r=48000:d=3",
        "-f", "lavfi", "-i", "sine=f=600:r=44100:d=3", "-f", "srt", "-i", str(path.parent / "inside.txt"),
        *(word for number in range(5) for word in ("-map", str(number))),
        "-c:v", "libx264", "-preset", "ultrafast", "-c:a", "flac", "-c:s", "srt",
        "-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=eng", "-metadata:s:a:1", "title=The director",
        "-disposition:a:1", "comment", "-metadata:s:a:2", "language=deu", "-metadata:s:s:0", "language=eng", str(path),
    ]  # fmt: skip
    run_program(command, timeout_s=60)
    return path


class Room:
    """A store, a masters folder, and the steps on them."""

    def __init__(self, root: Path, settings: MediaSettings = PLAIN) -> None:
        self.settings = settings
        self.root = root
        self.store = LocalStore(root / "store")
        self.masters = root / "masters"
        self.masters.mkdir(parents=True)

    def work(self, master: Path, title_id: str = "film") -> TitleWork:
        return TitleWork(
            store=self.store,
            title_id=title_id,
            master=lambda: master,
            settings=self.settings,
            work_folder=self.root / "work",
        )

    def probe(self, work: TitleWork) -> ProbedMaster:
        return pipeline.probe_title(work, self.root / "quarantine", lambda: NOW)

    def ingest(self, master: Path, title_id: str = "film", at: dt.datetime = NOW) -> PackagedTitle:
        return pipeline.ingest_master(self.work(master, title_id), self.root / "quarantine", lambda: at)

    def was_ingested(self, master: Path, title_id: str = "film") -> bool:
        return pipeline.was_ingested(self.store, title_id, master, find_sidecars(master), self.root / "quarantine")

    def text(self, record: PackageRecord, name: str) -> str:
        return self.store.read_bytes(f"media/{record.title_id}/p/{record.package_id}/{name}").decode()

    def video_ids(self, record: PackageRecord) -> set[str]:
        return {item.rendition_id for item in record.renditions if item.kind != "text"}


@pytest.fixture(scope="module")
def delivered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A delivery: a master with everything, sidecars beside it."""
    folder = tmp_path_factory.mktemp("delivered")
    make_master(folder / "film.mkv")
    (folder / "film.sv.srt").write_text(SRT.format("bredvid"))
    (folder / "film.toml").write_text('name = "Der Film"\ngenres = ["drama"]\n')
    return folder


@pytest.fixture(scope="module")
def room(delivered: Path, tmp_path_factory: pytest.TempPathFactory) -> Room:
    room = Room(tmp_path_factory.mktemp("room"), SETTINGS)
    shutil.copytree(delivered, room.masters, dirs_exist_ok=True)
    return room


@pytest.fixture(scope="module")
def packaged(room: Room) -> PackagedTitle:
    return room.ingest(room.masters / "film.mkv")


def test_every_track_is_in_the_package_and_it_conforms(packaged: PackagedTitle) -> None:
    assert packaged.findings == []
    assert packaged.published
    rungs = [item.rung for item in packaged.record.renditions if item.kind != "video"]
    assert rungs == [
        "audio-en", "audio-de", "audio-en-commentary", "audio-en-surround",
        "audio-en-opus", "audio-de-opus", "audio-en-commentary-opus", "text-sv", "text-en",
    ]  # fmt: skip


def test_every_rung_of_sound_is_at_minus_23_lufs(room: Room, packaged: PackagedTitle) -> None:
    folder = room.store.local_path(f"media/film/p/{packaged.record.package_id}")
    for item in packaged.record.renditions:
        if item.kind == "audio":
            rendition = folder.parents[1] / "r" / item.rendition_id
            whole = room.root / "whole.mp4"
            files = [rendition / "init.mp4", *sorted(rendition.glob("*.m4s"))]
            whole.write_bytes(b"".join(file.read_bytes() for file in files))
            measured = measure_loudness(whole, {"all": "[0:0]anull"}, timeout_s=60)["all"]
            assert measured.integrated_lufs == pytest.approx(-23, abs=0.5), item.rung
            with av.open(str(whole)) as container:
                channels = container.streams.audio[0].codec_context.channels
            assert channels == (6 if item.rung.endswith("-surround") else 2)


def test_hls_groups_hold_every_language_and_go_with_their_codecs(room: Room, packaged: PackagedTitle) -> None:
    lines = room.text(packaged.record, "master.m3u8").splitlines()
    media = [line for line in lines if line.startswith("#EXT-X-MEDIA")]
    members = {
        group: [line for line in media if f'GROUP-ID="{group}"' in line]
        for group in ("audio", "audio-surround", "audio-opus", "text")
    }
    assert {group: len(found) for group, found in members.items()} == {
        "audio": 3, "audio-surround": 3, "audio-opus": 3, "text": 2,
    }  # fmt: skip
    assert 'CHANNELS="6"' in members["audio-surround"][0]
    assert 'CHANNELS="2"' in members["audio-surround"][1]
    assert [line.count("DEFAULT=YES") for line in members["audio"]] == [1, 0, 0]
    assert 'NAME="The director"' in members["audio"][2]
    variants = [line for line in lines if line.startswith("#EXT-X-STREAM-INF")]
    assert all('SUBTITLES="text"' in line for line in variants)
    for line in variants:
        assert ('AUDIO="audio-opus"' in line) == ("vp09" in line)
        assert ("opus" in line.partition("CODECS=")[2].partition(",RES")[0]) == ("vp09" in line)
    assert any("avc1" in line and 'AUDIO="audio-surround"' in line for line in variants)


def test_captions_are_one_file_in_both_manifests(room: Room, packaged: PackagedTitle) -> None:
    record = packaged.record
    playlist = room.text(record, "text-sv.m3u8")
    swedish = next(item for item in record.renditions if item.rung == "text-sv")
    uri = f"../../r/{swedish.rendition_id}/text.vtt"
    assert playlist.count("#EXTINF:3.0") == 1
    assert uri in playlist.splitlines()
    names = {"mpd": "urn:mpeg:dash:schema:mpd:2011"}
    sets = ElementTree.fromstring(room.text(record, "manifest.mpd")).findall(".//mpd:AdaptationSet", names)
    text = {item.get("lang"): item for item in sets if item.get("contentType") == "text"}
    assert text["sv"].findtext("mpd:Representation/mpd:BaseURL", namespaces=names) == uri
    files = [item for item in record.objects if item.rendition_id == swedish.rendition_id]
    assert [(item.key, item.segment_group) for item in files] == [(f"r/{swedish.rendition_id}/text.vtt", 0)]
    assert "bredvid" in room.store.read_bytes(media_prefix("film") + files[0].key).decode()


def test_our_player_reads_both_manifests(room: Room, packaged: PackagedTitle) -> None:
    for name in ("master.m3u8", "manifest.mpd"):
        presentation = parse_manifest(room.text(packaged.record, name), f"http://edge/{name}")
        assert {track.height for track in presentation.video} == {180}
        assert presentation.audio[0].rung == "audio-en"


def test_the_description_is_taken_for_the_catalogue(room: Room, packaged: PackagedTitle) -> None:
    assert {title_id: said.name for title_id, said in described_titles(room.store).items()} == {"film": "Der Film"}


def test_a_changed_sidecar_makes_a_new_package_without_an_encode(delivered: Path, tmp_path: Path) -> None:
    room = Room(tmp_path)
    shutil.copytree(delivered, room.masters, dirs_exist_ok=True)
    master = room.masters / "film.mkv"
    before = room.ingest(master).record
    assert room.was_ingested(master)
    (room.masters / "film.sv.srt").write_text(SRT.format("rättad"))
    (room.masters / "film.toml").write_text("name = ")
    assert not room.was_ingested(master)
    after = room.ingest(master).record
    assert room.was_ingested(master)
    assert after.package_id != before.package_id
    assert room.video_ids(after) == room.video_ids(before)
    again = encode_title(room.work(master))
    assert again.encoded == []
    assert "film.toml is left out" in read_sidecars(room.store, "film").warnings[0]
    for path in ("film.sv.srt", "film.toml"):
        (room.masters / path).unlink()
    assert not room.was_ingested(master)
    assert [item.rung for item in room.ingest(master).record.renditions if item.kind == "text"] == ["text-en"]
    [taken] = [key for key in room.store.keys("ingest/film") if key.endswith("sidecars.json")]
    room.store.put_bytes(taken, b"{broken", replace=True)
    assert not room.was_ingested(master)
    room.ingest(master)
    assert room.was_ingested(master)


def test_a_probe_that_says_less_than_is_asked_today_is_made_anew(delivered: Path, tmp_path: Path) -> None:
    room = Room(tmp_path)
    shutil.copytree(delivered, room.masters, dirs_exist_ok=True)
    master = room.masters / "film.mkv"
    room.ingest(master)
    [probe] = [key for key in room.store.keys("ingest/film") if key.endswith("/probe.json")]
    known = room.store.read_bytes(probe)
    older = json.loads(known)
    del next(track for track in older["report"]["tracks"] if track["kind"] == "video")["colours"]
    room.store.put_bytes(probe, json.dumps(older).encode(), replace=True)
    assert not room.was_ingested(master)
    room.ingest(master)
    assert room.was_ingested(master)
    assert room.store.read_bytes(probe) == known


def test_the_same_bytes_delivered_again_encode_nothing(delivered: Path, tmp_path: Path) -> None:
    room = Room(tmp_path)
    shutil.copytree(delivered, room.masters, dirs_exist_ok=True)
    master = room.masters / "film.mkv"
    before = room.ingest(master).record
    os.utime(master, ns=(1, 1))  # the upload ran again
    assert not room.was_ingested(master)
    probed = room.probe(room.work(master))
    assert (probed.delivered_before, probed.twin_title_id) == ("film.mkv", "")
    assert room.ingest(master).record == before
    renamed = master.rename(room.masters / "film.mov")
    assert masters_by_title(room.masters) == {"film": renamed}
    assert room.ingest(renamed).record == before


def test_the_same_bytes_under_another_title_are_linked_and_not_encoded(delivered: Path, tmp_path: Path) -> None:
    room = Room(tmp_path)
    shutil.copytree(delivered, room.masters, dirs_exist_ok=True)
    first = room.ingest(room.masters / "film.mkv").record
    copy = Path(shutil.copy(room.masters / "film.mkv", room.masters / "other.mkv"))
    work = room.work(copy, "other")
    assert room.probe(work).twin_title_id == "film"
    pipeline.plan_title(work)
    assert encode_title(work).encoded == []
    second = room.ingest(copy, "other")
    assert second.published
    assert room.video_ids(second.record) == room.video_ids(first)
    segment = next(item.key for item in first.objects if item.key.endswith("seg-00001.m4s"))
    linked = [room.store.local_path(media_prefix(title_id) + segment) for title_id in ("film", "other")]
    assert linked[0].samefile(linked[1])


def test_a_changed_master_is_served_only_once_it_is_complete(delivered: Path, tmp_path: Path) -> None:
    room = Room(tmp_path)
    shutil.copytree(delivered, room.masters, dirs_exist_ok=True)
    master = room.masters / "film.mkv"
    old = room.ingest(master).record
    make_master(master, colour="smptebars")
    assert not room.was_ingested(master)
    work = room.work(master)
    for step in (room.probe, pipeline.plan_title, encode_title, pipeline.take_sidecars, pipeline.draw_title):
        step(work)
        assert read_current_package(room.store, "film") == old
        assert not room.was_ingested(master)
        assert all(room.store.exists(media_prefix("film") + item.key) for item in old.objects)
    new = package_title(work, lambda: NOW + dt.timedelta(days=1)).record
    assert read_current_package(room.store, "film") == new
    assert room.video_ids(new).isdisjoint(room.video_ids(old))
    assert msgspec.json.encode(new) != msgspec.json.encode(old)

    make_master(master, colour="rgbtestsrc")
    newest = room.ingest(master, at=NOW + dt.timedelta(days=2)).record
    swept = sweep_media(room.store, PLAIN, dt.datetime.now(dt.UTC) + 2 * GRACE)
    assert {name.partition("/")[2] for name in swept.renditions} >= room.video_ids(old)
    assert not room.video_ids(new) & {name.partition("/")[2] for name in swept.renditions}
    assert check_package(room.store, newest) == []
