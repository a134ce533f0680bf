"""Packages played by the players of the web, in a real browser.

One headless Chromium for all tests; a page plays one package and posts what happened back to a server on the loopback
interface, which also serves the package, with CORS, from another port than the page: what a CDN does. Keys come from
the control API itself, a process on a third port, for the token of a session. No driver is needed beside the browser.
"""

from __future__ import annotations

import datetime as dt
import json
import shutil
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from orchestration.media import TitleWork, ingest_master
from orchestration.media.objects import PackageRecord
from orchestration.media.process import run_program
from orchestration.media.programs import find_ffmpeg
from orchestration.media.protection import ContentKeys
from orchestration.media.settings import MediaSettings
from orchestration.services import Service, ServiceFleet, any_free_port
from orchestration.store import LocalStore
from playback_api.domain.playback.tokens import SessionClaims, TokenSigner

HERE = Path(__file__).parent
NODE_MODULES = HERE / "node_modules"
SECRET = "a secret of the browser tests"
START_S = 120
PLAY_S = 180
FILM_S = 8
SEGMENT_S = 2.0
CAPTIONS = ("The first line", "The second line")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--autoplay-policy=no-user-gesture-required",
    "--disable-background-timer-throttling", "--disable-renderer-backgrounding", "--disable-dev-shm-usage",
    "--remote-debugging-port=0",
)  # fmt: skip
MEDIA_TYPES = {
    ".m3u8": "application/vnd.apple.mpegurl", ".mpd": "application/dash+xml", ".m4s": "video/iso.segment",
    ".mp4": "video/mp4", ".vtt": "text/vtt", ".jpg": "image/jpeg", ".js": "text/javascript", ".html": "text/html",
}  # fmt: skip


@dataclass(kw_only=True)
class Site:
    """What the two servers share: folders by first part of the path, and what was asked for and answered."""

    folders: dict[str, Path]
    failures: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    results: dict[str, dict[str, Any]] = field(default_factory=dict)
    arrived: threading.Condition = field(default_factory=threading.Condition)


class Handler(BaseHTTPRequestHandler):
    """Files, and the door for results."""

    protocol_version = "HTTP/1.1"

    def __init__(self, site: Site, *arguments: Any) -> None:
        self.site = site
        super().__init__(*arguments)

    def do_OPTIONS(self) -> None:
        self._answer(204, b"", "text/plain")

    def do_GET(self) -> None:
        path = urllib.parse.unquote(urllib.parse.urlsplit(self.path).path)
        self.site.asked.append(path)
        first, _, rest = path.lstrip("/").partition("/")
        file = self.site.folders.get(first, HERE / "nowhere") / rest
        if ".." in rest or not file.is_file():
            if first != "favicon.ico":
                self.site.failures.append(path)
            self._answer(404, b"", "text/plain")
            return
        content, status = file.read_bytes(), 200
        if (wanted := self.headers.get("Range", "")).startswith("bytes="):
            first_byte, _, last_byte = wanted.removeprefix("bytes=").partition("-")
            content, status = content[int(first_byte) : int(last_byte or len(content)) + 1], 206
        self._answer(status, content, MEDIA_TYPES.get(file.suffix, "application/octet-stream"))

    def do_POST(self) -> None:
        url = urllib.parse.urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._answer(204, b"", "text/plain")
        with self.site.arrived:
            self.site.results[urllib.parse.parse_qs(url.query)["id"][0]] = json.loads(body)
            self.site.arrived.notify_all()

    def _answer(self, status: int, content: bytes, media_type: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Access-Control-Allow-Origin", "*")
        self.send_header("Access-Control-Allow-Headers", "*")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments: Any) -> None:
        """Quiet: failures are kept and asserted on."""


@dataclass(frozen=True, kw_only=True)
class KeyServer:
    """The control API over one store; it has no snapshot and needs none to hand out keys."""

    url: str
    store: LocalStore

    def token(self, record: PackageRecord) -> str:
        """Of a session that plays a package, as a playback answer has it."""
        claims = SessionClaims(
            session_id=uuid.uuid4().hex,
            title_id=record.title_id,
            region_id="north",
            bandwidth_bps=5e6,
            max_height=1080,
            expires_at=dt.datetime.now(dt.UTC) + dt.timedelta(hours=1),
            package_id=record.package_id,
        )
        return TokenSigner(SECRET).sign(claims)

    def count(self, name: str) -> int:
        """A counter of the process, summed over its labels."""
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=START_S) as reply:
            lines = reply.read().decode().splitlines()
        return sum(int(line.rpartition(" ")[2]) for line in lines if line.startswith(f"matinee_control_{name}_total"))


@dataclass(frozen=True, kw_only=True)
class Played:
    """A package, and the session token of who plays it."""

    record: PackageRecord
    token: str

    @property
    def key_ids(self) -> list[str]:
        """Keys of Common Encryption, which players must ask for."""
        return sorted({item.key_id for item in self.record.renditions if item.protection in ("cenc", "cbcs")})


class Browser:
    """A running Chromium, and the servers that it talks to."""

    def __init__(self, devtools_url: str, page_url: str, media_url: str, site: Site, key_server: KeyServer) -> None:
        self._devtools_url = devtools_url
        self._page_url = page_url
        self._media_url = media_url
        self.site = site
        self.key_server = key_server

    def play(
        self,
        package: Played,
        manifest_key: str,
        player: str,
        *,
        until_s: float,
        codec: str = "avc1",
        captions: bool = False,
        token: str | None = None,
    ) -> dict[str, Any]:
        """Play a manifest of a package and return the page's report; nothing it asked for was missing.

        Where the package is protected, keys are asked for with ``token``; None for that of a session that may play it.
        """
        self.site.failures.clear()
        self.site.asked.clear()
        name = uuid.uuid4().hex
        query = {
            "id": name,
            "player": player,
            "manifest": f"{self._media_url}/media/{package.record.title_id}/{manifest_key}",
            "until": until_s,
            "codec": codec,
            "captions": int(captions),
            "keyServer": f"{self.key_server.url}/v1/keys",
            "keys": ",".join(package.key_ids),
            "token": package.token if token is None else token,
        }
        page = f"{self._page_url}/page/page.html?{urllib.parse.urlencode(query)}"
        tab = self._devtools(f"new?{urllib.parse.quote(page, safe='')}", "PUT")
        try:
            with self.site.arrived:
                assert self.site.arrived.wait_for(lambda: name in self.site.results, timeout=PLAY_S), "no report came"
        finally:
            self._devtools(f"close/{tab['id']}", "GET")
        assert self.site.failures == []
        return self.site.results[name]

    def _devtools(self, path: str, method: str) -> dict[str, Any]:
        request = urllib.request.Request(f"{self._devtools_url}/json/{path}", method=method)
        with urllib.request.urlopen(request, timeout=START_S) as reply:
            content = reply.read()
        return json.loads(content) if content.startswith(b"{") else {}


def find_browser() -> str | None:
    return next(
        (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
    )


@pytest.fixture(scope="session")
def key_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KeyServer]:
    """The control API as a process of its own, over the store of all packages here."""
    home = tmp_path_factory.mktemp("control")
    server = KeyServer(url=f"http://127.0.0.1:{any_free_port()}", store=LocalStore(home / "store"))
    port = server.url.rpartition(":")[2]
    service = Service(
        name="control",
        url=server.url,
        command=(sys.executable, "-m", "playback_api.serve", "control", "--port", port, "--exit-with-parent"),
        environment={
            "MATINEE_STORE_FOLDER": str(server.store.root),
            "MATINEE_PROFILE_PATH": str(home / "profile.sqlite"),
            "MATINEE_EVENT_LOG_FOLDER": str(home / "events"),
            "MATINEE_SECRET": SECRET,
        },
    )
    with ServiceFleet(home / "logs") as fleet:
        fleet.start([service])
        yield server


@pytest.fixture(scope="session")
def package_of(tmp_path_factory: pytest.TempPathFactory, key_server: KeyServer) -> Callable[..., Played]:
    """Makes the package of one small film under the settings given, with two rungs a codec and captions, once."""
    root = tmp_path_factory.mktemp("played")
    captions, master = root / "captions.srt", root / "film.mkv"
    cues = [f"{n + 1}\n00:00:0{3 * n},500 --> 00:00:0{3 * n + 3},000\n{text}\n" for n, text in enumerate(CAPTIONS)]
    captions.write_text("\n".join(cues))
    command = [
        find_ffmpeg(), "-v", "error", "-f", "lavfi", "-i", f"testsrc2=s=640x360:r=25:d={FILM_S}",
        "-f", "lavfi", "-i", f"sine=d={FILM_S}:r=48000", "-i", str(captions), "-map", "0", "-map", "1", "-map", "2",
        "-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac", "-c:s", "srt",
        "-metadata:s:a:0", "language=deu", "-metadata:s:s:0", "language=eng", str(master),
    ]  # fmt: skip
    run_program(command, timeout_s=60)
    made: dict[MediaSettings, Played] = {}

    def make(**choices: Any) -> Played:
        settings = MediaSettings(
            ladder="fixed",
            preset="ultrafast",
            vp9_speed=6,
            av1_preset=12,
            max_rungs=2,
            extra_codec_rungs=2,
            quality_frames=0,
            threads=1,
            keyframe_interval_s=SEGMENT_S,
            segment_duration_s=SEGMENT_S,
            key_server_url=key_server.url,
            **choices,
        )
        if settings not in made:
            work = TitleWork(
                store=key_server.store,
                title_id=f"film-{len(made)}",
                master=lambda: master,
                settings=settings,
                work_folder=root / "work",
                keys=ContentKeys(SECRET),
            )
            packaged = ingest_master(work, root / "quarantine", lambda: dt.datetime(2026, 9, 1, tzinfo=dt.UTC))
            assert packaged.findings == []
            made[settings] = Played(record=packaged.record, token=key_server.token(packaged.record))
        return made[settings]

    return make


@pytest.fixture(scope="session")
def require_played() -> Callable[[dict[str, Any], float], None]:
    """Asserts that a player went over several segments, from one rung to the other, with captions and no error."""

    def require(report: dict[str, Any], until_s: float) -> None:
        assert report["fault"] is None, report
        assert report["errors"] == []
        assert report["played_s"] >= until_s
        assert report["frames"] > 0
        assert report["heights"] == [240, 360]
        assert sorted(report["tracks"]["video"]) == [240, 360]
        assert set(report["tracks"]["audio"]) == {"de"}
        assert report["tracks"]["text"] == ["en"]
        assert report["cues"] == list(CAPTIONS)

    return require


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory, key_server: KeyServer) -> Iterator[Browser]:
    program = find_browser()
    if program is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    if not (NODE_MODULES / "hls.js").is_dir():
        pytest.skip("needs the players: install Node.js with npm, then `make players`")
    media = key_server.store.root / "media"
    site = Site(folders={"page": HERE, "node_modules": NODE_MODULES, "media": media})
    servers = [ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, site)) for _ in range(2)]
    for server in servers:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
    profile = tmp_path_factory.mktemp("browser")
    process = subprocess.Popen(
        [program, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        page_url, media_url = (f"http://127.0.0.1:{server.server_port}" for server in servers)
        yield Browser(_devtools_url(profile, process), page_url, media_url, site, key_server)
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for server in servers:
            server.shutdown()
            server.server_close()


def _devtools_url(profile: Path, process: subprocess.Popen[bytes]) -> str:
    """Chromium writes the port that it chose into its profile."""
    file = profile / "DevToolsActivePort"
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            pytest.fail(f"Chromium ended with code {process.returncode}")
        if file.is_file() and (lines := file.read_text().splitlines()):
            return f"http://127.0.0.1:{lines[0]}"
        time.sleep(0.05)
    return pytest.fail(f"Chromium did not start within {START_S} s")
