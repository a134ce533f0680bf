"""Staying up: the serving plane and Dagster's UI, until somebody interrupts."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Iterator

from rich.console import Console

from orchestration.demo.home_lock import HomeInUse, lock_home
from orchestration.demo.state import DemoState, DemoStateError, load_state
from orchestration.edge.topology import Network, read_network
from orchestration.services import (
    ServiceError,
    ServiceFleet,
    any_free_port,
    choose_ports,
    dagster_service,
    port_is_free,
    serving_services,
)
from orchestration.settings import DEVELOPMENT_SECRET, Settings, SettingsError, read_settings

CHECK_EVERY_S = 1.0


def serve_until_interrupted(*, dagster_port: int, with_dagster: bool) -> int:
    """Serve what an earlier run published. Returns the process's exit code."""
    console = Console(highlight=False)
    try:
        settings = read_settings()
        with lock_home(settings.home), terminate_as_interrupt():
            state = load_state(settings.home)
            if state is None or state.catalogue_size_bytes == 0:
                console.print(f"Nothing is published in {settings.home} yet: run `make demo` first.")
                return 1
            _serve(choose_ports(settings), state, console, dagster_port if with_dagster else None)
    except (SettingsError, DemoStateError, HomeInUse, ServiceError) as error:
        console.print(f"[red]{error}[/red]")
        return 1
    except KeyboardInterrupt:
        console.print("Stopped.")
    return 0


def _serve(settings: Settings, state: DemoState, console: Console, dagster_port: int | None) -> None:
    network = read_network()
    warn_of_development_secret(settings, console)
    with ServiceFleet(settings.home / "logs") as fleet:
        fleet.start(serving_services(settings, network, edge_capacities(network, state.catalogue_size_bytes)))
        urls = serving_urls(settings)
        if dagster_port is not None:
            urls["Dagster"] = start_dagster(fleet, settings, dagster_port)
        for name, url in urls.items():
            console.print(f"  {name:<22} {url}")
        stay(fleet, console)


def stay(fleet: ServiceFleet, console: Console) -> None:
    """Wait for an interrupt, watching that nothing ends unasked."""
    console.print("Up until Ctrl-C.")
    while True:
        time.sleep(CHECK_EVERY_S)
        fleet.check()


def start_dagster(fleet: ServiceFleet, settings: Settings, port: int) -> str:
    """Start Dagster's UI and daemon; return the UI's address."""
    service = dagster_service(settings, port=port if port_is_free(port) else any_free_port())
    fleet.start([service], timeout_s=120.0)
    return service.url


def edge_capacities(network: Network, catalogue_size_bytes: int) -> dict[str, int]:
    """The disk size of every edge: its share of the catalogue's bytes."""
    return {edge.edge_id: int(edge.capacity_share * catalogue_size_bytes) for edge in network.edges}


def serving_urls(settings: Settings) -> dict[str, str]:
    """What a person may want to open."""
    urls = {
        "Watch": settings.control_url,
        "Operator's page": f"{settings.control_url}/operator",
        "API schema": f"{settings.control_url}/schema",
        "Heartbeats": f"{settings.collector_url}/v1/beats",
        "Origin": settings.origin_url,
    }
    return urls | {f"Edge {edge_id}": url for edge_id, url in settings.edge_urls.items()}


def warn_of_development_secret(settings: Settings, console: Console) -> None:
    """Say aloud that calls are signed with a secret that everybody knows."""
    if settings.secret == DEVELOPMENT_SECRET:
        console.print(
            "[yellow]Signing with the development secret; set MATINEE_SECRET anywhere but on a laptop.[/yellow]"
        )


@contextlib.contextmanager
def terminate_as_interrupt() -> Iterator[None]:
    """Treat SIGTERM, and SIGINT even where it was ignored, as Ctrl-C, so that every process is ended in order."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    previous = {name: signal.signal(name, interrupt) for name in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for name, handler in previous.items():
            signal.signal(name, handler)
