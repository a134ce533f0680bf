"""Packages of ffmpeg and Shaka Packager in every form that they make: played to the end, and decoded."""

import asyncio
import contextlib
import datetime as dt
import io
import itertools
import subprocess

import av
import pytest
from player_sdk.abr import Decision
from player_sdk.events import SegmentDownloaded
from player_sdk.testing import FakeOrigin, fake_player

from player_sdk import EmulatedTransport, Link, Player, PlaylistError, VirtualClock, http_transport

BOTH = ["-i", "high.mp4", "-i", "low.mp4", "-map", "0:v", "-map", "1:v", "-map", "0:a", "-c", "copy"]
ONE = ["-i", "high.mp4", "-c", "copy"]
HLS = ["-f", "hls", "-hls_time", "1", "-hls_playlist_type", "vod"]
GROUPS = ["-var_stream_map", "v:0,agroup:a v:1,agroup:a a:0,agroup:a,default:yes,language:en"]
GROUPS += ["-master_pl_name", "m.m3u8"]
DASH = ["-f", "dash", "-seg_duration", "1", "-adaptation_sets", "id=0,streams=v id=1,streams=a"]
KEY = bytes(range(16))
CLIP_S, FRAMES = 3, 30

FFMPEG = {
    "hls-ts": [*BOTH, *HLS, *GROUPS, "v%v.m3u8"],
    "hls-ts-muxed": [*ONE, *HLS, "m.m3u8"],
    "hls-ts-single-file": [*BOTH, *HLS, "-hls_flags", "single_file", *GROUPS, "v%v.m3u8"],
    "hls-fmp4": [*BOTH, *HLS, "-hls_segment_type", "fmp4", *GROUPS, "v%v.m3u8"],
    "hls-fmp4-single-file": [
        *BOTH, *HLS, "-hls_segment_type", "fmp4", "-hls_flags", "single_file", *GROUPS, "v%v.m3u8",
    ],
    "hls-aes": [*ONE, *HLS, "-hls_key_info_file", "key-info", "m.m3u8"],
    "hls-aes-iv": [*ONE, *HLS, "-hls_key_info_file", "key-info-iv", "m.m3u8"],
    "hls-event-ended": [*ONE, "-f", "hls", "-hls_time", "1", "-hls_playlist_type", "event", "m.m3u8"],
    "hls-numbered-from-7": [*ONE, *HLS, "-start_number", "7", "m.m3u8"],
    "hls-dated": [*ONE, *HLS, "-hls_flags", "program_date_time", "m.m3u8"],
    "dash-timeline": [*BOTH, *DASH, "-use_timeline", "1", "m.mpd"],
    "dash-time-template": [
        *BOTH[:-4], "-c", "copy", "-f", "dash", "-seg_duration", "1",
        "-media_seg_name", "c-$RepresentationID$-$Time$.m4s", "m.mpd",
    ],  # no sound: ffmpeg names its first file -1024 and writes S@t=0
    "dash-numbers": [*BOTH, *DASH, "-use_timeline", "0", "m.mpd"],
    "dash-list": [*BOTH, *DASH, "-single_file", "1", "m.mpd"],
}  # fmt: skip

SHAKA_WHOLE = [
    "in=high.mp4,stream=video,output=v.mp4",
    "in=low.mp4,stream=video,output=l.mp4",
    "in=high.mp4,stream=audio,output=a.mp4",
]
SHAKA_CUT = [
    "in=high.mp4,stream=video,init_segment=v.mp4,segment_template=v-$Number$.m4s",
    "in=low.mp4,stream=video,init_segment=l.mp4,segment_template=l-$Number$.m4s",
    "in=high.mp4,stream=audio,init_segment=a.mp4,segment_template=a-$Number$.m4s",
]
SHAKA_TS = [
    "in=high.mp4,stream=video,segment_template=v-$Number$.ts",
    "in=low.mp4,stream=video,segment_template=l-$Number$.ts",
    "in=high.mp4,stream=audio,segment_template=a-$Number$.ts",
]
STATIC = ["--mpd_output", "m.mpd", "--generate_static_live_mpd"]
SHAKA = {
    "dash-index": [*SHAKA_WHOLE, "--mpd_output", "m.mpd"],
    "dash-shaka-numbers": [*SHAKA_CUT, *STATIC],
    "dash-shaka-times": [*(one.replace("$Number$", "$Time$") for one in SHAKA_CUT), *STATIC],
    "dash-periods": [*SHAKA_CUT, *STATIC, "--ad_cues", "1.0"],
    "dash-periods-index": [
        *(f"{one[:-4]}$Number$.mp4" for one in SHAKA_WHOLE), "--mpd_output", "m.mpd", "--ad_cues", "1.0",
    ],
    "hls-ranges": [*SHAKA_WHOLE, "--hls_master_playlist_output", "m.m3u8"],
    "hls-shaka-fmp4": [*SHAKA_CUT, "--hls_master_playlist_output", "m.m3u8"],
    "hls-shaka-ts": [*SHAKA_TS, "--hls_master_playlist_output", "m.m3u8"],
    "hls-discontinuity": [*SHAKA_CUT, "--hls_master_playlist_output", "m.m3u8", "--ad_cues", "1.0"],
}  # fmt: skip


@pytest.fixture
def package(request, clip, tmp_path):
    """The URL's path of a package of the form that the test asks for, in ``tmp_path``."""
    form = request.param
    for name in ("high.mp4", "low.mp4"):
        (tmp_path / name).symlink_to(clip / name)
    (tmp_path / "key").write_bytes(KEY)
    (tmp_path / "key-info").write_text("key\nkey\n")
    (tmp_path / "key-info-iv").write_text(f"key\nkey\n{'0f' * 16}\n")
    if form in FFMPEG:
        request.getfixturevalue("ffmpeg")("-v", "error", *FFMPEG[form], cwd=tmp_path)
    else:
        request.getfixturevalue("packager")(*SHAKA[form], "--segment_duration", "1", cwd=tmp_path)
    return "m.mpd" if form.startswith("dash") else "m.m3u8"


class Alternating:
    """Another rung for each segment: every playlist and init segment is needed, and all rungs must fit together."""

    def choose(self, state):
        return Decision(rung=state.segment_index % len(state.bitrates_bps))

    def observe(self, sample):
        pass

    def abandon(self, state, rung, received_bytes, elapsed_s):
        return None


class Always(Alternating):
    """One rung."""

    def __init__(self, rung):
        self.rung = rung

    def choose(self, state):
        return Decision(rung=self.rung)


@contextlib.asynccontextmanager
async def opened(url, abr):
    """A session on a virtual clock, over real sockets."""
    clock = VirtualClock(dt.datetime.now(dt.UTC))
    inner = http_transport()
    transport = EmulatedTransport(inner, clock=clock, link=Link.constant(5e6))
    try:
        async with Player(transport=transport, clock=clock, abr=abr, seed=0) as player:
            yield player.open_url(url)
    finally:
        await inner.aclose()


async def play(url):
    async with opened(url, Alternating) as session:
        return [event async for event in session.events()]


async def content_of(url, rung):
    """What a decoder is fed with at that rung."""
    init, pieces = b"", []
    async with opened(url, lambda: Always(rung)) as session:
        async for segment in session.segments():
            if segment.kind == "video":
                pieces += [segment.content] if segment.init == init else [segment.init, segment.content]
                init = segment.init
    return b"".join(pieces)


@pytest.mark.parametrize("package", [*FFMPEG, *SHAKA], indirect=True)
def test_packages_of_others_play_to_their_end_and_decode(package, serve, tmp_path, count_frames):
    url = f"{serve(tmp_path)}/{package}"
    events = asyncio.run(play(url))
    report = events[-1].report
    assert (report.end_reason, report.errors) == ("completed", [])
    assert report.played_s == pytest.approx(CLIP_S, abs=0.11)  # a frame of difference between picture and sound
    assert report.rebuffer_s == 0.0
    pictures = [event for event in events if isinstance(event, SegmentDownloaded) and event.kind == "video"]
    assert len(pictures) == CLIP_S
    rungs = {event.rung for event in pictures}
    for rung in range(len(rungs)):
        assert count_frames(asyncio.run(content_of(url, rung))) == FRAMES


async def frames_of(url):
    async with opened(url, Alternating) as session:
        return [frame async for frame in session.frames()]


@pytest.mark.parametrize("package", ["hls-ts", "hls-ts-muxed", "hls-fmp4", "dash-index", "dash-periods"], indirect=True)
def test_frames_come_decoded_each_once_and_at_its_place(package, serve, tmp_path):
    frames = asyncio.run(frames_of(f"{serve(tmp_path)}/{package}"))
    pictures = [one for one in frames if one.kind == "video"]
    assert [one.position_s for one in pictures] == pytest.approx([n / 10 for n in range(FRAMES)], abs=0.05)
    assert {one.frame.width for one in pictures} <= {64, 128}
    sound = [one for one in frames if one.kind == "audio"]
    heard_s = sum(one.frame.samples / one.frame.sample_rate for one in sound)
    assert heard_s == pytest.approx(CLIP_S, abs=0.1)
    ends_s = [one.position_s + one.frame.samples / one.frame.sample_rate for one in sound]
    assert [one.position_s for one in sound[1:]] == pytest.approx(ends_s[:-1], abs=0.05), "without a hole"


async def stream_of(url, **watched):
    async with opened(url, Alternating) as session:
        return b"".join([piece.content async for piece in session.stream(**watched)])


def decoded(stream, kind):
    with av.open(io.BytesIO(stream)) as container:
        return list(container.decode(**{kind: 0}))


@pytest.mark.parametrize(
    "package",
    ["hls-ts", "hls-ts-muxed", "hls-fmp4", "dash-index", "dash-periods", "hls-discontinuity"],
    indirect=True,
)
def test_one_stream_for_another_player_holds_all_of_it_in_order(package, serve, tmp_path, count_frames, ffmpeg):
    stream = asyncio.run(stream_of(f"{serve(tmp_path)}/{package}"))
    assert count_frames(stream) == FRAMES
    told = ffmpeg("-v", "warning", "-i", "pipe:0", "-f", "null", "-", cwd=tmp_path, stdin=stream)
    assert told == "", "not even a warning"
    pictures = decoded(stream, "video")
    assert [one.time - pictures[0].time for one in pictures] == pytest.approx([n / 10 for n in range(FRAMES)], abs=0.05)
    sound = decoded(stream, "audio")
    ends_s = [one.time + one.samples / one.sample_rate for one in sound]
    assert [one.time for one in sound[1:]] == pytest.approx(ends_s[:-1], abs=0.05), "without a hole"
    assert ends_s[-1] - sound[0].time == pytest.approx(CLIP_S, abs=0.1)
    assert sound[0].time == pytest.approx(pictures[0].time, abs=0.05), "and in step"
    with av.open(io.BytesIO(stream)) as container:
        stamps_s = [float(one.dts * one.time_base) for one in container.demux() if one.dts is not None]
    assert max(before - after for before, after in itertools.pairwise(stamps_s)) < 0.5, "neither runs ahead"


@pytest.mark.parametrize(
    "package", ["hls-ts-single-file", "dash-index", "dash-periods", "dash-timeline"], indirect=True
)
def test_what_is_kept_of_a_package_decodes_to_its_end(package, serve, tmp_path):
    folder = tmp_path / "kept"

    async def run():
        async with Player() as player:
            await player.download_url(f"{serve(tmp_path)}/{package}", folder)
        async with Player(clock=VirtualClock(dt.datetime.now(dt.UTC))) as player:
            return [frame async for frame in player.open_offline(folder).frames()]

    frames = asyncio.run(run())
    assert len([one for one in frames if one.kind == "video"]) == FRAMES
    assert {one.frame.width for one in frames if one.kind == "video"} == {128}
    assert [one for one in frames if one.kind == "audio"]


def test_bytes_that_are_no_media_are_told_with_their_segment():
    async def run():
        async with fake_player(FakeOrigin()) as player:
            session = await player.play("film")
            return [frame async for frame in session.frames()]

    with pytest.raises(PlaylistError, match="video segment 0 of 240p"):
        asyncio.run(run())


LIVE = {
    "m.m3u8": ["-f", "hls", "-hls_time", "1", "-hls_list_size", "4", "-hls_flags", "temp_file+program_date_time"],
    "m.mpd": [
        "-f",
        "dash",
        "-seg_duration",
        "1",
        "-window_size",
        "4",
        "-extra_window_size",
        "9",
        "-update_period",
        "1",
    ],
}


@pytest.mark.long
@pytest.mark.parametrize("manifest", LIVE)
def test_a_live_stream_of_ffmpeg_is_followed_to_its_end(manifest, clip, ffmpeg_path, serve, tmp_path):
    command = [ffmpeg_path, "-v", "error", "-re", "-stream_loop", "2", "-i", str(clip / "high.mp4"), "-c", "copy"]
    encoder = subprocess.Popen([*command, *LIVE[manifest], manifest], cwd=tmp_path)
    try:

        async def run():
            while not (tmp_path / manifest).exists():
                await asyncio.sleep(0.05)
            async with Player() as player:
                session = player.open_url(f"{serve(tmp_path)}/{manifest}")
                return [event async for event in session.events()]

        events = asyncio.run(asyncio.wait_for(run(), 60))
    finally:
        encoder.kill()
        encoder.wait()
    report = events[-1].report
    numbers = [event.index for event in events if isinstance(event, SegmentDownloaded) and event.kind == "video"]
    assert (report.end_reason, report.errors) == ("completed", [])
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert report.played_s == pytest.approx(len(numbers), abs=0.3)
    if manifest == "m.m3u8":
        assert numbers[-1] == 8, "the last of nine, which was not there when the playlist was"
