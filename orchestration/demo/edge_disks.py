"""The disks of this host's edges, and the states of them that are set aside and brought back.

A comparison of two waves is fair only when the edges hold the same at the start of both.
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from orchestration import edge
from orchestration.edge.topology import Network
from orchestration.services import is_local
from orchestration.settings import Settings
from orchestration.store import LocalStore, link_or_copy

STARTING = "starting"
"""What a warm-up wave left in the pull-through caches: where both waves begin."""


class EdgeDisks:
    """Sets states of the disks aside and brings them back."""

    def __init__(self, settings: Settings, network: Network) -> None:
        self._settings = settings
        self._network = network

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
        _share_tree(self._settings.edges_folder, staged)
        staged.rename(folder)

    def lay_out(self, state: str) -> None:
        """Bring a state back while no edge runs; empty disks when it was never set aside."""
        shutil.rmtree(self._settings.edges_folder, ignore_errors=True)
        if self.is_set_aside(state):
            _share_tree(self._states_folder / state, self._settings.edges_folder)

    def restore(self, state: str) -> None:
        """Bring a state back under edges that run, and have them read it as if they had just started.

        Nobody must be asking anything of the edges meanwhile.

        Raises:
            EdgeError: An edge does not read its disk anew.
        """
        self.lay_out(state)
        with edge.connect_edges(self._urls(), self._settings.secret) as clients:
            for client in clients.values():
                client.rescan()

    def filled_state(self) -> str:
        """The name of the state in which the plans in force are filled."""
        store = LocalStore(self._settings.store_folder)
        keys = [edge.current_plan_key(region.region_id) for region in self._network.regions]
        plans = "|".join(store.read_bytes(key).decode() for key in keys if store.exists(key))
        return f"filled-{hashlib.sha256(plans.encode()).hexdigest()[:12]}"

    @property
    def _states_folder(self) -> Path:
        return self._settings.home / "edge-states"

    def _urls(self) -> dict[str, str]:
        """Of the edges whose disks are here."""
        edge_ids = [node.edge_id for node in self._network.edges]
        urls = {edge_id: self._settings.edge_urls[edge_id] for edge_id in edge_ids}
        return {edge_id: url for edge_id, url in urls.items() if is_local(url)}


def _share_tree(source: Path, target: Path) -> None:
    """Make a folder the same as another. They share their files: an edge replaces a file, it never writes into one.

    Where they are copied they keep their time, by which an edge knows what it pulled first.
    """
    shutil.copytree(source, target, copy_function=lambda one, other: link_or_copy(Path(one), Path(other)))
