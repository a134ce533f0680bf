"""Films that are encoded in chunks, by the real encoders: the same pictures, the same bytes, nothing twice."""

from __future__ import annotations

import datetime as dt
import fnmatch
import hashlib
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from fractions import Fraction
from pathlib import Path

import av
import ffmpeg
import msgspec
import pytest

from orchestration.media import chunk_encode, pipeline
from orchestration.media.check import check_package
from orchestration.media.chunk_encode import ChunkProgress
from orchestration.media.chunks import Chunk, ChunkPlan, write_plan
from orchestration.media.encode import EncodeResult, Span
from orchestration.media.errors import PackagingError, ProgramCancelled
from orchestration.media.handover import read_encode_cpu_s, read_ladder
from orchestration.media.objects import PackageRecord, media_prefix
from orchestration.media.picture import prepared_picture
from orchestration.media.probe import probe_file
from orchestration.media.process import run_program
from orchestration.media.programs import find_ffmpeg
from orchestration.media.settings import MediaSettings
from orchestration.media.shots import find_cuts
from orchestration.media.side_by_side import run_side_by_side
from orchestration.media.title_encode import EncodedTitle, encode_title, encode_title_chunk, find_chunks
from orchestration.media.title_package import package_title
from orchestration.media.title_work import TitleWork
from orchestration.store import LocalStore

NOW = dt.datetime(2026, 9, 1, tzinfo=dt.UTC)
SETTINGS = MediaSettings(
    ladder="fixed", preset="ultrafast", max_rungs=2, threads=1, quality_frames=0, extra_codec_rungs=1,
    keyframe_interval_s=2.0,
    hevc_preset="ultrafast", vp9_speed=6, av1_preset=10,
)  # fmt: skip
RATE = Fraction(30000, 1001)
STARTS = (0, 60, 180)
"""In pictures; key frames are 60 apart."""


def make_film(path: Path, *arguments: str, picture: str = "testsrc2=s=480x360:r=30000/1001:d=8") -> Path:
    command = [
        find_ffmpeg(), "-v", "error", "-y", "-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", "sine=d=8:r=48000",
        "-c:v", "libx264", "-preset", "veryfast", "-c:a", "aac", "-pix_fmt", "yuv420p", *arguments, str(path),
    ]  # fmt: skip
    run_program(command, timeout_s=60)
    return path


@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_film(tmp_path_factory.mktemp("masters") / "film.mp4")


class Room:
    """A store in which a title was probed and planned, in a few short chunks of each codec."""

    def __init__(
        self,
        root: Path,
        master: Path,
        settings: MediaSettings = SETTINGS,
        starts: tuple[int, ...] = STARTS,
        store: LocalStore | None = None,
    ) -> None:
        self.store = store or LocalStore(root / "store")
        self.work = TitleWork(
            store=self.store, title_id="film", master=lambda: master, settings=settings, work_folder=root / "work"
        )
        pipeline.probe_title(self.work, root / "quarantine", lambda: NOW)
        pipeline.plan_title(self.work)
        self.ladder = read_ladder(self.store, "film")
        spans = [Span(start=start, end=end) for start, end in zip(starts, (*starts[1:], None), strict=True)]
        codecs = dict.fromkeys(rung.codec for rung in self.ladder.video)
        together = [spans[:2], *([span] for span in spans[2:])]
        chunks = [
            Chunk(codec=codec, number=number, count=len(together), spans=stretches)
            for codec in codecs
            for number, stretches in enumerate(together, start=1)
        ]
        write_plan(self.store, "film", self.ladder, settings, ChunkPlan(chunks=chunks))

    def encode(self) -> EncodedTitle:
        return encode_title(self.work)

    def serve(self) -> PackageRecord:
        self.encode()
        pipeline.draw_title(self.work)
        packaged = package_title(self.work, lambda: NOW)
        assert packaged.findings == []
        assert packaged.published
        return packaged.record

    def encode_chunk(self, name: str) -> EncodeResult:
        result = encode_title_chunk(self.work, name)
        assert result is not None
        return result

    def find_chunks(self) -> list[str]:
        return [chunk.name for chunk in find_chunks(self.work)]

    def rendition_bytes(self) -> dict[str, str]:
        """sha256 by key of everything that is served of the renditions."""
        keys = [key for key in self.store.keys(media_prefix("film").rstrip("/")) if "/r/" in key]
        return {key: hashlib.sha256(self.store.read_bytes(key)).hexdigest() for key in keys}

    def leftovers(self) -> list[str]:
        return [key for key in self.store.keys("ingest/film") if "/chunks/" in key]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, master: Path) -> Room:
    room = Room(tmp_path_factory.mktemp("undisturbed"), master)
    room.encode()
    return room


def picture_hashes(master: Path, spans: list[Span]) -> list[str]:
    """The md5 of every picture of the prepared film, stretch by stretch."""
    report = probe_file(master)
    rate = report.video.rate * (2 if report.video.interlaced else 1)
    hashes = []
    for span in spans:
        seeking = {"ss": float(span.start / rate) - 1, "noaccurate_seek": None} if span.start else {}
        picture = prepared_picture(
            ffmpeg.input(str(master), **seeking),
            report,
            rate,
            report.video.start_s + report.video.duration_s,
            span.start,
            span.end,
        )
        command = picture.output("-", f="framemd5").global_args("-v", "error", "-copyts", "-start_at_zero")
        output = subprocess.run(ffmpeg.compile(command, cmd=find_ffmpeg()), capture_output=True, check=True, text=True)
        hashes += [line.split(",")[-1].strip() for line in output.stdout.splitlines() if not line.startswith("#")]
    return hashes


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("plain.mp4", ["-g", "50"]),
        ("open.mkv", ["-g", "47", "-x264-params", "open-gop=1", "-bf", "3"]),
        (
            "milliseconds.webm",
            ["-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-g", "70", "-c:a", "libopus"],
        ),
        ("late.mp4", ["-vf", "setpts=PTS+0.7/TB"]),
        ("variable.mkv", ["-vf", "select='not(eq(mod(n,7),3))'", "-fps_mode", "vfr"]),
        ("fields.mp4", ["-vf", "tinterlace=mode=4", "-flags", "+ilme+ildct", "-g", "40"]),
    ],
)
def test_chunks_hold_the_pictures_that_the_whole_film_has(tmp_path: Path, name: str, arguments: list[str]) -> None:
    film = make_film(tmp_path / name, *arguments)
    whole = picture_hashes(film, [Span()])
    spans = [Span(start=0, end=60), Span(start=60, end=121), Span(start=121, end=177), Span(start=177)]
    assert len(whole) > 200
    assert picture_hashes(film, spans) == whole


def test_chunks_become_one_film_cut_alike(undisturbed: Room) -> None:
    served = undisturbed.serve()
    for rung in undisturbed.ladder.video:
        manifest = undisturbed.store.local_path(media_prefix("film") + served.hls_key).with_name(f"{rung.rung}.m3u8")
        with av.open(str(manifest), options={"allowed_extensions": "ALL"}) as container:
            frames = [(frame.time, frame.key_frame) for frame in container.decode(video=0)]
        assert len(frames) == 240
        assert [moment for moment, _ in frames] == pytest.approx([float(n / RATE) for n in range(240)], abs=1e-3)
        assert [number for number, (_, is_key) in enumerate(frames) if is_key] == [0, 60, 120, 180]
    assert undisturbed.leftovers() == []
    assert list(undisturbed.work.work_folder.iterdir()) == []


def test_steps_on_several_hosts_share_nothing_but_the_store(undisturbed: Room, master: Path, tmp_path: Path) -> None:
    room = Room(tmp_path, master)
    assert room.find_chunks() == ["h264_0001", "h264_0002"]
    apart = [room.encode_chunk(name) for name in ("h264_0002", "h264_0001")]
    assert room.find_chunks() == []
    encoded = room.encode()
    assert encoded.encoded == ["360p", "240p", "audio-und"]
    assert encoded.result is not None
    assert encoded.result.cpu_s == pytest.approx(sum(result.cpu_s for result in apart))
    shares = read_encode_cpu_s(room.store, "film", room.ladder.source_sha256)
    assert shares == encoded.result.rung_cpu_s
    large, small = room.ladder.video
    pixels = [rung.width * rung.height for rung in (large, small)]
    assert shares[large.rendition_id] / shares[small.rendition_id] == pytest.approx(pixels[0] / pixels[1])
    assert 0 < sum(shares.values()) < encoded.result.cpu_s  # the rest is the sound's
    assert room.rendition_bytes() == undisturbed.rendition_bytes()


KILLED_RUNS = """
import os
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_chunks import run_to_be_killed
for moment in sys.stdin:
    child = os.fork()  # from a process that has imported all and has no thread yet
    if child == 0:
        run_to_be_killed(Path(sys.argv[2]), Path(sys.argv[3]), moment.strip())
        os._exit(0)
    print("ended by", os.WTERMSIG(os.waitpid(child, 0)[1]), flush=True)
"""


class DyingStore(LocalStore):
    """A store at which a process dies by SIGKILL: before it writes, or removes, the n-th object of a pattern."""

    def __init__(self, root: Path, moment: str) -> None:
        super().__init__(root)
        self._operation, self._pattern, number = moment.split()
        self._left = int(number)
        self._lock = threading.Lock()

    def put_file(self, key: str, source: Path, *, replace: bool = False) -> None:
        self._die_at("put", key)
        super().put_file(key, source, replace=replace)

    def put_bytes(self, key: str, content: bytes, *, replace: bool = False) -> None:
        self._die_at("put", key)
        super().put_bytes(key, content, replace=replace)

    def delete(self, key: str) -> None:
        self._die_at("delete", key)
        super().delete(key)

    def _die_at(self, operation: str, key: str) -> None:
        with self._lock:
            if operation == self._operation and fnmatch.fnmatch(key, self._pattern):
                self._left -= 1
                if self._left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)


def run_to_be_killed(root: Path, master: Path, moment: str) -> None:
    """The whole way of a title, in a process of its own; prints which stretch of which rung it starts to encode."""
    encode_rungs = chunk_encode.encode_rungs

    def told(*arguments, span, wanted, **options):
        for rung in wanted:
            os.write(1, f"{rung.rendition_id} {span.start}\n".encode())  # whole lines, of both stretches
        return encode_rungs(*arguments, span=span, wanted=wanted, **options)

    chunk_encode.encode_rungs = told
    if moment.startswith("encode"):
        threading.Thread(target=die_when_something_is_encoded, args=(root / "work",), daemon=True).start()
    Room(root, master, store=DyingStore(root / "store", moment)).serve()


def die_when_something_is_encoded(work_folder: Path) -> None:
    while not any(file.stat().st_size for file in work_folder.glob("*/*/*.mp4")):
        time.sleep(0.001)
    os.kill(os.getpid(), signal.SIGKILL)


def moments(undisturbed: Room, seed: int) -> list[str]:
    """One moment of each phase of a title, in order of time: what a process is about to do when it dies."""
    draw = random.Random(seed)
    texts = [key for key in undisturbed.store.keys("media/film/p") if not key.endswith(".jpg")]  # pictures are linked
    return [
        f"put ingest/film/* {draw.randint(1, 3)}",  # while it is probed and planned
        "encode * 1",  # in the first chunk, in the middle of a stretch
        f"put *.180-end.mp4 {draw.randint(1, 2)}",  # in the second chunk, when a rung or none of it is kept
        f"put media/film/r/* {draw.randint(1, len(undisturbed.rendition_bytes()))}",  # while renditions are cut
        f"delete *.mp4 {draw.randint(1, 7)}",  # while chunks that were cut are removed
        f"put ingest/film/*/artwork/* {draw.randint(2, 5)}",
        f"put media/film/p/* {draw.randint(1, len(texts))}",  # while it is packaged
    ]


def kept_stretches(store: LocalStore) -> set[tuple[str, int]]:
    """The rungs and stretches that need no encode any more: as a chunk, or in a complete rendition."""
    kept = set()
    for key in store.keys("media/film/r"):
        if key.endswith("/rendition.json"):
            kept |= {(key.split("/")[3], start) for start in STARTS}
    for key in store.keys("ingest/film"):
        if found := re.search(r"/chunks/(\w+)\.(\d+)-\w+\.mp4$", key):
            kept.add((found[1], int(found[2])))
    return kept


@pytest.mark.parametrize("seed", [1])
def test_a_killed_run_loses_one_chunk_at_most_and_ends_in_the_same_bytes(
    undisturbed: Room, master: Path, tmp_path: Path, seed: int
) -> None:
    served = undisturbed.serve()
    begun_in: list[set[tuple[str, int]]] = []
    chunk_of = {start: 1 if start < STARTS[2] else 2 for start in STARTS}
    command = [sys.executable, "-c", KILLED_RUNS, str(Path(__file__).parent), str(tmp_path), str(master)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as runs:
        assert runs.stdin is not None
        assert runs.stdout is not None
        for moment in moments(undisturbed, seed):
            kept = kept_stretches(LocalStore(tmp_path / "store"))
            print(moment, file=runs.stdin, flush=True)
            begun = set()
            while not (line := runs.stdout.readline()).startswith("ended by"):
                rendition_id, start = line.split()
                begun.add((rendition_id, int(start)))
            assert line == f"ended by {int(signal.SIGKILL)}\n", moment
            assert begun.isdisjoint(kept), moment
            lost = begun - kept_stretches(LocalStore(tmp_path / "store"))
            assert len({chunk_of[start] for _, start in lost}) <= 1, moment
            begun_in.append(begun)
    assert [bool(begun) for begun in begun_in] == [False, True, True, True, False, False, False]
    room = Room(tmp_path, master)
    assert room.find_chunks() == []
    assert room.serve() == served
    assert list(room.work.work_folder.iterdir()) == []
    assert room.rendition_bytes() == undisturbed.rendition_bytes()
    assert room.leftovers() == []


@pytest.mark.parametrize(("codec", "prefix"), [("hevc", "hvc1"), ("vp9", "vp09"), ("av1", "av01")])
def test_every_codec_is_cut_at_the_same_moments_and_gives_the_same_bytes_again(
    tmp_path: Path, codec: str, prefix: str
) -> None:
    master = make_film(tmp_path / "film.mp4", "-an", picture="testsrc2=s=256x144:r=30000/1001:d=4")
    settings = msgspec.structs.replace(SETTINGS, max_rungs=1, codecs=("h264", codec))
    room, twin = (Room(tmp_path / name, master, settings, starts=(0, 60)) for name in ("room", "twin"))
    records = {record.rendition.rung: record for record in room.encode().records}
    twin.encode()
    assert room.rendition_bytes() == twin.rendition_bytes()
    other = records[f"240p-{codec}"]
    assert other.rendition.codecs.startswith(prefix)
    assert [segment.start_ticks for segment in other.segments] == [
        segment.start_ticks for segment in records["240p"].segments
    ]
    assert other.duration_s == pytest.approx(120 * 1001 / 30000)
    assert check_package(room.store, room.serve()) == []


def with_a_wrong_index(film: Path) -> Path:
    """A Matroska film whose index says of each key frame that it comes 1.9 s before it does."""
    content = bytearray(film.read_bytes())
    place = content.index(bytes.fromhex("1c53bb6b"), len(content) // 2)  # Cues
    moved = 0
    while (place := content.find(b"\xb3", place + 1)) != -1:  # CueTime, in milliseconds
        size = content[place + 1] & 0x7F
        at_ms = int.from_bytes(content[place + 2 : place + 2 + size], "big")
        if size == 2 and at_ms > 1900:
            content[place + 2 : place + 4] = (at_ms - 1900).to_bytes(2, "big")
            moved += 1
    assert moved >= 3
    film.write_bytes(content)
    return film


def test_a_stretch_that_a_seek_misses_is_decoded_from_the_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    film = make_film(tmp_path / "film.mkv", "-g", "50", "-an")
    right = Room(tmp_path / "right", film).encode()
    assert right.result is not None
    assert right.result.missed_seeks == 0
    wrong = Room(tmp_path / "wrong", with_a_wrong_index(film)).encode()
    assert wrong.result is not None
    assert wrong.result.missed_seeks >= 1
    assert "is its index wrong?" in caplog.text
    segments = [[segment.sha256 for record in made.records for segment in record.segments] for made in (right, wrong)]
    assert segments[0] == segments[1]


def test_chunks_of_other_settings_are_not_joined(master: Path, tmp_path: Path) -> None:
    small = make_film(tmp_path / "small.mp4", picture="testsrc2=s=160x120:r=25:d=1")
    with pytest.raises(PackagingError, match=r"small\.mp4 was encoded otherwise"):
        chunk_encode.join_files([master, small], [0, 1000], tmp_path / "joined.mp4")


def test_progress_names_chunk_and_stretch(master: Path, tmp_path: Path) -> None:
    room = Room(tmp_path, master)
    told: list[ChunkProgress] = []
    encode_title(room.work, told.append)
    assert {(made.chunk.number, made.chunk.count, made.span.start) for made in told} == {
        (1, 2, 0), (1, 2, 60), (2, 2, 180),
    }  # fmt: skip


def test_a_cut_is_found_where_the_picture_changes(tmp_path: Path) -> None:
    film = make_film(
        tmp_path / "cut.mp4",
        picture="testsrc2=s=320x180:r=25:d=5[a];color=c=navy:s=320x180:r=25:d=3[b];[a][b]concat",
    )
    assert find_cuts(film, 0, [5.5], 2.0) == {5.5: [pytest.approx(5.0, abs=0.05)]}
    assert find_cuts(film, 0, [2.0], 1.0) == {2.0: []}


def test_work_beside_ends_at_once_when_the_first_fails(tmp_path: Path) -> None:
    endless = [find_ffmpeg(), "-v", "error", "-re", "-f", "lavfi", "-i", "testsrc2=d=60", "-f", "null", "-"]
    raised: list[BaseException] = []
    running = threading.Event()

    def beside() -> None:
        running.set()
        try:
            run_program(endless, timeout_s=60)
        except ProgramCancelled as error:
            raised.append(error)
            raise

    def first() -> None:
        running.wait(10)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_side_by_side(first, beside)
    assert len(raised) == 1


def test_a_failure_beside_is_what_is_reported() -> None:
    endless = [find_ffmpeg(), "-v", "error", "-re", "-f", "lavfi", "-i", "testsrc2=d=60", "-f", "null", "-"]

    def beside() -> None:
        raise PackagingError("no loudness")

    with pytest.raises(PackagingError, match="no loudness"):
        run_side_by_side(lambda: run_program(endless, timeout_s=60), beside)
