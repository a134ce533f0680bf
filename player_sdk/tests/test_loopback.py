"""Real sockets, real time: short, since nothing here can be hurried."""

import asyncio
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import msgspec
import pytest
from player_sdk.cli import main
from player_sdk.heartbeat import Beat
from player_sdk.testing import FakeTitle

from player_sdk import Player, PlayerError, SyncPlayer, Viewer

LIVE = b"""<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="dynamic" availabilityStartTime="2026-01-01T00:00:00Z"
  timeShiftBufferDepth="PT20S"><Period id="p" start="PT0S"><AdaptationSet contentType="video">
  <SegmentTemplate duration="2" media="$Number$.m4s"/><Representation id="240p" bandwidth="200000" height="240"/>
  </AdaptationSet></Period></MPD>"""


class Described(FakeTitle):
    """Says in the playlist of its sound how large that is."""

    def _media_playlist(self, rung):
        text = super()._media_playlist(rung)
        return text.replace("#EXTINF", "#EXT-X-BITRATE:96\n#EXTINF") if rung == "audio-en" else text


TITLE = Described(duration_s=1.0, segment_s=0.25, ladder={"240p": 200_000})


@pytest.fixture
def server():
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        beats: list[Beat] = []

        def answer(self, status, body, kind="application/json"):
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self):
            if self.path == "/live.mpd":
                return self.answer(200, LIVE, "application/dash+xml")
            if self.path == "/login":
                return self.answer(200, b"<!DOCTYPE html><html><body>Who are you?</body></html>", "text/html")
            found = TITLE.resource(self.path.partition("/media/film/")[2])
            return self.answer(200, *found) if found else self.answer(404, b"{}")

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path == "/v1/beats":
                self.beats += msgspec.convert(msgspec.msgpack.decode(body)["beats"], list[Beat], strict=False)
                return self.answer(202, b'{"accepted": 1, "rejected": []}')
            plan = {
                "session_id": "s-1",
                "pathways": [{"pathway_id": "only", "base_url": url}],
                "hls_path": "/media/film/p/1/master.m3u8",
                "beats_url": f"{url}/v1/beats",
            }
            return self.answer(201, json.dumps(plan).encode())

        def log_message(self, *args):
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    url = f"http://127.0.0.1:{httpd.server_port}"
    thread = threading.Thread(target=httpd.serve_forever)
    thread.start()
    yield url, Handler
    httpd.shutdown()
    thread.join()
    httpd.server_close()


def test_a_session_over_sockets_plays_and_beats(server):
    url, handler = server

    async def run():
        async with Player(api_url=url, viewer=Viewer(viewer_id="v-1", region_id="r")) as player:
            return await (await player.play("film")).watch()

    report = asyncio.run(run())
    assert (report.end_reason, report.errors) == ("completed", [])
    assert report.played_s == pytest.approx(1.0)
    assert report.beats_sent == len(handler.beats)
    assert [beat.seq for beat in handler.beats] == list(range(len(handler.beats)))
    assert sum(run.played_s for beat in handler.beats for run in beat.runs) == pytest.approx(1.0)


def test_the_blocking_player_does_the_same(server):
    url, _ = server
    with SyncPlayer(api_url=url, viewer=Viewer(viewer_id="v-1", region_id="r")) as player:
        assert player.play("film").watch(0.5).played_s == pytest.approx(0.5)
    with pytest.raises(PlayerError, match="closed; open another one"):
        player.home()


def test_the_command_line_plays_and_probes(server, capsys):
    url, _ = server
    manifest = f"{url}/media/film/p/1/master.m3u8"
    assert main(["probe", manifest]) == 0
    probed = json.loads(capsys.readouterr().out)
    (video,), (audio,) = probed["video"], probed["audio"]
    assert (probed["duration_s"], probed["captions"]) == (1.0, [])
    assert (video["rung"], video["segments"], video["bitrate_bps"]) == ("240p", 4, 200_000)
    assert (audio["rung"], audio["segments"], audio["bitrate_bps"]) == ("audio-en", 4, pytest.approx(96_000))
    assert (audio["peak_bitrate_bps"], audio["uri"]) == (None, f"{url}/media/film/p/1/audio-en.m3u8")
    assert main(["play", manifest, "--watch-s", "0.5", "--events"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {"Started", "SegmentDownloaded", "Ended"} <= {line.get("event") for line in lines}
    assert lines[-1]["played_s"] == pytest.approx(0.5)


def test_a_live_manifest_is_probed_as_of_now(server, capsys):
    assert main(["probe", f"{server[0]}/live.mpd"]) == 0
    probed = json.loads(capsys.readouterr().out)
    assert probed["duration_s"] is None
    assert probed["video"][0]["segments"] in (10, 11)  # of 20 s, wherever they are cut


def test_the_command_line_shows_what_it_does_while_it_plays(server, capsys):
    url, _ = server
    assert main(["play", f"{url}/media/film/p/1/master.m3u8", "--live"]) == 0
    shown = capsys.readouterr().err.split("\r")
    assert re.match(r"ended +00:01/00:01  buffer \[ +\]  0\.0 s  240p  \S+ Mbit/s  stalls \d \(\d\.\d s\)", shown[-1])
    assert len(shown) > 2, "more than once"


@pytest.mark.parametrize("options", [[], ["--http1"]])
def test_many_viewers_watch_from_the_command_line(server, capsys, options):
    if options:
        pytest.importorskip("aiohttp", reason="no aiohttp: pip install 'player-sdk[crowd]'")
    url, _ = server
    assert main(["watch", f"{url}/media/film/p/1/master.m3u8", "--viewers", "3", "--watch-s", "0.5", *options]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert (summary["viewers"], summary["started"], summary["failed"]) == (3, 3, 0)
    assert 0.0 < summary["startup_p50_s"] <= summary["startup_p95_s"]
    assert summary["mean_bitrate_bps"] == pytest.approx(200_000)
    assert main(["watch", f"{url}/none.m3u8", "--viewers", "2"]) == 1
    told = capsys.readouterr()
    assert json.loads(told.out)["failed"] == 2
    assert f"matinee-player: delivery: {url}/none.m3u8 answered 404\n" in told.err


def test_policies_are_compared_on_emulated_lines(server, capsys, tmp_path):
    url, _ = server
    trace = tmp_path / "slow.csv"
    trace.write_text("duration_s,bandwidth_kbps,latency_ms\n5,150,80\n")
    manifest = f"{url}/media/film/p/1/master.m3u8"
    assert main(["bench", manifest, "--rate-bps", "8e6", "--trace", str(trace), "--policy", "default", "bola"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(row["line"], row["policy"]) for row in rows] == [
        (line, policy) for line in ("8e+06", "slow.csv") for policy in ("default", "bola")
    ]
    assert [row["rebuffer_s"] > 0.0 for row in rows] == [False, False, True, True]
    trace.write_text("a,b\n1,2\n")
    assert main(["bench", manifest, "--trace", str(trace)]) == 1
    assert "no trace" in capsys.readouterr().err


def test_a_title_is_kept_from_the_command_line(server, capsys, tmp_path):
    url, _ = server
    assert main(["download", f"{url}/media/film/p/1/master.m3u8", str(tmp_path / "film")]) == 0
    assert json.loads(capsys.readouterr().out)["rung"] == "240p"
    assert (tmp_path / "film" / "master.m3u8").exists()


def test_the_command_line_says_what_is_wrong(server, capsys):
    url, _ = server
    assert main(["probe", f"{url}/media/film/p/1/none.m3u8"]) == 1
    assert f"matinee-player: {url}/media/film/p/1/none.m3u8 answered 404\n" in capsys.readouterr().err
    assert main(["probe", f"{url}/media/film/r/240p/init.mp4"]) == 1
    assert "init.mp4: neither HLS nor DASH; it begins with" in capsys.readouterr().err
    assert main(["play", "film.m3u8"]) == 1
    assert "absolute" in capsys.readouterr().err
    assert main(["probe", "film.m3u8"]) == 1
    assert "film.m3u8" in capsys.readouterr().err
    assert main(["play", f"{url}/media/film/p/1/none.m3u8"]) == 1
    failed = capsys.readouterr()
    assert f"matinee-player: delivery: {url}/media/film/p/1/none.m3u8 answered 404\n" in failed.err
    report = json.loads(failed.out)
    assert (report["end_reason"], report["error_count"]) == ("failed", 2)
    assert main(["probe", f"{url}/login"]) == 1
    assert "/login: neither HLS nor DASH; it begins with '<!DOCTYPE html>" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("asked", "complaint"),
    [
        ("play U --watch-s -3", "'-3' is not a number of seconds from 0 on"),
        ("play U --start-s soon", "'soon' is not a number of seconds from 0 on"),
        ("play U --max-height 0", "'0' is not a whole number above 0"),
        ("watch U --viewers 2.5", "'2.5' is not a whole number above 0"),
        ("bench U --rate-bps 1e6 nan", "'nan' is not bits a second above 0"),
    ],
)
def test_what_makes_no_sense_is_asked_wrongly(asked, complaint, capsys):
    with pytest.raises(SystemExit) as ended:
        main(asked.split())
    assert ended.value.code == 2
    assert complaint in capsys.readouterr().err
