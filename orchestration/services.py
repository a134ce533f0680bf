"""The processes of one installation on this host: how they are started, watched and ended.

Here belongs the table of server processes and their environment. Each runs in a session of its own, so that a Ctrl-C in
the terminal reaches this process alone, which then ends the others in order; and each holds the read end of a pipe from
this process, so that it ends by itself however this process ends.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

from orchestration.edge.topology import Network
from orchestration.settings import PROJECT_FOLDER, WORLD_FILE, Settings

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 10.0

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


class ServiceError(Exception):
    """A server process did not start or ended unasked; the message has its last words."""


@dataclass(frozen=True, kw_only=True)
class Service:
    """One process to run.

    Attributes:
        name: What it is called in logs and tables.
        url: Its base URL.
        command: Program and arguments.
        environment: Variables on top of this process's own.
        health_path: Answers 200 once it can serve.
    """

    name: str
    url: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    health_path: str = "/system/health"


def choose_ports(settings: Settings) -> Settings:
    """Keep every address of this host whose port is free, and move the others to a free port.

    Addresses of other hosts are left as they are.

    The choice is written to ``world.toml`` in the home folder, where every other process reads it.
    """
    taken: set[int] = set()

    def free(url: str) -> str:
        if not is_local(url):
            return url
        port = urlsplit(url).port or 80
        if port in taken or not port_is_free(port):
            port = any_free_port()
        taken.add(port)
        return f"http://127.0.0.1:{port}"

    chosen = replace(
        settings,
        control_url=free(settings.control_url),
        collector_url=free(settings.collector_url),
        origin_url=free(settings.origin_url),
        edge_urls={edge_id: free(url) for edge_id, url in settings.edge_urls.items()},
    )
    _write_world_file(chosen)
    return chosen


def serving_services(settings: Settings, network: Network, edge_capacity_bytes: Mapping[str, int]) -> list[Service]:
    """Control, collector, origin and every edge of the seeds, as processes of this host."""
    shared = {
        "MATINEE_STORE_FOLDER": str(settings.store_folder),
        "MATINEE_PROFILE_PATH": str(settings.profile_path),
        "MATINEE_EVENT_LOG_FOLDER": str(settings.event_log_folder),
        "MATINEE_SECRET": settings.secret,
    }
    plane = [
        _python_service("origin", settings.origin_url, shared),
        _python_service("collector", settings.collector_url, {**shared, "MATINEE_WRITER_NAME": "collector-0"}),
        _python_service(
            "control",
            settings.control_url,
            {
                **shared,
                "MATINEE_WRITER_NAME": "control-0",
                "MATINEE_PUBLIC_URL": settings.control_url,
                "MATINEE_BEATS_URL": f"{settings.collector_url}/v1/beats",
                # The snapshot has the addresses of its publication, and ports may have moved since.
                "MATINEE_EDGE_URLS": json.dumps(settings.edge_urls),
                "MATINEE_ORIGIN_URL": settings.origin_url,
            },
        ),
    ]
    edges = [
        _python_service(
            "edge",
            settings.edge_urls[edge.edge_id],
            {
                **shared,
                "MATINEE_EDGE_ID": edge.edge_id,
                "MATINEE_FOLDER": str(settings.edges_folder / edge.edge_id),
                "MATINEE_CAPACITY_BYTES": str(edge_capacity_bytes[edge.edge_id]),
                "MATINEE_PULL_RESERVE_SHARE": str(edge.pull_reserve_share),
                "MATINEE_UPSTREAM_URL": settings.origin_url,
                "MATINEE_UPSTREAM_LATENCY_S": str(2 * edge.origin_latency_s),
                "MATINEE_UPSTREAM_RATE_BPS": str(edge.origin_rate_bps),
            },
            name=f"edge {edge.edge_id}",
        )
        for edge in network.edges
    ]
    # What answers on another host is not ours to start.
    return [service for service in (*plane, *edges) if is_local(service.url)]


def dagster_service(settings: Settings, *, port: int) -> Service:
    """Dagster's UI and daemon over this project's code location."""
    return Service(
        name="dagster",
        url=f"http://127.0.0.1:{port}",
        command=(
            *(sys.executable, "-m", "dagster", "dev", "-w", str(PROJECT_FOLDER / "workspace.yaml")),
            *("--host", "127.0.0.1", "--port", str(port)),
        ),
        environment={
            "DAGSTER_HOME": str(settings.dagster_home),
            "MATINEE_HOME": str(settings.home),
            "MATINEE_MASTERS": str(settings.masters_folder),
            # The environment wins over world.toml, so every process is told what was chosen at start.
            "MATINEE_FIRST_EVENT_DAY": settings.first_event_day.isoformat(),
            "MATINEE_CONTROL_URL": settings.control_url,
            "MATINEE_COLLECTOR_URL": settings.collector_url,
            "MATINEE_ORIGIN_URL": settings.origin_url,
            "DAGSTER_DISABLE_TELEMETRY": "yes",
        },
        health_path="/server_info",
    )


class ServiceFleet:
    """Starts services and ends exactly those that it started. A context manager: leaving it ends them all."""

    def __init__(self, log_folder: Path) -> None:
        self._log_folder = log_folder
        self._running: dict[str, tuple[Service, subprocess.Popen[bytes]]] = {}

    def __enter__(self) -> ServiceFleet:
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def start(self, services: Iterable[Service], *, timeout_s: float = START_TIMEOUT_S) -> None:
        """Start services side by side and wait until every one answers.

        Raises:
            ServiceError: One ended or did not answer in time. Those that did start keep running until ``stop``.
        """
        wanted = list(services)
        self.launch(wanted)
        self.wait_until_healthy(wanted, timeout_s=timeout_s)

    def launch(self, services: Iterable[Service]) -> None:
        """Start services without waiting for them; those that run already are left alone."""
        for service in services:
            if service.name not in self._running:
                self._spawn(service)

    def wait_until_healthy(self, services: Iterable[Service], *, timeout_s: float = START_TIMEOUT_S) -> None:
        """Wait until every one of the launched services answers.

        Raises:
            ServiceError: One ended or did not answer in time.
        """
        deadline = time.monotonic() + timeout_s
        for service in services:
            self._wait_until_healthy(service, deadline)

    def stop(self, names: Iterable[str] | None = None) -> None:
        """End the named services, or all, last started first, and their children with them."""
        wanted = list(self._running) if names is None else [name for name in names if name in self._running]
        for name in reversed(wanted):
            _, process = self._running[name]
            _signal_group(process, signal.SIGTERM)
        for name in reversed(wanted):
            _, process = self._running.pop(name)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOP_TIMEOUT_S)
            _signal_group(process, signal.SIGKILL)  # what is left of the group, if anything
            process.wait()
            if process.stdin:
                process.stdin.close()

    def check(self) -> None:
        """Raise when a service has ended unasked."""
        for service, process in self._running.values():
            if process.poll() is not None:
                raise ServiceError(f"{service.name} ended with code {process.returncode}:\n{self._last_words(service)}")

    def log_path(self, service: Service) -> Path:
        """Where a service's output goes."""
        return self._log_folder / f"{service.name.replace(' ', '-')}.log"

    def _spawn(self, service: Service) -> None:
        self._log_folder.mkdir(parents=True, exist_ok=True)
        with self.log_path(service).open("ab") as log:
            process = subprocess.Popen(
                service.command,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **service.environment},
                start_new_session=True,
                preexec_fn=_prepare_child,
            )
        self._running[service.name] = (service, process)

    def _wait_until_healthy(self, service: Service, deadline: float) -> None:
        _, process = self._running[service.name]
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise ServiceError(
                    f"{service.name} ended with code {process.returncode} at start:\n{self._last_words(service)}"
                )
            if _answers(service.url + service.health_path):
                return
            time.sleep(0.1)
        raise ServiceError(
            f"{service.name} did not answer at {service.url}{service.health_path} in time:\n{self._last_words(service)}"
        )

    def _last_words(self, service: Service, lines: int = 15) -> str:
        with contextlib.suppress(OSError):
            return "\n".join(self.log_path(service).read_text(errors="replace").splitlines()[-lines:])
        return "(no log)"


def _python_service(application: str, url: str, environment: Mapping[str, str], *, name: str | None = None) -> Service:
    port = urlsplit(url).port
    return Service(
        name=name or application,
        url=url,
        command=(
            *(sys.executable, "-m", "playback_api.serve", application),
            *("--port", str(port), "--exit-with-parent"),
        ),
        environment=environment,
    )


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


def _prepare_child() -> None:
    # A child started while SIGINT is ignored would ignore it for ever, and Dagster its TERM with it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # Programs that are not ours do not watch the pipe; on Linux the kernel interrupts them when this process dies.
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGINT)


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)  # the process leads its own session, so its id is the group's


def is_local(url: str) -> bool:
    """Whether an address is one of this host's, whose process is ours to start."""
    return urlsplit(url).hostname in ("127.0.0.1", "localhost", "::1")


def port_is_free(port: int) -> bool:
    """Whether a server could listen on a loopback port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def any_free_port() -> int:
    """A loopback port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _write_world_file(settings: Settings) -> None:
    settings.home.mkdir(parents=True, exist_ok=True)
    lines = [
        "# Written at start, read by every process of this installation. Delete it to go back to the defaults.",
        f'first_event_day = "{settings.first_event_day.isoformat()}"',
        f'control_url = "{settings.control_url}"',
        f'collector_url = "{settings.collector_url}"',
        f'origin_url = "{settings.origin_url}"',
        "[edge_urls]",
        *(f'{edge_id} = "{url}"' for edge_id, url in settings.edge_urls.items()),
    ]
    (settings.home / WORLD_FILE).write_text("\n".join(lines) + "\n", encoding="utf-8")
