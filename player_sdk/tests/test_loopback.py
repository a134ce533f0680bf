"""Real sockets, real time: short, since nothing here can be hurried."""

import asyncio
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import msgspec
import pytest
from player_sdk.cli import main
from player_sdk.heartbeat import Beat
from player_sdk.testing import FakeTitle

from player_sdk import Player, SyncPlayer, Viewer

TITLE = FakeTitle(duration_s=1.0, segment_s=0.25, ladder={"240p": 200_000})


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
            found = TITLE.resource(self.path.partition("/media/film/")[2])
            self.answer(200, *found) if found else self.answer(404, b"{}")

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
    with pytest.raises(RuntimeError, match="closed"):
        player.home()


def test_the_command_line_plays_and_probes(server, capsys):
    url, _ = server
    manifest = f"{url}/media/film/p/1/master.m3u8"
    assert main(["probe", manifest]) == 0
    probed = json.loads(capsys.readouterr().out)
    assert [track["rung"] for track in probed["video"]] == ["240p"]
    assert main(["play", manifest, "--watch-s", "0.5", "--events"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {"Started", "SegmentDownloaded", "Ended"} <= {line.get("event") for line in lines}
    assert lines[-1]["played_s"] == pytest.approx(0.5)


def test_the_command_line_says_what_is_wrong(server, capsys):
    url, _ = server
    assert main(["probe", f"{url}/media/film/p/1/none.m3u8"]) == 1
    assert "404" in capsys.readouterr().err
    assert main(["probe", f"{url}/media/film/r/240p/init.mp4"]) == 1
    assert "not an HLS playlist" in capsys.readouterr().err
    assert main(["play", "film.m3u8"]) == 1
    assert "absolute" in capsys.readouterr().err
