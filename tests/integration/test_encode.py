"""A master through the real ffmpeg and the real packager, and what comes out read as a player would."""

from __future__ import annotations

import datetime as dt
import hashlib
import shutil
from pathlib import Path

import av
import msgspec
import numpy as np
import pytest

from orchestration.media import pipeline
from orchestration.media.correction import TOLERANCE_VMAF
from orchestration.media.encode import encode_command, encode_rungs
from orchestration.media.errors import EncodeTruncated, MasterMissing, MasterRejected, PackagingError
from orchestration.media.handover import read_delivered, read_ladder
from orchestration.media.ladder import plan_ladder
from orchestration.media.objects import PackageRecord, media_prefix, package_record_key
from orchestration.media.probe import probe_file
from orchestration.media.process import run_program
from orchestration.media.programs import find_ffmpeg
from orchestration.media.publish import read_current_package
from orchestration.media.quarantine import list_quarantine
from orchestration.media.renditions import rendition_key
from orchestration.media.settings import MediaSettings
from orchestration.media.title_encode import encode_title
from orchestration.media.title_package import PackagedTitle, draw_title_storyboard, package_title
from orchestration.media.title_work import TitleWork
from orchestration.media.verification import encode_title_to_target
from orchestration.store import LocalStore

SETTINGS = MediaSettings(ladder="fixed", preset="ultrafast", max_rungs=2, keyframe_interval_s=2.0)
NOW = dt.datetime(2026, 9, 1, tzinfo=dt.UTC)


def make_film(path: Path, *arguments: str, picture: str = "testsrc2=s=640x360:r=30000/1001:d=10") -> Path:
    command = [
        find_ffmpeg(), "-v", "error", "-y", "-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", "sine=d=10:r=44100",
        "-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac", *arguments, str(path),
    ]  # fmt: skip
    run_program(command, timeout_s=600)
    return path


class Room:
    """A store and the folders that the steps need."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.store = LocalStore(root / "store")

    def work(self, title_id: str, master: Path, settings: MediaSettings = SETTINGS) -> TitleWork:
        return TitleWork(
            store=self.store,
            title_id=title_id,
            master=lambda: master,
            settings=settings,
            work_folder=self.root / "work",
        )

    def ingest(self, title_id: str, master: Path, settings: MediaSettings = SETTINGS) -> PackagedTitle:
        return pipeline.ingest_master(self.work(title_id, master, settings), self.root / "quarantine", lambda: NOW)

    def play(self, record: PackageRecord, manifest: str | None = None) -> Path:
        return self.store.local_path(media_prefix(record.title_id) + (manifest or record.hls_key))


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Room:
    return Room(tmp_path_factory.mktemp("room"))


@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_film(tmp_path_factory.mktemp("masters") / "film.mp4", "-metadata:s:a:0", "language=deu")


@pytest.fixture(scope="module")
def packaged(room: Room, master: Path) -> PackagedTitle:
    return room.ingest("film", master)


def read_video(path: Path) -> tuple[int, float, list[float]]:
    """Pictures, where the last one ends, and the times of key frames, of what a playlist plays."""
    times, key_times = [], []
    with av.open(str(path), options={"allowed_extensions": "ALL"}) as container:
        for frame in container.decode(video=0):
            times.append(frame.time)
            if frame.key_frame:
                key_times.append(frame.time)
    return len(times), max(times) + 1001 / 30000, key_times


def test_a_package_conforms_and_is_served(room: Room, packaged: PackagedTitle) -> None:
    assert packaged.findings == []
    assert packaged.published
    assert read_current_package(room.store, "film") == packaged.record
    assert [item.rung for item in packaged.record.renditions] == ["360p", "240p", "audio-de"]


def test_every_rung_plays_whole_and_is_cut_alike(room: Room, packaged: PackagedTitle) -> None:
    folder = room.play(packaged.record).parent
    starts = set()
    for rung in ("360p", "240p"):
        frames, end_s, key_times = read_video(folder / f"{rung}.m3u8")
        assert frames == 300
        assert end_s == pytest.approx(10.01, abs=0.01)
        starts.add(tuple(round(moment, 3) for moment in key_times))
    assert starts == {(0.0, 2.002, 4.004, 6.006, 8.008)}


def test_sound_is_stereo_and_as_long_as_the_picture(room: Room, packaged: PackagedTitle) -> None:
    with av.open(
        str(room.play(packaged.record).parent / "audio-de.m3u8"), options={"allowed_extensions": "ALL"}
    ) as sound:
        frames = list(sound.decode(audio=0))
    assert frames[0].layout.nb_channels == 2
    assert frames[0].sample_rate == 48000
    assert sum(frame.samples for frame in frames) / 48000 == pytest.approx(10.01, abs=0.06)


def test_the_record_lists_what_is_in_the_store(room: Room, packaged: PackagedTitle) -> None:
    for item in packaged.record.objects:
        content = room.store.read_bytes(media_prefix("film") + item.key)
        assert len(content) == item.size_bytes
        assert hashlib.sha256(content).hexdigest() == item.sha256
    groups = {
        (item.key.rpartition("/")[2], item.segment_group) for item in packaged.record.objects if item.rung == "360p"
    }
    assert groups == {("init.mp4", 0), ("seg-00001.m4s", 0), ("seg-00002.m4s", 0), ("seg-00003.m4s", 1)}


def test_a_second_run_encodes_nothing(room: Room, master: Path, packaged: PackagedTitle) -> None:
    again = encode_title(room.work("film", master))
    assert again.encoded == []
    assert again.result is None
    assert room.ingest("film", master).record == packaged.record


def test_an_interrupted_run_encodes_only_what_is_missing(room: Room, master: Path, packaged) -> None:
    lost = packaged.record.renditions[1]
    room.store.delete(rendition_key("film", lost.rendition_id, "rendition.json"))
    again = encode_title(room.work("film", master))
    assert again.encoded == [lost.rung]
    assert list((room.root / "work").iterdir()) == []


def test_a_richer_ladder_keeps_the_renditions_that_exist(room: Room, master: Path, packaged) -> None:
    other = Room(room.root / "richer")
    few = other.ingest("film", master, msgspec.structs.replace(SETTINGS, max_rungs=1)).record
    more = other.ingest("film", master).record
    assert {item.rendition_id for item in few.renditions} < {item.rendition_id for item in more.renditions}
    assert few.package_id != more.package_id
    assert read_current_package(other.store, "film") == more


def test_clear_output_is_the_same_on_every_run(room: Room, master: Path, packaged: PackagedTitle) -> None:
    twin = Room(room.root / "twin").ingest("film", master).record
    assert twin.package_id == packaged.record.package_id
    assert {(item.key, item.sha256) for item in twin.objects} == {
        (item.key, item.sha256) for item in packaged.record.objects
    }


def test_a_lost_segment_blocks_the_package(room: Room, master: Path, packaged: PackagedTitle) -> None:
    other = Room(room.root / "lossy")
    shutil.copytree(room.root / "store", other.root / "store")
    segment = next(item for item in packaged.record.objects if item.key.endswith("seg-00002.m4s"))
    other.store.delete(media_prefix("film") + segment.key)
    other.store.delete("media/film/CURRENT")
    again = package_title(other.work("film", master), lambda: NOW)
    assert [finding.rule for finding in again.findings] == ["object-exists"]
    assert not again.published
    assert not other.store.exists("media/film/CURRENT")


def test_ten_bit_silent_rotated_master_becomes_plain_upright_video(room: Room, tmp_path: Path) -> None:
    deep = make_film(tmp_path / "deep.mp4", "-an", "-pix_fmt", "yuv422p10le", picture="testsrc2=s=640x360:r=25:d=3")
    turned = tmp_path / "turned.mp4"
    run_program(
        [find_ffmpeg(), "-v", "error", "-display_rotation", "90", "-i", str(deep), "-c", "copy", str(turned)],
        timeout_s=30,
    )
    packaged = room.ingest("turned", turned)
    assert packaged.findings == []
    assert [item.kind for item in packaged.record.renditions] == ["video", "video"]
    assert "AUDIO" not in room.play(packaged.record).read_text()
    with av.open(str(room.play(packaged.record)), options={"allowed_extensions": "ALL"}) as container:
        frame = next(container.decode(video=0))
    assert (frame.width, frame.height, frame.format.name) == (360, 640, "yuv420p")


def luma_of(path: Path) -> np.ndarray:
    """Every picture's luma: pictures, rows, columns."""
    with av.open(str(path), options={"allowed_extensions": "ALL"}) as container:
        height = container.streams.video[0].height
        return np.array([frame.to_ndarray(format="gray")[:height].astype(float) for frame in container.decode(video=0)])


def combing(luma: np.ndarray) -> float:
    """Mean difference of neighbouring rows: of upright bars nothing, unless two moments stand in one picture."""
    return float(np.abs(np.diff(luma, axis=1)).mean())


@pytest.mark.parametrize("first_field", ["top", "bottom"])
def test_interlaced_master_gets_a_picture_per_field(room: Room, tmp_path: Path, first_field: str) -> None:
    period, step = 120, 8  # bars move by so many columns from field to field
    bars = f"nullsrc=s=480x288:r=50:d=2,geq=lum='if(lt(mod(X+{step}*N,{period}),{period // 2}),40,210)':cb=128:cr=128"
    interlace = {"top": "tinterlace=mode=interleave_top", "bottom": "tinterlace=mode=interleave_bottom"}[first_field]
    fields = make_film(
        tmp_path / "fields.ts", "-vf", interlace, "-flags", "+ilme+ildct", "-c:v", "mpeg2video", "-b:v", "8M",
        "-pix_fmt", "yuv420p", picture=bars,
    )  # fmt: skip
    record = room.ingest(f"fields-{first_field}", fields).record
    assert {item.frame_rate for item in record.renditions if item.kind == "video"} == {50.0}
    shown = luma_of(room.play(record))[:100]
    assert combing(luma_of(fields)) > 20
    assert combing(shown) < 2
    # Each field became a picture of its own moment: the bars move on evenly, neither back nor by jumps.
    wave = np.exp(2j * np.pi * np.arange(480) / period)
    moved = np.diff(np.unwrap(np.angle(shown.mean(axis=1) @ wave))) * period / (2 * np.pi)
    assert moved == pytest.approx(np.full(99, -step), abs=0.5)


def test_hdr_is_mapped_to_sdr(room: Room, tmp_path: Path) -> None:
    hdr = make_film(
        tmp_path / "hdr.mkv", "-an", "-pix_fmt", "yuv420p10le", "-color_trc", "smpte2084", "-color_primaries", "bt2020",
        "-colorspace", "bt2020nc", "-x264-params", "transfer=smpte2084:colorprim=bt2020:colormatrix=bt2020nc",
        picture="color=c=gray:s=320x180:r=25:d=1",
    )  # fmt: skip
    assert probe_file(hdr).video.transfer == "pq"
    record = room.ingest("hdr", hdr).record
    with av.open(str(room.play(record)), options={"allowed_extensions": "ALL"}) as container:
        frame = next(container.decode(video=0))
    assert frame.format.name == "yuv420p"
    assert frame.color_trc == 1  # BT.709
    with av.open(str(room.store.local_path(media_prefix("hdr") + record.poster_key))) as image:
        poster = next(image.decode(video=0))
    shown, drawn = (picture.to_ndarray(format="rgb24").mean() for picture in (frame, poster))
    assert drawn == pytest.approx(shown, abs=3)


def colour_of(path: Path, *, top_left: tuple[int, int] | None = None) -> tuple[float, float, float]:
    """Mean red, green and blue of a 4:2:0 file's first picture, or of its corner, as who heeds its tags shows it."""
    with av.open(str(path), options={"allowed_extensions": "ALL"}) as container:
        frame = next(container.decode(video=0))
    width, height = top_left or (frame.width, frame.height)
    planes = [np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size) for plane in frame.planes]
    luma = planes[0][:height, :width].mean()
    blue, red = (plane[: height // 2, : width // 2].mean() - 128 for plane in planes[1:])
    if frame.color_range != 2:  # limited range, ITU-T H.273
        luma, blue, red = (luma - 16) * 255 / 219, blue * 255 / 224, red * 255 / 224
    k_red, k_blue = {1: (0.2126, 0.0722), 5: (0.299, 0.114), 6: (0.299, 0.114)}[frame.colorspace]
    shown_red, shown_blue = luma + 2 * (1 - k_red) * red, luma + 2 * (1 - k_blue) * blue
    return shown_red, (luma - k_red * shown_red - k_blue * shown_blue) / (1 - k_red - k_blue), shown_blue


@pytest.mark.parametrize(
    ("matrix", "colour_range"), [("bt709", "tv"), ("bt709", "pc"), ("smpte170m", "tv")], ids=["709", "709-full", "601"]
)
def test_colours_of_a_master_are_those_of_its_rungs_and_pictures(
    room: Room, tmp_path: Path, matrix: str, colour_range: str
) -> None:
    """JPEG files have BT.601's matrix in full range, whatever the master has."""
    card = (
        f"color=c=0xC8283C:s=640x360:r=25:d=1,scale=out_color_matrix={matrix}:out_range={colour_range},format=yuv420p"
    )
    film = make_film(
        tmp_path / "card.mp4", "-an", "-crf", "5", "-colorspace", matrix, "-color_range", colour_range, picture=card
    )
    title_id = f"card-{matrix}-{colour_range}"
    record = room.ingest(title_id, film).record
    draw_title_storyboard(room.work(title_id, film))
    [sheet] = [key for key in room.store.keys(f"ingest/{title_id}") if key.endswith("storyboard-001.jpg")]
    shown = {
        "rung": colour_of(room.play(record)),
        "poster": colour_of(room.store.local_path(media_prefix(title_id) + record.poster_key)),
        "storyboard": colour_of(room.store.local_path(sheet), top_left=(160, 90)),
    }
    assert shown == {name: pytest.approx((0xC8, 0x28, 0x3C), abs=6) for name in shown}


@pytest.mark.parametrize(
    ("size", "matrix", "pixels"),
    [("1280x720", "bt709", "yuv420p"), ("640x360", "smpte170m", "yuv420p"), ("640x360", "gbr", "gbrp")],
    ids=["hd", "sd", "rgb"],
)
def test_untagged_and_rgb_masters_give_rungs_and_pictures_of_one_colour(
    room: Room, tmp_path: Path, size: str, matrix: str, pixels: str
) -> None:
    conversion = "" if pixels == "gbrp" else f"scale=out_color_matrix={matrix}:out_range=tv,"
    untagged = "setparams=colorspace=unknown:color_primaries=unknown:color_trc=unknown"
    film = make_film(
        tmp_path / "card.mkv", "-an", "-c:v", "ffv1",
        picture=f"color=c=0xC8283C:s={size}:r=25:d=1,{conversion}format={pixels},{untagged}",
    )  # fmt: skip
    title_id = f"card-{size}-{matrix}"
    record = room.ingest(title_id, film).record
    folder = record.hls_key.rpartition("/")[0]
    rungs = [item.rung for item in record.renditions if item.kind == "video"]
    assert len(rungs) > 1
    shown = {rung: colour_of(room.play(record, f"{folder}/{rung}.m3u8")) for rung in rungs}
    shown["poster"] = colour_of(room.store.local_path(media_prefix(title_id) + record.poster_key))
    assert shown == {name: pytest.approx((0xC8, 0x28, 0x3C), abs=6) for name in shown}


@pytest.mark.long
def test_a_2160p_master_is_served_at_2160p(room: Room, tmp_path: Path) -> None:
    """10 bits in, 8 out; the level says that a decoder needs more than for 1080p."""
    picture = "testsrc2=s=3840x2160:r=25:d=2"
    film = make_film(tmp_path / "ultra.mkv", "-pix_fmt", "yuv420p10le", "-t", "2", picture=picture)
    # x264's fastest preset would lower the profile.
    packaged = room.ingest("ultra", film, msgspec.structs.replace(SETTINGS, max_rungs=7, preset="superfast"))
    assert packaged.findings == []
    assert packaged.published
    codecs = {item.height: item.codecs for item in packaged.record.renditions if item.kind == "video"}
    assert list(codecs) == [2160, 1440, 1080, 720, 480, 360, 240]
    assert codecs[2160] == "avc1.640033"  # High, level 5.1: the lowest for 32,400 macroblocks (H.264, table A-1)
    assert int(codecs[1080][-2:], 16) <= 42
    playlist = room.play(packaged.record)
    lines = playlist.read_text().splitlines()
    [variant] = [line for line in lines if line.startswith("#EXT-X-STREAM-INF") and "RESOLUTION=3840x2160" in line]
    assert "avc1.640033" in variant
    with av.open(str(playlist.parent / "2160p.m3u8"), options={"allowed_extensions": "ALL"}) as container:
        frames = [(frame.width, frame.height) for frame in container.decode(video=0)]
    assert frames == [(3840, 2160)] * 50


def test_a_rung_of_another_codec_is_encoded_again_until_it_gives_what_it_aims_at(room: Room, tmp_path: Path) -> None:
    grain = "testsrc2=s=320x180:r=25:d=2,noise=alls=12:allf=t:all_seed=5"
    master = make_film(tmp_path / "grain.mp4", "-an", "-crf", "10", "-pix_fmt", "yuv420p", picture=grain)
    settings = MediaSettings(
        preset="ultrafast", hevc_preset="ultrafast", codecs=("h264", "hevc"), max_rungs=1, quality_frames=24
    )
    work = room.work("grain", master, settings)
    pipeline.probe_title(work, tmp_path / "quarantine", lambda: NOW)
    [_, planned] = pipeline.plan_title(work).video
    verified = encode_title_to_target(work)
    tries = [item for item in read_delivered(room.store, "grain") if item.rung == planned.rung == "240p-hevc"]
    assert abs(tries[0].vmaf - planned.target_vmaf) > TOLERANCE_VMAF
    assert abs(verified.delivered[-1].vmaf - planned.target_vmaf) <= TOLERANCE_VMAF
    assert verified.delivered[-1] == tries[-1]
    assert verified.ladder.video[-1].crf == tries[-1].crf != planned.crf
    assert tries[-1].bitrate_bps == verified.encodes[-1].records[1].rendition.bitrate_bps
    assert pipeline.plan_title(work) == read_ladder(room.store, "grain") == verified.ladder


def test_one_process_decodes_once_for_all_rungs(master: Path, tmp_path: Path) -> None:
    report = probe_file(master)
    ladder = plan_ladder(report, "a" * 64, SETTINGS)
    files = {rung.rendition_id: tmp_path / rung.rung for rung in [*ladder.video, *ladder.audio]}
    command = encode_command(master, report, ladder, SETTINGS, files)
    assert command.count("-i") == 1
    assert command.count("libx264") == 2


def test_an_encode_that_ends_early_is_an_error(master: Path, tmp_path: Path) -> None:
    """ffmpeg exits with 0 here: it encodes all there is, which is less than the probe saw."""
    report = probe_file(master)
    ladder = msgspec.structs.replace(plan_ladder(report, "a" * 64, SETTINGS), duration_s=20.0)
    short = msgspec.structs.replace(ladder, audio=[], video=ladder.video[-1:])
    longer = msgspec.structs.replace(report.video, duration_s=20.0)
    believed = msgspec.structs.replace(report, tracks=[longer])
    with pytest.raises(EncodeTruncated, match=r"holds 10\.\d+ s of 20\.00 s"):
        encode_rungs(master, believed, short, SETTINGS, tmp_path)


def test_a_refused_master_is_quarantined_and_leaves_what_is_served(room: Room, packaged, tmp_path: Path) -> None:
    (tmp_path / "film.mp4").write_text("not a film")
    with pytest.raises(MasterRejected, match="not a media container"):
        room.ingest("film", tmp_path / "film.mp4")
    [refusal] = list_quarantine(room.root / "quarantine")
    assert refusal.title_id == "film"
    assert "plain text" in refusal.reasons[0]
    assert "right file" in refusal.hints[0]
    assert read_current_package(room.store, "film") == packaged.record


def test_a_master_that_changed_after_its_probe_is_not_encoded(room: Room, master: Path, tmp_path: Path) -> None:
    other = Room(room.root / "changed")
    copy = tmp_path / "copy.mp4"
    copy.write_bytes(master.read_bytes())
    work = other.work("copy", copy)
    pipeline.probe_title(work, other.root / "quarantine", lambda: NOW)
    pipeline.plan_title(work)
    copy.write_bytes(master.read_bytes() + b"more")
    with pytest.raises(MasterMissing, match="changed after it was probed"):
        encode_title(work)


def test_steps_say_which_step_they_miss(room: Room, master: Path) -> None:
    other = Room(room.root / "steps")
    work = other.work("film", master)
    with pytest.raises(MasterMissing, match="materialise media/probe"):
        pipeline.plan_title(work)
    pipeline.probe_title(work, other.root / "quarantine", lambda: NOW)
    with pytest.raises(MasterMissing, match="materialise media/ladder"):
        read_ladder(other.store, "film")
    pipeline.plan_title(work)
    with pytest.raises(PackagingError, match="materialise media/renditions"):
        package_title(work, lambda: NOW)


def test_a_published_record_stands_where_the_contract_says(room: Room, packaged: PackagedTitle) -> None:
    record = packaged.record
    stored = room.store.read_bytes(package_record_key("film", record.package_id))
    assert msgspec.json.decode(stored, type=PackageRecord) == record
    assert record.hls_key == f"p/{record.package_id}/master.m3u8"
    assert record.poster_key == f"p/{record.package_id}/poster.jpg"
    assert room.store.read_bytes(media_prefix("film") + record.poster_key).startswith(b"\xff\xd8")
