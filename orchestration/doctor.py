"""`matinee doctor`: what an installation needs, looked at without starting anything."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import socket
import sys
from dataclasses import dataclass
from urllib.parse import urlsplit

from orchestration.settings import DEVELOPMENT_SECRET, PROJECT_FOLDER, Settings, SettingsError, read_settings

MINIMUM_FREE_BYTES = 2 * 1024**3
PACKAGES = ("dagster", "dbt-duckdb", "duckdb", "litestar", "granian", "mlflow", "scikit-surprise", "ffmpeg-python")


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        detail: What is there, or what to do.
        is_note: It will do on a laptop; ``detail`` says what to do elsewhere.
    """

    subject: str
    ok: bool
    detail: str
    is_note: bool = False

    @property
    def mark(self) -> str:
        """How it stands in one word."""
        return "FAIL" if not self.ok else "note" if self.is_note else "ok"


def examine() -> list[Finding]:
    """Look at the interpreter, the packages, the programs, the settings, the disk and the addresses."""
    findings = [_interpreter(), *(_package(name) for name in PACKAGES), *_programs(), _manifest()]
    try:
        settings = read_settings()
    except SettingsError as error:
        return [*findings, Finding(subject="settings", ok=False, detail=str(error))]
    return [*findings, _disk(settings), _masters(settings), _secret(settings), *_addresses(settings)]


def _interpreter() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    return Finding(
        subject="python", ok=(3, 11) <= sys.version_info[:2] <= (3, 13), detail=f"{version}; 3.11 to 3.13 are supported"
    )


def _package(name: str) -> Finding:
    try:
        return Finding(subject=name, ok=True, detail=importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        return Finding(subject=name, ok=False, detail="not installed; run `make env`")


def _programs() -> list[Finding]:
    from orchestration.media import ProgramMissing, find_ffmpeg, find_packager

    findings = []
    for name, find in (("ffmpeg", find_ffmpeg), ("packager", find_packager)):
        try:
            findings.append(Finding(subject=name, ok=True, detail=str(find())))
        except ProgramMissing as error:
            findings.append(Finding(subject=name, ok=False, detail=str(error)))
    return findings


def _manifest() -> Finding:
    path = PROJECT_FOLDER / "dbt" / "target" / "manifest.json"
    return Finding(
        subject="dbt manifest", ok=path.exists(), detail="prepared" if path.exists() else "missing; run `make env`"
    )


def _disk(settings: Settings) -> Finding:
    folder = settings.home
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    writable = os.access(folder, os.W_OK)
    return Finding(
        subject="home folder",
        ok=writable and free >= MINIMUM_FREE_BYTES,
        detail=f"{settings.home}: {free / 1024**3:.1f} GiB free{'' if writable else ', not writable'}",
    )


def _masters(settings: Settings) -> Finding:
    folder = settings.masters_folder
    if not folder.is_dir():
        given = bool(os.environ.get("MATINEE_MASTERS"))
        detail = f"{folder} is no folder; correct MATINEE_MASTERS" if given else "none yet; the demo generates some"
        return Finding(subject="masters", ok=not given, detail=detail)
    files = sum(1 for path in folder.iterdir() if path.is_file())
    return Finding(subject="masters", ok=True, detail=f"{folder}: {files} files")


def _secret(settings: Settings) -> Finding:
    development = settings.secret == DEVELOPMENT_SECRET
    detail = "the development default; set MATINEE_SECRET anywhere but on a laptop" if development else "set"
    return Finding(subject="secret", ok=True, is_note=development, detail=detail)


def _addresses(settings: Settings) -> list[Finding]:
    urls = {"control": settings.control_url, "collector": settings.collector_url, "origin": settings.origin_url}
    urls.update(settings.edge_urls)
    return [Finding(subject=name, ok=True, detail=f"{url} ({_state(url)})") for name, url in urls.items()]


def _state(url: str) -> str:
    parts = urlsplit(url)
    try:
        with socket.create_connection((parts.hostname or "127.0.0.1", parts.port or 80), timeout=0.5):
            return "answers"
    except OSError:
        return "not running"
