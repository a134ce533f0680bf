"""Other players on the end of a pipe: programs that read, leave, fail or hold the picture."""

import asyncio
import itertools
import json
import os
import subprocess
import sys

import pytest
from player_sdk.cli import main
from player_sdk.cli.pipe import feed
from player_sdk.events import Paused, Resumed
from player_sdk.stream_muxer import StreamMuxer

from player_sdk import PlaybackSettings, Player, PlaylistError, SegmentContent

PER_S = 10
"""Pictures a second of the clip."""


@pytest.fixture(scope="module")
def packaged(clip, ffmpeg, tmp_path_factory):
    """A folder with the clip as HLS: fMP4, sound apart."""
    folder = tmp_path_factory.mktemp("package")
    both = ["-i", str(clip / "high.mp4"), "-i", str(clip / "low.mp4"), "-map", "0:v", "-map", "1:v", "-map", "0:a"]
    hls = ["-f", "hls", "-hls_time", "1", "-hls_playlist_type", "vod", "-hls_segment_type", "fmp4"]
    groups = ["-var_stream_map", "v:0,agroup:a v:1,agroup:a a:0,agroup:a,default:yes", "-master_pl_name", "m.m3u8"]
    ffmpeg("-v", "error", *both, "-c", "copy", *hls, *groups, "v%v.m3u8", cwd=folder)
    return folder


@pytest.fixture
def url(packaged, serve):
    return f"{serve(packaged)}/m.m3u8"


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Puts a program of that name on the path, which runs some Python, or a script of another interpreter."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def put(name, code, interpreter=sys.executable):
        program = folder / name
        program.write_text(f"#!{interpreter}\n{code}\n")
        program.chmod(0o755)

    return put


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("mpv", ["--msg-level=all=warn", "-"]), ("ffplay", ["-v", "warning", "-autoexit", "-i", "-"])],
)
def test_a_known_player_reads_it_from_its_standard_input(url, install, tmp_path, capfd, count_frames, name, arguments):
    install(
        name, f"import sys; open({str(tmp_path / 'seen')!r}, 'wb').write(sys.stdin.buffer.read()); print(sys.argv[1:])"
    )
    assert main(["play", url, "--pipe", name, "--watch-s", "1"]) == 0
    told = capfd.readouterr()
    assert json.loads(told.out)["end_reason"] == "stopped", "the report alone, whatever the player says"
    assert str(arguments) in told.err
    assert count_frames((tmp_path / "seen").read_bytes()) == PER_S


def test_any_command_line_will_do_and_standard_output_too(url, ffmpeg_path, tmp_path, capfd, count_frames):
    copy = f"{ffmpeg_path} -v error -i - -c copy {tmp_path / 'copy.mkv'}"
    assert main(["play", url, "--pipe", copy, "--watch-s", "1"]) == 0
    assert count_frames((tmp_path / "copy.mkv").read_bytes()) == PER_S
    command = [sys.executable, "-m", "player_sdk.cli", "play", url, "--pipe", "-", "--watch-s", "1", "--events"]
    done = subprocess.run(command, capture_output=True, check=True)
    assert count_frames(done.stdout) == PER_S
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert (lines[-2]["event"], lines[-1]["end_reason"]) == ("Ended", "stopped")


def test_who_leaves_ends_the_session(url, install, capfd):
    # A shell, for it is there at once: all of the clip goes into a pipe before an interpreter has started that is slow.
    install("mpv", "read line", interpreter="/bin/sh")
    assert main(["play", url, "--pipe", "mpv"]) == 0
    report = json.loads(capfd.readouterr().out)
    assert report["end_reason"] == "stopped"
    assert report["played_s"] < 2.0


def test_without_a_reader_of_standard_output_it_ends_too(url):
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "player_sdk.cli", "play", url, "--pipe", "-"]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, check=True)
    os.close(writing)
    assert json.loads(done.stderr)["end_reason"] == "stopped"


@pytest.mark.parametrize(
    ("target", "told"),
    [("mpv", "there is no program 'mpv' here; install it"), ("", "--pipe -"), ("broken", "broken ended with code 3")],
)
def test_a_player_that_is_missing_or_fails_is_told(url, install, capfd, target, told):
    install("broken", "raise SystemExit(3)")
    assert main(["play", url, "--pipe", target]) == 1
    assert told in capfd.readouterr().err


def test_the_session_is_held_while_who_watches_takes_nothing(url):
    class Picky:
        """Takes nothing until the session is held."""

        gone = None

        def __init__(self):
            self.hungry, self.taken = asyncio.Event(), []

        async def write(self, content):
            await self.hungry.wait()
            self.taken.append(content)

    async def run():
        events, picky = [], Picky()

        def listener(event):
            events.append(event)
            if isinstance(event, Paused):
                picky.hungry.set()

        async with Player(settings=PlaybackSettings(slice_s=0.05)) as player:
            session = player.open_url(url)
            await feed(session, picky, watch_s=1.0, listener=listener, slack_s=0.1)
            return events, session.report, b"".join(picky.taken)

    events, report, taken = asyncio.run(asyncio.wait_for(run(), 60))
    held = [event for event in events if isinstance(event, Paused | Resumed)]
    assert [type(event) for event in held] == [Paused, Resumed]
    assert held[0].position_s == held[1].position_s < 1.0
    assert report.played_s == pytest.approx(1.0)
    assert report.rebuffer_s == 0.0, "holding the picture is no stall"
    assert taken


def test_what_cannot_be_carried_is_told(clip, ffmpeg, tmp_path):
    ffmpeg("-v", "error", "-i", str(clip / "low.mp4"), "-c:v", "mpeg4", "other.mp4", cwd=tmp_path)
    content = (tmp_path / "other.mp4").read_bytes()
    segment = SegmentContent(kind="video", index=0, rung="low", start_s=0.0, init=b"", content=content)
    with pytest.raises(PlaylistError, match="a stream of mpeg4 cannot be made"):
        StreamMuxer(audio_beside=False).take(segment)


def test_a_seek_is_a_jump_of_the_time_stamps(url, count_frames):
    async def run():
        async with Player(settings=PlaybackSettings(slice_s=0.05)) as player:
            session = player.open_url(url)
            pieces = []
            async for piece in session.stream():
                if len(pieces) == 1:
                    session.seek(0.0)
                pieces.append(piece)
            return pieces, session.report

    pieces, report = asyncio.run(run())
    assert report.end_reason == "completed"
    positions_s = [piece.position_s for piece in pieces]
    assert any(after < before for before, after in itertools.pairwise(positions_s)), "back to the beginning"
    assert positions_s[-1] == pytest.approx(3.0, abs=0.2)
    assert count_frames(b"".join(piece.content for piece in pieces)) >= 3 * PER_S + PER_S


def test_other_sound_is_heard_where_what_is_in_the_stream_ends(url):
    async def run():
        async with Player(settings=PlaybackSettings(slice_s=0.05)) as player:
            return [content async for content in player.open_url(url).segments(1.0)]

    def stream(contents):
        muxer = StreamMuxer(audio_beside=True)
        pieces = [piece for content in contents for piece in muxer.take(content)]
        return b"".join(piece.content for piece in (*pieces, *muxer.rest()))

    contents = asyncio.run(run())
    again = [content for content in contents for _ in range(2 if content.kind == "audio" else 1)]
    assert len(again) > len(contents)
    assert stream(again) == stream(contents), "what was told is not told again"
