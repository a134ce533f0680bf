import json
import os
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from orchestration.edge.topology import read_network
from orchestration.services import (
    Service,
    ServiceError,
    ServiceFleet,
    any_free_port,
    choose_ports,
    serving_services,
)
from orchestration.settings import read_settings

SERVER = textwrap.dedent("""
    import http.server, subprocess, sys
    if len(sys.argv) > 2:
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        open(sys.argv[2], "w").write(str(child.pid))

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args):
            pass

    http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
""")


def _service(name: str, *arguments: str, script: str = SERVER) -> Service:
    port = any_free_port()
    return Service(
        name=name, url=f"http://127.0.0.1:{port}", command=(sys.executable, "-c", script, str(port), *arguments)
    )


def _alive(pid: int) -> bool:
    state = Path(f"/proc/{pid}/stat")
    return state.exists() and state.read_text().split(")")[1].split()[0] != "Z"


def _ends(pid: int) -> bool:
    """Whether a process that was killed, and is not ours to wait for, goes within ten seconds."""
    for _ in range(200):
        if not _alive(pid):
            return True
        time.sleep(0.05)
    return False


def test_a_fleet_ends_what_it_started_and_their_children(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    with ServiceFleet(tmp_path / "logs") as fleet:
        fleet.start([_service("one"), _service("two", str(note))])
        fleet.check()
        child = int(note.read_text())
        assert _alive(child)
    assert _ends(child)


def test_a_service_that_fails_at_start_says_its_last_words(tmp_path: Path) -> None:
    broken = _service("broken", script="raise SystemExit('no disk left')")
    with ServiceFleet(tmp_path) as fleet, pytest.raises(ServiceError, match="no disk left"):
        fleet.start([broken])


def test_a_service_that_ends_unasked_is_noticed(tmp_path: Path) -> None:
    with ServiceFleet(tmp_path) as fleet:
        service = _service("one")
        fleet.start([service])
        _, process = fleet._running["one"]
        process.kill()
        process.wait()
        with pytest.raises(ServiceError, match="one ended"):
            fleet.check()


def test_ports_that_are_taken_are_moved_and_written_down(tmp_path: Path) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        taken = holder.getsockname()[1]
        environment = {"MATINEE_HOME": str(tmp_path), "MATINEE_CONTROL_URL": f"http://127.0.0.1:{taken}"}
        chosen = choose_ports(read_settings(environment))
    assert not chosen.control_url.endswith(f":{taken}")
    urls = [chosen.control_url, chosen.collector_url, chosen.origin_url, *chosen.edge_urls.values()]
    assert len(set(urls)) == len(urls)
    again = read_settings({"MATINEE_HOME": str(tmp_path)})
    assert again.control_url == chosen.control_url
    assert again.edge_urls == chosen.edge_urls


def test_control_is_told_where_edges_and_origin_are_now(tmp_path: Path) -> None:
    network = read_network()
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        taken = f"http://127.0.0.1:{holder.getsockname()[1]}"
        moved_edge = network.edges[0].edge_id
        (tmp_path / "world.toml").write_text(f'origin_url = "{taken}"\n[edge_urls]\n{moved_edge} = "{taken}"\n')
        chosen = choose_ports(read_settings({"MATINEE_HOME": str(tmp_path)}))
    services = serving_services(chosen, network, dict.fromkeys(chosen.edge_urls, 10**9))
    url_of = {service.name: service.url for service in services}
    [control] = [service for service in services if service.name == "control"]
    told = json.loads(control.environment["MATINEE_EDGE_URLS"])
    assert told == {edge.edge_id: url_of[f"edge {edge.edge_id}"] for edge in network.edges}
    assert told[moved_edge] != taken
    assert control.environment["MATINEE_ORIGIN_URL"] == url_of["origin"] != taken


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc; run on Linux")
def test_servers_end_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    store = tmp_path / "store"
    store.mkdir()
    port = any_free_port()
    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            textwrap.dedent(f"""
                import sys, time
                from pathlib import Path
                from orchestration.services import Service, ServiceFleet
                fleet = ServiceFleet(Path({str(tmp_path)!r}))
                fleet.start([Service(
                    name="origin", url="http://127.0.0.1:{port}",
                    command=(sys.executable, "-m", "playback_api.serve", "origin", "--port", "{port}",
                             "--exit-with-parent"),
                    environment={{"MATINEE_STORE_FOLDER": {str(store)!r}}},
                )])
                print(fleet._running["origin"][1].pid, flush=True)
                time.sleep(600)
            """),
        ],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    assert parent.stdout is not None
    server = int(parent.stdout.readline())
    assert _alive(server)
    parent.kill()
    parent.wait()
    assert _ends(server)
