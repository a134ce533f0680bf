"""The checker against a real package, and against that package with one fault at a time planted in it."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
import shutil
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from orchestration.media import TitleWork, check, ingest_master
from orchestration.media.check import check_package
from orchestration.media.objects import MediaObject, PackageRecord, media_prefix
from orchestration.media.process import run_program
from orchestration.media.programs import find_ffmpeg
from orchestration.media.protection import ContentKeys
from orchestration.media.settings import MediaSettings
from orchestration.media.title_package import draw_title_storyboard, package_title
from orchestration.store import LocalStore

RUNG = "240p"
NOW = dt.datetime(2026, 9, 1, tzinfo=dt.UTC)


@dataclass(kw_only=True)
class Package:
    """A package whose files and record can be changed together, as a writer with a fault would."""

    store: LocalStore
    record: PackageRecord

    def key(self, name: str, rung: str = RUNG) -> str:
        """The key of a manifest by its name, or of a rung's file."""
        if name.endswith((".m3u8", ".mpd")):
            return f"p/{self.record.package_id}/{name}"
        rendition = next(item for item in self.record.renditions if item.rung == rung)
        return f"r/{rendition.rendition_id}/{name}"

    def read(self, key: str) -> bytes:
        return self.store.read_bytes(media_prefix(self.record.title_id) + key)

    def write(self, key: str, content: bytes) -> None:
        """Change a file, and its entry in the record with it."""
        path = self.store.local_path(media_prefix(self.record.title_id) + key)
        path.unlink()  # a hard link of the original must not change with it
        path.write_bytes(content)
        self.relist(key, size_bytes=len(content), sha256=hashlib.sha256(content).hexdigest())

    def relist(self, key: str, **changes: object) -> None:
        objects = [
            msgspec.structs.replace(item, **changes) if item.key == key else item for item in self.record.objects
        ]
        self.record = msgspec.structs.replace(self.record, objects=objects)

    def unlist(self, key: str) -> None:
        kept = [item for item in self.record.objects if item.key != key]
        assert len(kept) == len(self.record.objects) - 1
        self.record = msgspec.structs.replace(self.record, objects=kept)

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace the first match of a pattern in a manifest."""
        text = self.read(self.key(name)).decode()
        changed, count = re.subn(old, new, text, count=1, flags=re.DOTALL)
        assert count == 1
        assert changed != text
        self.write(self.key(name), changed.encode())

    def patch(self, name: str, change: Callable[[bytearray], None]) -> None:
        """Change bytes of a media file of the rung."""
        content = bytearray(self.read(self.key(name)))
        change(content)
        self.write(self.key(name), bytes(content))

    def rules(self) -> set[str]:
        return {finding.rule for finding in check_package(self.store, self.record)}


def make_package(root: Path, seconds: int, **choices: object) -> Package:
    """A real package: two rungs, sound, captions and a storyboard."""
    master, captions = root / "film.mkv", root / "captions.srt"
    captions.write_text("1\n00:00:00,500 --> 00:00:02,000\nA line\n")
    command = [
        find_ffmpeg(), "-v", "error", "-y", "-f", "lavfi", "-i", f"testsrc2=s=640x360:r=25:d={seconds}",
        "-f", "lavfi", "-i", f"sine=d={seconds}:r=44100", "-i", str(captions), "-map", "0", "-map", "1", "-map", "2",
        "-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac", "-c:s", "srt", str(master),
    ]  # fmt: skip
    run_program(command, timeout_s=60)
    store = LocalStore(root / "store")
    settings = MediaSettings(
        ladder="fixed", preset="superfast", max_rungs=2, threads=1, quality_frames=0, keyframe_interval_s=2.0, **choices
    )
    work = TitleWork(
        store=store,
        title_id="film",
        master=lambda: master,
        settings=settings,
        work_folder=root / "work",
        keys=ContentKeys("a secret of this test"),
    )
    packaged = ingest_master(work, root / "quarantine", lambda: NOW)
    if settings.protection == "none":
        draw_title_storyboard(work)
        packaged = package_title(work, lambda: NOW)
    return Package(store=store, record=packaged.record)


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Package:
    return make_package(tmp_path_factory.mktemp("clear"), 10)


@pytest.fixture(scope="module")
def clean_protected(tmp_path_factory: pytest.TempPathFactory) -> Package:
    return make_package(tmp_path_factory.mktemp("protected"), 5, protection="cbcs", hls_aes_128=True)


@pytest.fixture
def package(clean: Package, tmp_path: Path) -> Package:
    shutil.copytree(clean.store.root / "media", tmp_path / "media")
    return Package(store=LocalStore(tmp_path), record=clean.record)


@pytest.fixture
def protected(clean_protected: Package, tmp_path: Path) -> Package:
    shutil.copytree(clean_protected.store.root / "media", tmp_path / "media")
    return Package(store=LocalStore(tmp_path), record=clean_protected.record)


def test_a_clean_package_has_no_findings(clean: Package) -> None:
    assert check_package(clean.store, clean.record) == []


def test_a_clean_protected_package_has_no_findings(clean_protected: Package) -> None:
    assert check_package(clean_protected.store, clean_protected.record) == []
    methods = {
        name: clean_protected.read(clean_protected.key(name)).decode() for name in ("240p.m3u8", "240p-aes-128.m3u8")
    }
    assert "METHOD=SAMPLE-AES," in methods["240p.m3u8"]
    assert "METHOD=AES-128," in methods["240p-aes-128.m3u8"]


# Each fault changes as little as the writer's mistake would change; the names say what is wrong.


def wrong_codecs(package: Package) -> None:
    package.edit("master.m3u8", r'CODECS="avc1\.\w+,', 'CODECS="avc1.640028,')


def codecs_without_sound(package: Package) -> None:
    package.edit("master.m3u8", r'(CODECS="avc1\.\w+),mp4a\.40\.2"', r'\1"')


def no_codecs(package: Package) -> None:
    package.edit("master.m3u8", r'CODECS="[^"]+",', "")


def wrong_resolution(package: Package) -> None:
    package.edit("master.m3u8", "RESOLUTION=640x360", "RESOLUTION=640x362")


def wrong_frame_rate(package: Package) -> None:
    package.edit("master.m3u8", r"FRAME-RATE=25\.000", "FRAME-RATE=24.000")


def declare(package: Package, before: str, share: float, name: str = "master.m3u8") -> None:
    """Another number than the one that follows a pattern in a manifest."""
    text = package.read(package.key(name)).decode()
    found = re.search(rf"{before}(\d+)", text)
    assert found is not None
    said = str(int(int(found[1]) * share))
    package.write(package.key(name), (text[: found.start(1)] + said + text[found.end(1) :]).encode())


def bandwidth_below_the_peak(package: Package) -> None:
    declare(package, "#EXT-X-STREAM-INF:BANDWIDTH=", 0.995)


def bandwidth_above_the_peak(package: Package) -> None:
    declare(package, "#EXT-X-STREAM-INF:BANDWIDTH=", 1.02)


def lying_average_bandwidth(package: Package) -> None:
    declare(package, r"#EXT-X-STREAM-INF:[^\n]*AVERAGE-BANDWIDTH=", 1.02)


def no_independent_segments(package: Package) -> None:
    package.edit("master.m3u8", "#EXT-X-INDEPENDENT-SEGMENTS\n", "")


def audio_group_of_another_name(package: Package) -> None:
    package.edit("master.m3u8", 'TYPE=AUDIO,GROUP-ID="[^"]+"', 'TYPE=AUDIO,GROUP-ID="sounds"')


def no_audio_group(package: Package) -> None:
    package.edit("master.m3u8", r"#EXT-X-MEDIA:TYPE=AUDIO[^\n]*\n", "")


def no_endlist(package: Package) -> None:
    package.edit(f"{RUNG}.m3u8", "#EXT-X-ENDLIST\n", "")


def not_vod(package: Package) -> None:
    package.edit(f"{RUNG}.m3u8", "PLAYLIST-TYPE:VOD", "PLAYLIST-TYPE:EVENT")


def no_map(package: Package) -> None:
    package.edit(f"{RUNG}.m3u8", r"#EXT-X-MAP[^\n]*\n", "")


def target_duration_too_short(package: Package) -> None:
    package.edit(f"{RUNG}.m3u8", "TARGETDURATION:4", "TARGETDURATION:3")


def wrong_segment_duration(package: Package) -> None:
    package.edit(f"{RUNG}.m3u8", r"#EXTINF:4\.000000", "#EXTINF:3.960000")


def playlist_names_no_object(package: Package) -> None:
    package.edit(f"{RUNG}.m3u8", "seg-00002", "seg-00009")


def no_keyframe_playlist(package: Package) -> None:
    package.edit("master.m3u8", rf'#EXT-X-I-FRAME-STREAM-INF[^\n]*URI="{RUNG}-iframes\.m3u8"\n', "")


def keyframe_range_off(package: Package) -> None:
    package.edit(f"{RUNG}-iframes.m3u8", r"BYTERANGE:(\d+)@\d+", r"BYTERANGE:\1@200")


def segment_without_a_keyframe_entry(package: Package) -> None:
    package.edit(f"{RUNG}-iframes.m3u8", r"#EXTINF:[^\n]*\n#EXT-X-BYTERANGE[^\n]*\n[^\n]*seg-00003\.m4s\n", "")


def drifted_tfdt(package: Package) -> None:
    def drift(content: bytearray) -> None:
        for found in re.finditer(b"tfdt", bytes(content)):
            wide = content[found.end()] == 1
            form, where = (">Q" if wide else ">I"), found.end() + 4
            moment = struct.unpack_from(form, content, where)[0]
            struct.pack_into(form, content, where, moment + 400)

    package.patch("seg-00002.m4s", drift)


def segment_starts_without_idr(package: Package) -> None:
    def turn_into_plain_slice(content: bytearray) -> None:
        position = content.index(b"mdat") + 4
        while content[position + 4] & 31 != 5:
            position += 4 + int.from_bytes(content[position : position + 4], "big")
        content[position + 4] = content[position + 4] & 0xE0 | 1

    package.patch("seg-00002.m4s", turn_into_plain_slice)


def first_sample_not_flagged_sync(package: Package) -> None:
    def unflag(content: bytearray) -> None:
        run = content.index(b"trun") + 4
        flags = int.from_bytes(content[run + 1 : run + 4], "big")
        if flags & 0x4:
            position = run + 12
        else:
            assert flags & 0x400
            position = run + 12 + 4 * bool(flags & 0x100) + 4 * bool(flags & 0x200)
        struct.pack_into(">I", content, position, 0x10000)

    package.patch("seg-00002.m4s", unflag)


def truncated_segment(package: Package) -> None:
    package.patch("seg-00002.m4s", lambda content: content.__delitem__(slice(-20, None)))


def garbage_in_the_init_segment(package: Package) -> None:
    package.patch("init.mp4", lambda content: struct.pack_into(">I", content, 0, 3))


def swapped_segments(package: Package) -> None:
    first, second = (package.read(package.key(f"seg-0000{number}.m4s")) for number in (1, 2))
    package.write(package.key("seg-00001.m4s"), second)
    package.write(package.key("seg-00002.m4s"), first)


def segment_of_another_rung(package: Package) -> None:
    """Equal cuts and times hide it from players until the picture breaks: only sizes tell, so the bit rates lie."""
    other = package.read(package.key("seg-00001.m4s", "360p"))
    package.write(package.key("seg-00001.m4s"), other)


def unequal_cuts(package: Package) -> None:
    """The second and third segment of one rung are one file."""
    second, third = (package.read(package.key(f"seg-0000{number}.m4s")) for number in (2, 3))
    package.write(package.key("seg-00002.m4s"), second + third)
    package.unlist(package.key("seg-00003.m4s"))
    package.edit(
        f"{RUNG}.m3u8",
        r"#EXTINF:4\.000000,[^#]*#EXT-X-BITRATE:\d+(\n[^\n]*seg-00002\.m4s\n).*#EXT",
        rf"#EXTINF:6.000000,\n#EXT-X-BITRATE:{round((len(second) + len(third)) * 8 / 6000)}\1#EXT",
    )
    package.edit(f"{RUNG}.m3u8", "TARGETDURATION:4", "TARGETDURATION:6")
    last = re.search(r"@(\d+)\n[^\n]*seg-00003", package.read(package.key(f"{RUNG}-iframes.m3u8")).decode())
    assert last is not None
    moved = int(last[1]) + len(second)
    package.edit(f"{RUNG}-iframes.m3u8", rf"@{last[1]}(\n[^\n]*)seg-00003", rf"@{moved}\1seg-00002")
    timeline = r'(<Representation id="240p".*?)<S t="0" d="(\d+)" r="1"/>\s*<S d="(\d+)"/>'
    found = re.search(timeline, package.read(package.key("manifest.mpd")).decode(), flags=re.DOTALL)
    assert found is not None
    rest = int(found[2]) + int(found[3])
    package.edit("manifest.mpd", timeline, rf'\1<S t="0" d="\2"/><S d="{rest}"/>')


def wrong_hash(package: Package) -> None:
    package.relist(package.key("seg-00002.m4s"), sha256="0" * 64)


def wrong_size(package: Package) -> None:
    package.relist(package.key("seg-00002.m4s"), size_bytes=1000)


def missing_init(package: Package) -> None:
    package.store.delete(media_prefix("film") + package.key("init.mp4"))


def missing_segment(package: Package) -> None:
    package.store.delete(media_prefix("film") + package.key("seg-00003.m4s"))


def object_that_nothing_names(package: Package) -> None:
    package.store.put_bytes(media_prefix("film") + "r/lost/seg-00001.m4s", b"lost")
    lost = MediaObject(
        key="r/lost/seg-00001.m4s",
        size_bytes=4,
        sha256=hashlib.sha256(b"lost").hexdigest(),
        rung="480p",
        segment_group=0,
    )
    package.record = msgspec.structs.replace(package.record, objects=[*package.record.objects, lost])


def record_with_a_lying_bit_rate(package: Package) -> None:
    first, *others = package.record.renditions
    lying = msgspec.structs.replace(first, bitrate_bps=first.bitrate_bps * 2)
    package.record = msgspec.structs.replace(package.record, renditions=[lying, *others])


def manifest_not_listed(package: Package) -> None:
    package.unlist(package.record.dash_key)


def mpd_with_wrong_codecs(package: Package) -> None:
    package.edit("manifest.mpd", r'codecs="avc1\.\w+"', 'codecs="avc1.640028"')


def mpd_with_wrong_resolution(package: Package) -> None:
    package.edit("manifest.mpd", r'height="360"', 'height="352"')


def mpd_with_wrong_frame_rate(package: Package) -> None:
    package.edit("manifest.mpd", r' frameRate="25"', ' frameRate="30"')


def mpd_with_lying_bandwidth(package: Package) -> None:
    package.edit("manifest.mpd", r'bandwidth="(\d+)"', r'bandwidth="1\1"')


def mpd_without_codecs(package: Package) -> None:
    package.edit("manifest.mpd", r' codecs="avc1\.\w+"', "")


def mpd_without_start_with_sap(package: Package) -> None:
    package.edit("manifest.mpd", ' startWithSAP="1"', "")


def mpd_without_alignment(package: Package) -> None:
    package.edit("manifest.mpd", ' segmentAlignment="true"', "")


def mpd_that_is_live(package: Package) -> None:
    package.edit("manifest.mpd", 'type="static"', 'type="dynamic"')


def mpd_cut_short(package: Package) -> None:
    package.edit("manifest.mpd", "</Period>.*", "")


def mpd_with_wrong_duration(package: Package) -> None:
    package.edit("manifest.mpd", r'mediaPresentationDuration="PT10', 'mediaPresentationDuration="PT12')


def mpd_with_a_timeline_gap(package: Package) -> None:
    package.edit("manifest.mpd", r'<S t="0" d="(\d+)" r="1"/>(\s*)<S d', r'<S t="0" d="\1" r="1"/>\2<S t="999999" d')


def mpd_with_another_timeline(package: Package) -> None:
    """Every segment half a second later than its tfdt says."""
    timescale = re.search(r'timescale="(\d+)"', package.read(package.key("manifest.mpd")).decode())
    assert timescale is not None
    package.edit("manifest.mpd", r'<S t="0"', f'<S t="{int(timescale[1]) // 2}"')


def mpd_that_counts_wrong(package: Package) -> None:
    package.edit("manifest.mpd", 'startNumber="1"', 'startNumber="2"')


def mpd_without_a_timeline(package: Package) -> None:
    package.edit("manifest.mpd", r"<SegmentTimeline>.*?</SegmentTimeline>", "")


def mpd_with_a_timescale_of_words(package: Package) -> None:
    package.edit("manifest.mpd", r'timescale="\d+"', 'timescale="many"')


def mpd_without_a_rung(package: Package) -> None:
    package.edit("manifest.mpd", rf'<Representation id="{RUNG}".*?</Representation>', "")


def mpd_that_calls_clear_media_encrypted(package: Package) -> None:
    protection = '<ContentProtection schemeIdUri="urn:mpeg:dash:mp4protection:2011" value="cenc"/>'
    package.edit("manifest.mpd", r"(<AdaptationSet[^>]*>)", rf"\1{protection}")


def no_caption_group(package: Package) -> None:
    package.edit("master.m3u8", r"#EXT-X-MEDIA:TYPE=SUBTITLES[^\n]*\n", "")


def captions_that_are_no_webvtt(package: Package) -> None:
    key = next(item.key for item in package.record.objects if item.key.endswith("text.vtt"))
    package.write(key, package.read(key).replace(b"WEBVTT", b"NO-VTT"))


def no_image_playlist(package: Package) -> None:
    package.edit("master.m3u8", 'URI="storyboard.m3u8"', 'URI="pictures.m3u8"')


def image_playlist_too_short(package: Package) -> None:
    package.edit("storyboard.m3u8", r"#EXTINF:[0-9.]+", "#EXTINF:5.0")


def image_track_without_a_picture(package: Package) -> None:
    key = package.key("storyboard.m3u8").replace(".m3u8", ".vtt")
    package.write(key, package.read(key).replace(b"storyboard-001.jpg", b"storyboard-002.jpg", 1))


def mpd_without_tiles(package: Package) -> None:
    package.edit("manifest.mpd", r"storyboard-\$", "pictures-$")


def no_hls_header(package: Package) -> None:
    package.edit("master.m3u8", "#EXTM3U", "#EXTINF")


def no_playlist_header(package: Package) -> None:
    package.edit(f"{RUNG}.m3u8", "#EXTM3U", "#EXT")


def master_names_no_playlist(package: Package) -> None:
    package.edit("master.m3u8", rf"\n{RUNG}\.m3u8", "\nnowhere.m3u8")


def master_without_variants(package: Package) -> None:
    package.edit("master.m3u8", r"#EXT-X-STREAM-INF.*(?=\n\n#EXT-X-I-FRAME)", "")


def playlist_without_segments(package: Package) -> None:
    package.edit(f"{RUNG}.m3u8", r"#EXTINF.*(?=#EXT-X-ENDLIST)", "")


def playlist_of_an_older_version(package: Package) -> None:
    package.edit(f"{RUNG}.m3u8", "EXT-X-VERSION:6", "EXT-X-VERSION:5")


def segment_with_a_lying_bit_rate(package: Package) -> None:
    package.edit(f"{RUNG}.m3u8", r"EXT-X-BITRATE:\d+", "EXT-X-BITRATE:7")


def keyframe_playlist_of_whole_segments(package: Package) -> None:
    package.edit(f"{RUNG}-iframes.m3u8", "#EXT-X-I-FRAMES-ONLY\n", "")


def keyframes_with_a_lying_bit_rate(package: Package) -> None:
    declare(package, r"#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=", 1.02)


def keyframes_with_a_lying_average(package: Package) -> None:
    declare(package, r"#EXT-X-I-FRAME-STREAM-INF:[^\n]*AVERAGE-BANDWIDTH=", 0.98)


def keyframes_with_wrong_codecs(package: Package) -> None:
    package.edit("master.m3u8", r'(#EXT-X-I-FRAME-STREAM-INF:[^\n]*CODECS=")avc1', r"\1hvc1")


def keyframes_with_wrong_resolution(package: Package) -> None:
    package.edit("master.m3u8", r"(#EXT-X-I-FRAME-STREAM-INF:[^\n]*RESOLUTION=)\d+", r"\g<1>99")


def keyframes_without_codecs(package: Package) -> None:
    package.edit("master.m3u8", r'(#EXT-X-I-FRAME-STREAM-INF:[^\n]*),CODECS="[^"]*"', r"\1")


def keyframe_playlist_too_long(package: Package) -> None:
    package.edit(f"{RUNG}-iframes.m3u8", r"#EXTINF:[0-9.]+", "#EXTINF:2.4")


def sound_playlist_too_short(package: Package) -> None:
    package.edit("audio-und.m3u8", r"#EXTINF(?:(?!#EXTINF).)*(?=#EXT-X-ENDLIST)", "")


def hdr_declared(package: Package) -> None:
    package.edit("master.m3u8", r"(#EXT-X-STREAM-INF:[^\n]*VIDEO-RANGE=)SDR", r"\1PQ")


def sound_without_a_name(package: Package) -> None:
    package.edit("master.m3u8", r'(TYPE=AUDIO[^\n]*),NAME="[^"]*"', r"\1")


def captions_named_twice(package: Package) -> None:
    package.edit("master.m3u8", r"(#EXT-X-MEDIA:TYPE=SUBTITLES[^\n]*\n)", r"\1\1")


def two_default_sounds(package: Package) -> None:
    package.edit("master.m3u8", r'(#EXT-X-MEDIA:TYPE=AUDIO[^\n]*NAME=")([^\n]*\n)', r"\1\2\1another \2")


def default_sound_that_is_not_selected(package: Package) -> None:
    package.edit("master.m3u8", r"(TYPE=AUDIO[^\n]*)AUTOSELECT=YES([^\n]*DEFAULT=YES)", r"\1AUTOSELECT=NO\2")


def mpd_with_sound_too_short(package: Package) -> None:
    package.edit("manifest.mpd", r'(contentType="audio".*?)\s*<S [^>]*/>(\s*</SegmentTimeline>)', r"\1\2")


def mpd_with_captions_of_a_lying_bit_rate(package: Package) -> None:
    declare(package, r'<Representation id="text-[^"]*" bandwidth="', 3, name="manifest.mpd")


def record_with_a_rendition_without_segments(package: Package) -> None:
    gone = package.record.renditions[0].rendition_id
    for item in package.record.objects:
        if item.rendition_id == gone:
            package.relist(item.key, rendition_id="another")


def mpd_with_tiles_of_another_size(package: Package) -> None:
    package.edit("manifest.mpd", r'(<Representation id="storyboard"[^>]* width=")\d+', r"\g<1>10")


def mpd_without_a_grid(package: Package) -> None:
    package.edit("manifest.mpd", r"<EssentialProperty[^>]*/>", "")


def tiles_of_another_size(package: Package) -> None:
    package.edit("storyboard.m3u8", r"TILES:RESOLUTION=\d+", "TILES:RESOLUTION=10")


def tiles_that_last_half_as_long(package: Package) -> None:
    package.edit("storyboard.m3u8", r",DURATION=2", ",DURATION=1")


def tiles_without_a_layout(package: Package) -> None:
    package.edit("storyboard.m3u8", r",LAYOUT=\w+", "")


def storyboard_with_a_lying_bit_rate(package: Package) -> None:
    declare(package, r"#EXT-X-IMAGE-STREAM-INF:BANDWIDTH=", 1.02)


def mpd_with_a_storyboard_of_a_lying_bit_rate(package: Package) -> None:
    declare(package, r'<Representation id="storyboard" bandwidth="', 0.98, name="manifest.mpd")


def edit_track(package: Package, old: bytes, new: bytes) -> None:
    key = package.key("storyboard.m3u8").replace(".m3u8", ".vtt")
    text = package.read(key)
    assert text.count(old) == 1
    package.write(key, text.replace(old, new))


def image_track_with_a_gap(package: Package) -> None:
    edit_track(package, b"00:00:02.000 --> ", b"00:00:02.500 --> ")


def image_track_that_ends_early(package: Package) -> None:
    edit_track(package, b"--> 00:00:10.000", b"--> 00:00:09.000")


def image_track_outside_its_sheet(package: Package) -> None:
    edit_track(package, b"#xywh=640,", b"#xywh=700,")


def image_track_with_one_place_twice(package: Package) -> None:
    edit_track(package, b"#xywh=640,", b"#xywh=480,")


def poster_cut_short(package: Package) -> None:
    key = package.record.poster_key
    assert key is not None
    package.write(key, package.read(key)[:-100])


def poster_not_listed(package: Package) -> None:
    assert package.record.poster_key is not None
    package.unlist(package.record.poster_key)


def no_content_protection(package: Package) -> None:
    package.edit("manifest.mpd", r'<ContentProtection schemeIdUri="urn:mpeg:dash:mp4protection:2011"[^>]*/>', "")


def content_protection_of_the_other_scheme(package: Package) -> None:
    package.edit("manifest.mpd", r'(mp4protection:2011" value=)"cbcs"', r'\1"cenc"')


def wrong_default_kid(package: Package) -> None:
    package.edit("manifest.mpd", r'default_KID="[0-9a-f]{8}', 'default_KID="00000000')


def no_pssh(package: Package) -> None:
    """Neither in the MPD nor in the init segment: the box is turned into free space."""
    package.edit("manifest.mpd", r"<cenc:pssh>[^<]*</cenc:pssh>", "")

    def free(content: bytearray) -> None:
        while b"pssh" in content:
            position = content.index(b"pssh")
            content[position : position + 4] = b"free"

    for rung in ("240p", "360p"):
        content = bytearray(package.read(package.key("init.mp4", rung)))
        free(content)
        package.write(package.key("init.mp4", rung), bytes(content))


def edit_everywhere(package: Package, old: str, new: str) -> None:
    """The same fault in every playlist that knows of it."""
    for item in package.record.objects:
        if item.key.endswith(".m3u8"):
            text = package.read(item.key).decode()
            if (changed := re.sub(old, new, text)) != text:
                package.write(item.key, changed.encode())


def key_in_the_open(package: Package) -> None:
    edit_everywhere(package, "org.w3.clearkey", "identity")


def keys_of_another_id(package: Package) -> None:
    edit_everywhere(package, r"KEYID=0x\w{8}", "KEYID=0x00000000")


def key_data_without_the_id(package: Package) -> None:
    edit_everywhere(package, r'base64,[^"]*(",KEYID=\w+,KEYFORMAT="org.w3)', r"base64,AAAA\1")


def no_session_key(package: Package) -> None:
    package.edit("master.m3u8", r"#EXT-X-SESSION-KEY[^\n]*\n", "")


def pssh_of_other_keys(package: Package) -> None:
    """The box of the init segment lists key ids that open nothing here."""

    def change(content: bytearray) -> None:
        start = content.index(b"pssh") + 28
        content[start : start + 32] = bytes(32)

    package.patch("init.mp4", change)


def playlist_without_its_key(package: Package) -> None:
    package.edit(f"{RUNG}.m3u8", r"(#EXT-X-KEY[^\n]*\n)+", "")


def playlist_without_one_of_its_systems(package: Package) -> None:
    package.edit(f"{RUNG}.m3u8", r"#EXT-X-KEY[^\n]*\n", "")


def key_without_an_address(package: Package) -> None:
    package.edit(f"{RUNG}-aes-128.m3u8", r',URI="[^"]*"', "")


def aes_segment_cut_within_a_block(package: Package) -> None:
    text = package.read(package.key(f"{RUNG}-aes-128.m3u8")).decode()
    found = re.search(r"\.\./\.\./(r/\w+/seg-00001\.\w+)", text)
    assert found is not None
    package.write(found[1], package.read(found[1])[:-7])


PROTECTION_FAULTS: list[tuple[Callable[[Package], None], set[str]]] = [
    (no_content_protection, {"content-protection"}),
    (content_protection_of_the_other_scheme, {"content-protection"}),
    (wrong_default_kid, {"default-kid"}),
    (no_pssh, {"pssh"}),
    (playlist_without_its_key, {"key"}),
    (key_without_an_address, {"key"}),
    (key_in_the_open, {"key-format"}),
    (keys_of_another_id, {"key-id"}),
    (key_data_without_the_id, {"key-id"}),
    (no_session_key, {"session-key"}),
    (playlist_without_one_of_its_systems, {"key-systems"}),
    (pssh_of_other_keys, {"pssh-kid"}),
    (aes_segment_cut_within_a_block, {"aes-padding"}),
]

FAULTS: list[tuple[Callable[[Package], None], set[str]]] = [
    (wrong_codecs, {"codecs"}),
    (codecs_without_sound, {"codecs"}),
    (no_codecs, {"variant-attributes"}),
    (wrong_resolution, {"resolution"}),
    (wrong_frame_rate, {"frame-rate"}),
    (bandwidth_below_the_peak, {"bandwidth"}),
    (bandwidth_above_the_peak, {"bandwidth"}),
    (lying_average_bandwidth, {"average-bandwidth"}),
    (no_independent_segments, {"independent-segments"}),
    (audio_group_of_another_name, {"audio-group"}),
    (no_audio_group, {"audio-group"}),
    (no_endlist, {"endlist"}),
    (not_vod, {"playlist-type"}),
    (no_map, {"map"}),
    (target_duration_too_short, {"target-duration"}),
    (wrong_segment_duration, {"extinf"}),
    (playlist_names_no_object, {"segment-listed"}),
    (no_keyframe_playlist, {"iframe-playlist"}),
    (keyframe_range_off, {"iframe-range"}),
    (segment_without_a_keyframe_entry, {"key-frames"}),
    (drifted_tfdt, {"tfdt"}),
    (segment_starts_without_idr, {"idr"}),
    (first_sample_not_flagged_sync, {"sync-sample"}),
    (truncated_segment, {"segment-boxes"}),
    (garbage_in_the_init_segment, {"init-boxes"}),
    (swapped_segments, {"tfdt"}),
    (segment_of_another_rung, {"bandwidth", "average-bandwidth", "mpd-bandwidth", "iframe-range", "segment-bitrate"}),
    (unequal_cuts, {"same-cuts", "mpd-same-cuts"}),
    (wrong_hash, {"object-hash"}),
    (wrong_size, {"object-size"}),
    (missing_init, {"object-exists"}),
    (missing_segment, {"object-exists"}),
    (object_that_nothing_names, {"unused"}),
    (record_with_a_lying_bit_rate, {"record-rates"}),
    (manifest_not_listed, {"manifest-listed"}),
    (mpd_with_wrong_codecs, {"mpd-codecs"}),
    (mpd_with_wrong_resolution, {"mpd-resolution"}),
    (mpd_with_wrong_frame_rate, {"mpd-frame-rate"}),
    (mpd_with_lying_bandwidth, {"mpd-bandwidth"}),
    (mpd_without_codecs, {"mpd-attributes"}),
    (mpd_without_start_with_sap, {"start-with-sap"}),
    (mpd_without_alignment, {"segment-alignment"}),
    (mpd_that_is_live, {"mpd-type"}),
    (mpd_cut_short, {"mpd"}),
    (mpd_with_wrong_duration, {"mpd-duration"}),
    (mpd_with_a_timeline_gap, {"timeline-gap"}),
    (mpd_with_another_timeline, {"mpd-timeline"}),
    (mpd_that_counts_wrong, {"mpd-segments"}),
    (mpd_without_a_timeline, {"mpd-template"}),
    (mpd_with_a_timescale_of_words, {"mpd-number"}),
    (mpd_without_a_rung, {"same-renditions"}),
    (mpd_that_calls_clear_media_encrypted, {"content-protection"}),
    (no_caption_group, {"subtitles-group"}),
    (captions_that_are_no_webvtt, {"webvtt"}),
    (no_image_playlist, {"image-playlist"}),
    (image_playlist_too_short, {"image-playlist"}),
    (image_track_without_a_picture, {"image-track"}),
    (mpd_without_tiles, {"image-tiles"}),
    (mpd_without_a_grid, {"image-tiles"}),
    (mpd_with_tiles_of_another_size, {"image-size"}),
    (mpd_with_a_storyboard_of_a_lying_bit_rate, {"image-bandwidth"}),
    (tiles_of_another_size, {"image-size"}),
    (tiles_that_last_half_as_long, {"image-tiles"}),
    (tiles_without_a_layout, {"image-tiles"}),
    (storyboard_with_a_lying_bit_rate, {"image-bandwidth"}),
    (image_track_with_a_gap, {"image-track"}),
    (image_track_that_ends_early, {"image-track"}),
    (image_track_outside_its_sheet, {"image-track"}),
    (image_track_with_one_place_twice, {"image-track"}),
    (poster_cut_short, {"picture"}),
    (poster_not_listed, {"poster"}),
    (no_hls_header, {"hls-header"}),
    (no_playlist_header, {"playlist-syntax"}),
    (master_names_no_playlist, {"playlist-listed"}),
    (master_without_variants, {"variants"}),
    (playlist_without_segments, {"segments"}),
    (playlist_of_an_older_version, {"version"}),
    (segment_with_a_lying_bit_rate, {"segment-bitrate"}),
    (keyframe_playlist_of_whole_segments, {"iframes-only"}),
    (keyframes_with_a_lying_bit_rate, {"iframe-bandwidth"}),
    (keyframes_with_a_lying_average, {"iframe-average-bandwidth"}),
    (keyframes_with_wrong_codecs, {"codecs"}),
    (keyframes_with_wrong_resolution, {"resolution"}),
    (keyframes_without_codecs, {"variant-attributes"}),
    (keyframe_playlist_too_long, {"duration"}),
    (sound_playlist_too_short, {"duration"}),
    (hdr_declared, {"video-range"}),
    (sound_without_a_name, {"media-attributes"}),
    (captions_named_twice, {"media-name"}),
    (two_default_sounds, {"media-default"}),
    (default_sound_that_is_not_selected, {"media-default"}),
    (mpd_with_sound_too_short, {"representation-duration"}),
    (mpd_with_captions_of_a_lying_bit_rate, {"mpd-bandwidth"}),
    (record_with_a_rendition_without_segments, {"record-segments"}),
]


@pytest.mark.parametrize(("plant", "rules"), FAULTS, ids=[plant.__name__ for plant, _ in FAULTS])
def test_a_fault_is_found_by_its_own_rule_alone(
    package: Package, plant: Callable[[Package], None], rules: set[str]
) -> None:
    plant(package)
    assert {finding.rule for finding in check_package(package.store, package.record)} == rules


def test_every_rule_has_a_fault() -> None:
    folder = Path(check.__file__).parent
    named = {
        rule
        for file in folder.glob("*.py")
        for rule in re.findall(r'error\(\s*"([^"]+)"', file.read_text(encoding="utf-8"))
    }
    assert named
    assert named <= {rule for _, rules in [*FAULTS, *PROTECTION_FAULTS] for rule in rules}


@pytest.mark.parametrize(("plant", "rules"), PROTECTION_FAULTS, ids=[plant.__name__ for plant, _ in PROTECTION_FAULTS])
def test_a_fault_of_encryption_is_found_by_its_own_rule_alone(
    protected: Package, plant: Callable[[Package], None], rules: set[str]
) -> None:
    plant(protected)
    assert protected.rules() == rules
