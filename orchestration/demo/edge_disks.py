"""The disks of this host's edges, and the states of them that are set aside and brought back.

A comparison of two waves is fair only when the edges hold the same at the start of both.
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from orchestration.demo.stay import edge_capacities
from orchestration.edge import current_plan_key
from orchestration.edge.topology import Network
from orchestration.services import Service, ServiceFleet, serving_services
from orchestration.settings import Settings
from orchestration.store import LocalStore

STARTING = "starting"
"""What a warm-up wave left in the pull-through caches: where both waves begin."""


class EdgeDisks:
    """Sets states of the disks aside and brings them back, stopping and starting the edges around it."""

    def __init__(self, settings: Settings, network: Network, fleet: ServiceFleet, *, catalogue_size_bytes: int) -> None:
        self._settings = settings
        self._network = network
        self._fleet = fleet
        self._catalogue_size_bytes = catalogue_size_bytes

    def forget_all(self) -> None:
        """Drop every state that was set aside."""
        shutil.rmtree(self._states_folder, ignore_errors=True)

    def is_set_aside(self, state: str) -> bool:
        """Whether there is such a state."""
        return (self._states_folder / state).is_dir()

    def set_aside(self, state: str) -> None:
        """Remember what the disks hold now. Nobody must be asking anything of the edges meanwhile."""
        folder = self._states_folder / state
        staged = folder.with_name(f".{state}")
        for leftover in (folder, staged):
            shutil.rmtree(leftover, ignore_errors=True)
        shutil.copytree(self._settings.edges_folder, staged)
        staged.rename(folder)

    def lay_out(self, state: str) -> None:
        """Bring a state back while no edge runs; empty disks when it was never set aside."""
        shutil.rmtree(self._settings.edges_folder, ignore_errors=True)
        if self.is_set_aside(state):
            shutil.copytree(self._states_folder / state, self._settings.edges_folder)

    def restore(self, state: str) -> None:
        """Bring a state back under edges that run."""
        services = self._services()
        self._fleet.stop([service.name for service in services])
        self.lay_out(state)
        self._fleet.start(services)

    def filled_state(self) -> str:
        """The name of the state in which the plans in force are filled."""
        store = LocalStore(self._settings.store_folder)
        keys = [current_plan_key(region.region_id) for region in self._network.regions]
        plans = "|".join(store.read_bytes(key).decode() for key in keys if store.exists(key))
        return f"filled-{hashlib.sha256(plans.encode()).hexdigest()[:12]}"

    @property
    def _states_folder(self) -> Path:
        return self._settings.home / "edge-states"

    def _services(self) -> list[Service]:
        capacities = edge_capacities(self._network, self._catalogue_size_bytes)
        services = serving_services(self._settings, self._network, capacities)
        return [service for service in services if service.name.startswith("edge ")]
