"""A title grows while it is watched: first rung, all rungs, storyboard; each step a package, none of them edited."""

import dataclasses
import datetime as dt
import re

import av
import msgspec
import numpy as np
import pytest

from orchestration.media import pipeline, title_package
from orchestration.media.handover import read_ladder
from orchestration.media.objects import media_prefix, package_record_key
from orchestration.media.passthrough import can_pass
from orchestration.media.probe import probe_file
from orchestration.media.process import run_program
from orchestration.media.programs import find_ffmpeg
from orchestration.media.progressive import publish_first_rung
from orchestration.media.protection import ContentKeys
from orchestration.media.publish import read_current_package, share_title
from orchestration.media.settings import MediaSettings
from orchestration.media.sidecars import find_sidecars
from orchestration.media.title_encode import encode_title
from orchestration.media.title_work import TitleWork
from orchestration.store import LocalStore

SETTINGS = MediaSettings(
    ladder="fixed",
    preset="ultrafast",
    max_rungs=2,
    threads=1,
    first_rung_from_s=5.0,
    quality_frames=0,
    keyframe_interval_s=2.0,
)
NOW = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
KEYS = ContentKeys("a secret of this test")


class Room:
    """One title on its way through the steps."""

    def __init__(self, root, master, settings=SETTINGS):
        self.root, self.file = root, master
        self.store = LocalStore(root / "store")
        self.work = TitleWork(
            store=self.store,
            title_id="film",
            master=lambda: master,
            settings=settings,
            work_folder=root / "work",
            keys=KEYS,
        )

    def probe(self):
        pipeline.probe_title(self.work, self.root / "quarantine", lambda: NOW)

    def first_rung(self):
        return publish_first_rung(self.work, lambda: NOW)

    def encode_and_package(self):
        pipeline.plan_title(self.work)
        encoded = encode_title(self.work)
        pipeline.draw_title(self.work)
        return encoded, self.package()

    def package(self):
        return title_package.package_title(self.work, lambda: NOW)

    def storyboard(self):
        return title_package.draw_title_storyboard(self.work)

    def package_storyboard(self):
        return title_package.package_storyboard(self.work, lambda: NOW)

    def served(self):
        return read_current_package(self.store, "film")

    def contents(self, record):
        return {item.key: self.store.read_bytes(media_prefix("film") + item.key) for item in record.objects}

    def ingested(self):
        return pipeline.was_ingested(self.store, "film", self.file, find_sidecars(self.file), self.root / "quarantine")


def make_film(path, *arguments, duration_s=6):
    command = [
        find_ffmpeg(), "-v", "error", "-f", "lavfi", "-i", f"testsrc2=s=640x360:r=25:d={duration_s}", "-f", "lavfi",
        "-i", f"sine=d={duration_s}:r=48000", "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p",
        *arguments, str(path),
    ]  # fmt: skip
    run_program(command, timeout_s=60)
    return path


@pytest.fixture(scope="module")
def master(tmp_path_factory):
    """One that must be encoded to be played everywhere."""
    return make_film(tmp_path_factory.mktemp("master") / "film.mkv")


@pytest.fixture(scope="module")
def grown(tmp_path_factory, master):
    """A title after all three packages: the room, and the record of each."""
    room = Room(tmp_path_factory.mktemp("room"), master)
    room.probe()
    first = room.first_rung()
    contents = room.contents(first.packaged.record)
    ingested_early = room.ingested()
    encoded, full = room.encode_and_package()
    room.storyboard()
    with_pictures = room.package_storyboard()
    return room, first, contents, ingested_early, encoded, full, with_pictures


def test_the_smallest_rung_is_served_first_and_is_not_the_end_of_it(grown):
    _, first, _, ingested_early, _, _, _ = grown
    assert first.packaged.findings == []
    assert first.packaged.published
    assert [item.rung for item in first.packaged.record.renditions] == ["240p-early", "audio-und"]
    assert not first.packaged.record.complete
    assert not ingested_early


def test_richer_rungs_join_and_the_sound_is_not_encoded_again(grown):
    """The first picture is no rung of the ladder: it was not scaled through the others, so its bytes are its own."""
    room, first, _, _, encoded, full, _ = grown
    assert encoded.encoded == ["360p", "240p"]
    assert [item.rung for item in full.record.renditions] == ["360p", "240p", "audio-und"]
    assert full.record.complete
    assert room.ingested()
    assert full.record.renditions[2:] == first.packaged.record.renditions[1:]
    early, smallest = first.packaged.record.renditions[0], full.record.renditions[1]
    assert (early.width, early.height) == (smallest.width, smallest.height)
    assert early.rendition_id != smallest.rendition_id


def test_a_session_that_plays_the_first_package_finds_every_byte_as_it_was(grown):
    room, first, contents, _, _, _, with_pictures = grown
    assert room.served() == with_pictures.record
    assert room.contents(first.packaged.record) == contents
    with av.open(
        str(room.store.local_path(media_prefix("film") + first.packaged.record.hls_key)),
        options={"allowed_extensions": "ALL", "extension_picky": "0"},
    ) as container:
        assert sum(1 for _ in container.decode(video=0)) == 150


def test_a_storyboard_joins_with_the_same_renditions(grown):
    room, _, _, _, _, full, with_pictures = grown
    assert with_pictures.findings == []
    assert with_pictures.published
    assert with_pictures.record.renditions == full.record.renditions
    assert with_pictures.record.package_id != full.record.package_id
    new = {item.key.rpartition("/")[2] for item in with_pictures.record.objects} - {
        item.key.rpartition("/")[2] for item in full.record.objects
    }
    assert new == {"storyboard-001.jpg", "storyboard.vtt", "storyboard.m3u8"}
    outside_the_prefix = {item.key.rpartition("/")[2] for item in with_pictures.record.objects if item.segment_group}
    assert {name for name in outside_the_prefix if not name.startswith("seg-")} == new
    folder = room.store.local_path(f"media/film/p/{with_pictures.record.package_id}")
    cues = re.findall(r"--> (\S+)\n(\S+)#xywh=(\d+),(\d+),(\d+),(\d+)", (folder / "storyboard.vtt").read_text())
    assert [cue[0] for cue in cues] == ["00:00:02.000", "00:00:04.000", "00:00:06.000"]
    with av.open(str(folder / "storyboard-001.jpg")) as image:
        sheet = next(image.decode(video=0))
    for _, file, *place in cues:
        x, y, width, height = map(int, place)
        assert file == "storyboard-001.jpg"
        assert x + width <= sheet.width
        assert y + height <= sheet.height
    assert room.storyboard() is None
    assert room.package().record == with_pictures.record


def test_first_rungs_that_turn_out_to_be_all_become_another_package(tmp_path, master):
    """So the record that was published, lent or placed on edges stays true of what it names."""
    room = Room(tmp_path, master, msgspec.structs.replace(SETTINGS, max_rungs=1))
    room.probe()
    pipeline.plan_title(room.work)
    encode_title(room.work)
    pipeline.draw_title(room.work)
    early = title_package.package_title(room.work, lambda: NOW, read_ladder(room.store, "film"))
    published = room.store.read_bytes(package_record_key("film", early.record.package_id))
    share_title(room.store, "film", "lent")
    full = room.package()
    assert (early.record.complete, full.record.complete) == (False, True)
    assert early.record.renditions == full.record.renditions
    assert room.served() == full.record
    assert room.store.read_bytes(package_record_key("film", early.record.package_id)) == published
    assert not read_current_package(room.store, "lent").complete
    share_title(room.store, "film", "lent")
    assert read_current_package(room.store, "lent").complete


def test_pictures_are_those_of_their_moments(tmp_path):
    """A film that is black for two seconds, then white, then black."""
    film = tmp_path / "blinks.mp4"
    command = [
        find_ffmpeg(), "-v", "error", "-f", "lavfi", "-i",
        "color=black:s=320x180:r=25:d=6,drawbox=c=white:t=fill:enable='between(t,2,3.999)'", "-c:v", "libx264",
        "-preset", "ultrafast", "-pix_fmt", "yuv420p", str(film),
    ]  # fmt: skip
    run_program(command, timeout_s=60)
    room = Room(tmp_path / "room", film, msgspec.structs.replace(SETTINGS, max_rungs=1))
    room.probe()
    room.encode_and_package()
    drawn = room.storyboard()
    assert (drawn.storyboard.columns, drawn.storyboard.rows, drawn.storyboard.tiles) == (3, 1, 3)
    sheet_key = next(key for key in room.store.keys("ingest/film/") if key.endswith("storyboard-001.jpg"))
    with av.open(str(room.store.local_path(sheet_key))) as image:
        sheet = next(image.decode(video=0)).to_ndarray(format="gray")
    width = drawn.storyboard.tile_width
    brightness = [int(sheet[:, number * width : (number + 1) * width].mean()) for number in range(3)]
    assert brightness[0] < 32
    assert brightness[1] > 220
    assert brightness[2] < 32


def test_the_storyboard_of_a_protected_title_is_drawn_with_its_key(tmp_path, master):
    room = Room(tmp_path, master, msgspec.structs.replace(SETTINGS, max_rungs=1, protection="cbcs"))
    room.probe()
    room.encode_and_package()
    room.storyboard()
    packaged = room.package_storyboard()
    assert packaged.findings == []
    assert any(item.key.endswith("storyboard.vtt") for item in packaged.record.objects)


def test_short_films_and_titles_that_are_served_get_no_early_package(tmp_path, master):
    room = Room(tmp_path, master, msgspec.structs.replace(SETTINGS, first_rung_from_s=60.0, max_rungs=1))
    room.probe()
    assert room.first_rung() is None
    _, packaged = room.encode_and_package()
    assert len(read_ladder(room.store, "film").video) == 1
    room.work = dataclasses.replace(room.work, settings=SETTINGS)
    assert room.first_rung() is None
    assert room.served() == packaged.record


def test_a_master_that_players_can_play_is_served_uncut_by_an_encoder(tmp_path):
    film = make_film(tmp_path / "film.mp4", "-g", "50", "-c:a", "aac", "-b:v", "900k", "-maxrate", "900k")
    room = Room(tmp_path / "room", film, msgspec.structs.replace(SETTINGS, max_rungs=1))
    room.probe()
    first = room.first_rung()
    assert first.packaged.findings == []
    assert first.packaged.published
    assert first.encode_cpu_s == 0.0
    assert [item.rung for item in first.packaged.record.renditions] == ["360p-master", "audio-und-master"]
    contents = room.contents(first.packaged.record)
    with av.open(
        str(room.store.local_path(media_prefix("film") + first.packaged.record.hls_key)),
        options={"allowed_extensions": "ALL", "extension_picky": "0"},
    ) as container:
        assert sum(1 for _ in container.decode(video=0)) == 150
    _, full = room.encode_and_package()
    assert [item.rung for item in full.record.renditions] == ["360p", "audio-und"]
    assert room.served() == full.record
    assert room.contents(first.packaged.record) == contents


def test_every_language_of_such_a_master_is_served_at_once(tmp_path):
    film = make_film(tmp_path / "one.mp4", "-g", "50", "-c:a", "aac", "-b:v", "900k", "-maxrate", "900k")
    master = tmp_path / "film.mp4"
    command = [
        find_ffmpeg(), "-v", "error", "-i", str(film), "-f", "lavfi", "-i", "sine=f=880:r=48000:d=6", "-map", "0:a",
        "-map", "0:v", "-map", "1:a", "-c:v", "copy", "-c:a", "aac", "-metadata:s:a:0", "language=eng",
        "-metadata:s:a:1", "language=swe", "-disposition:a:1", "default", "-disposition:a:0", "0", str(master),
    ]  # fmt: skip
    run_program(command, timeout_s=60)
    room = Room(tmp_path / "room", master, msgspec.structs.replace(SETTINGS, max_rungs=1))
    room.probe()
    first = room.first_rung()
    assert first.encode_cpu_s == 0.0
    assert first.packaged.findings == []
    kept = [(item.rung, item.language) for item in first.packaged.record.renditions]
    assert kept == [("360p-master", "und"), ("audio-sv-master", "sv"), ("audio-en-master", "en")]
    swedish, english = (item.rendition_id for item in first.packaged.record.renditions[1:])
    assert pitch_hz(room, swedish) == pytest.approx(880, abs=20)
    assert pitch_hz(room, english) != pytest.approx(880, abs=20)


def pitch_hz(room, rendition_id):
    """Of a pure tone: how often it crosses zero."""
    folder = room.store.local_path(media_prefix("film") + f"r/{rendition_id}")
    whole = room.root / f"{rendition_id}.mp4"
    whole.write_bytes(b"".join(file.read_bytes() for file in (folder / "init.mp4", *sorted(folder.glob("seg-*.m4s")))))
    with av.open(str(whole)) as container:
        samples = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])
        rate = container.streams.audio[0].rate
    return float(np.count_nonzero(np.diff(np.sign(samples))) / 2 / (len(samples) / rate))


def test_a_master_that_cannot_be_cut_well_gets_its_smallest_rung_encoded(tmp_path):
    """One key frame in eighteen seconds: a player could not start in between."""
    film = make_film(tmp_path / "film.mp4", "-g", "10000", "-b:v", "300k", "-sc_threshold", "0", duration_s=18)
    room = Room(tmp_path / "room", film)
    room.probe()
    first = room.first_rung()
    assert first.packaged.published
    assert [item.rung for item in first.packaged.record.renditions] == ["240p-early", "audio-und"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("-b:v", "30M", "-minrate", "30M"),
        ("-pix_fmt", "yuv420p10le"),
        ("-c:v", "mpeg2video"),
        ("-c:a", "mp3"),
    ],
)
def test_what_players_cannot_play_is_not_passed_on(tmp_path, arguments):
    assert not can_pass(probe_file(make_film(tmp_path / "film.mp4", *arguments)))
