"""The disks of this host's edges: their starting state, set aside once and brought back before every wave.

A comparison of two waves is fair only when the edges hold the same at the start of both.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from orchestration.demo.stay import edge_capacities
from orchestration.edge.topology import Network
from orchestration.services import Service, ServiceFleet, serving_services
from orchestration.settings import Settings


class EdgeDisks:
    """Stops and starts the edges around changes of their disks."""

    def __init__(self, settings: Settings, network: Network, fleet: ServiceFleet) -> None:
        self._settings = settings
        self._network = network
        self._fleet = fleet

    def forget(self) -> None:
        """Drop the starting state, so that the next layout is of empty disks."""
        shutil.rmtree(self._starting_state, ignore_errors=True)

    def set_aside(self, catalogue_size_bytes: int) -> None:
        """Remember what the disks hold now as the starting state, and go on from it."""
        self._stop(catalogue_size_bytes)
        shutil.rmtree(self._starting_state, ignore_errors=True)
        shutil.copytree(self._settings.edges_folder, self._starting_state)
        self._fleet.start(self._services(catalogue_size_bytes))

    def restore(self, catalogue_size_bytes: int) -> None:
        """Bring the starting state back under edges that run."""
        self._stop(catalogue_size_bytes)
        self.lay_out()
        self._fleet.start(self._services(catalogue_size_bytes))

    def lay_out(self) -> None:
        """Bring the starting state back while no edge runs; empty disks when none was set aside."""
        shutil.rmtree(self._settings.edges_folder, ignore_errors=True)
        if self._starting_state.is_dir():
            shutil.copytree(self._starting_state, self._settings.edges_folder)

    @property
    def _starting_state(self) -> Path:
        return self._settings.home / "edges-start"

    def _stop(self, catalogue_size_bytes: int) -> None:
        self._fleet.stop([service.name for service in self._services(catalogue_size_bytes)])

    def _services(self, catalogue_size_bytes: int) -> list[Service]:
        services = serving_services(self._settings, self._network, edge_capacities(self._network, catalogue_size_bytes))
        return [service for service in services if service.name.startswith("edge ")]
