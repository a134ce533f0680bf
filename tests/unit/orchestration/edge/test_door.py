import subprocess
import sys
from pathlib import Path

from orchestration import edge

PROJECT = Path(__file__).resolve().parents[4]
TOPOLOGY_ALONE = """
import sys
from orchestration.edge.topology import read_network
print(sorted({"polars", "httpx"} & set(sys.modules)))
"""


def test_every_name_at_the_door_can_be_had() -> None:
    assert [name for name in edge.__all__ if not hasattr(edge, name)] == []


def test_the_topology_alone_loads_neither_frames_nor_http() -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", TOPOLOGY_ALONE], cwd=PROJECT, capture_output=True, text=True, check=True
    ).stdout
    assert loaded.strip() == "[]"
