"""Real processes on loopback: an origin, edges, and the graph's fill driving them through trouble."""

import hashlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import dagster as dg
import httpx
import msgspec
import polars as pl
import pytest

from orchestration.defs.edge import build_defs
from orchestration.defs.edge.purge import build_job
from orchestration.demo.edge_disks import EdgeDisks
from orchestration.edge import (
    EdgeClient,
    Network,
    current_plan_key,
    drive_fills,
    plan_fills,
    plan_from_rows,
    plan_key,
    read_network,
)
from orchestration.resources.edges import EdgeFleet
from orchestration.resources.storage import MediaStorage
from orchestration.resources.warehouse import Warehouse
from orchestration.settings import read_settings

PROJECT = Path(__file__).resolve().parents[2]
SECRET = "loopback"
OBJECT_BYTES = 20_000


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Process:
    """One server process of the platform; it ends with the test, whatever happens."""

    def __init__(self, application, port, **environment):
        self.application = application
        self.url = f"http://127.0.0.1:{port}"
        self._arguments = [sys.executable, "-m", "playback_api.serve", application, "--port", str(port)]
        self._environment = os.environ | {f"MATINEE_{name.upper()}": str(v) for name, v in environment.items()}
        self._process = None

    def start(self):
        self._process = subprocess.Popen(
            [*self._arguments, "--exit-with-parent"], cwd=PROJECT, env=self._environment, stdin=subprocess.PIPE
        )
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                httpx.get(f"{self.url}/system/health").raise_for_status()
                return self
            except httpx.HTTPError:
                assert self._process.poll() is None, f"{self.application} ended with {self._process.returncode}"
                time.sleep(0.05)
        raise AssertionError(f"{self.application} does not come up")

    def kill(self):
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()
            self._process.stdin.close()


class World:
    """A store with titles, an origin over it, two edges, and the frames that the graph would have."""

    def __init__(self, folder):
        self.folder = folder
        self.store_folder = folder / "store"
        records = []
        for title in ("t-1", "t-2"):
            for group in range(8):
                for number in range(3):
                    key = f"r/aaa/{group}-{number}.m4s"
                    content = hashlib.sha256(f"{title}/{key}".encode()).digest() * (OBJECT_BYTES // 32)
                    path = self.store_folder / "media" / title / key
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(content)
                    records.append((title, "pk", key, "240p", group, len(content), hashlib.sha256(content).hexdigest()))
        columns = ["title_id", "package_id", "key", "rung", "segment_group", "size_bytes", "sha256"]
        self.object_files = pl.DataFrame(records, schema=columns, orient="row")
        self.origin = Process("origin", free_port(), store_folder=self.store_folder)
        self.edges = {edge_id: self.edge(edge_id) for edge_id in ("eu-north-1", "eu-north-2")}

    def edge(self, edge_id):
        return Process(
            "edge",
            free_port(),
            edge_id=edge_id,
            folder=self.folder / "edges" / edge_id,
            capacity_bytes=3_000_000,
            upstream_url=self.origin.url,
            secret=SECRET,
        )

    def plan(self, plan_id="plan-1", titles=("t-1", "t-2"), edges=("eu-north-1", "eu-north-2")):
        groups = self.object_files.group_by("title_id", "package_id", "rung", "segment_group").agg(
            pl.col("size_bytes").sum()
        )
        rows = (
            groups.filter(pl.col("title_id").is_in(titles))
            .join(pl.DataFrame({"edge_id": edges}), how="cross")
            .sort("segment_group", "title_id")
            .with_columns(
                pl.lit(plan_id).alias("plan_id"),
                pl.lit("eu-north").alias("region_id"),
                pl.lit(1.0).alias("value"),
                pl.int_range(pl.len()).over("edge_id").alias("rank"),
            )
        )
        return plan_from_rows(plan_id, "eu-north", rows)


@pytest.fixture
def world(tmp_path):
    world = World(tmp_path)
    started = [world.origin, *world.edges.values()]
    try:
        for process in started:
            process.start()
        yield world
    finally:
        for process in started:
            process.kill()


@pytest.fixture
def http():
    with httpx.Client(timeout=10) as client:
        yield client


def clients_of(world, http):
    return {edge_id: EdgeClient(edge_id, edge.url, SECRET, http=http) for edge_id, edge in world.edges.items()}


def test_killed_edge_comes_back_right_and_resumes_while_the_other_goes_on(world, http):
    edge, client = world.edges["eu-north-1"], clients_of(world, http)["eu-north-1"]
    # 48 objects of 20 kB at 2 Mbit/s take 4 s: time to kill the edge half-way, on a machine that is busy too.
    fills = plan_fills(world.plan(), world.object_files, upstream_url=world.origin.url, rate_bps=2e6)
    killed = threading.Event()
    seen = {}

    def kill_half_way(edge_id, progress):
        if edge_id == "eu-north-1" and 12 <= progress.objects_done < 48 and not killed.is_set():
            killed.set()
            edge.kill()
            edge.start()
            seen["inventory"] = client.inventory()
            seen["progress"] = client.fill_progress()

    report = drive_fills(
        fills, clients_of(world, http), plan_id="plan-1", on_progress=kill_half_way, poll_interval_s=0.05
    )
    assert killed.is_set()
    assert [result.state for result in report.edges] == ["complete", "complete"]
    assert seen["progress"].state == "interrupted"
    on_disk_then = seen["progress"].objects_done
    assert 12 <= on_disk_then < 48
    listed = sum(len(groups) for rungs in seen["inventory"].complete.values() for groups in rungs.values())
    assert 3 * listed <= on_disk_then
    resumed = report.edges[0]
    assert (resumed.objects_already_there, resumed.objects_filled) == (on_disk_then, 48 - on_disk_then)
    assert resumed.missing_groups == 0
    after = client.inventory()
    assert after.generation > seen["inventory"].generation
    assert after.complete == {title: {"240p": list(range(8))} for title in ("t-1", "t-2")}
    hit = http.get(f"{edge.url}/media/t-1/r/aaa/7-2.m4s")
    assert hit.headers["cache-status"] == "eu-north-1; hit; detail=placed"
    assert hit.content == (world.store_folder / "media/t-1/r/aaa/7-2.m4s").read_bytes()


def test_edge_that_dies_in_mid_fill_is_reported_and_keeps_its_truth(world, http):
    edge = world.edges["eu-north-1"]
    fills = plan_fills(world.plan(), world.object_files, upstream_url=world.origin.url, rate_bps=2e6)

    def kill_half_way(edge_id, progress):
        if edge_id == "eu-north-1" and progress.objects_done >= 6:
            edge.kill()

    report = drive_fills(
        fills, clients_of(world, http), plan_id="plan-1", on_progress=kill_half_way, poll_interval_s=0.05
    )
    dead, alive = report.edges
    assert (dead.state, alive.state) == ("unreachable", "complete")
    assert dead.missing_groups == 16
    edge.start()
    inventory = clients_of(world, http)["eu-north-1"].inventory()
    for title, rungs in inventory.complete.items():
        for group in rungs["240p"]:
            for number in range(3):
                key = f"{title}/r/aaa/{group}-{number}.m4s"
                placed = world.folder / "edges" / "eu-north-1" / "placed" / key
                assert placed.read_bytes() == (world.store_folder / "media" / key).read_bytes()


def test_disks_are_brought_back_under_running_edges(world, http):
    urls = {edge_id: edge.url for edge_id, edge in world.edges.items()}
    settings = replace(read_settings({"MATINEE_HOME": str(world.folder), "MATINEE_SECRET": SECRET}), edge_urls=urls)
    edges = tuple(edge for edge in read_network().edges if edge.edge_id in urls)
    disks = EdgeDisks(settings, Network(regions=(), edges=edges))
    clients = clients_of(world, http)

    def ask(edge_id, key):
        answer = http.get(f"{urls[edge_id]}/media/{key}")
        assert answer.content == (world.store_folder / "media" / key).read_bytes()
        return answer.headers["cache-status"].split("; ", 1)[1]

    for edge_id in urls:
        ask(edge_id, "t-2/r/aaa/0-0.m4s")
    disks.set_aside("pulled")
    pulled = {edge_id: client.inventory() for edge_id, client in clients.items()}
    fills = plan_fills(world.plan(titles=("t-1",)), world.object_files, upstream_url=world.origin.url)
    drive_fills(fills, clients, plan_id="plan-1", poll_interval_s=0.05)
    disks.set_aside("filled")
    filled = {edge_id: client.inventory() for edge_id, client in clients.items()}

    disks.restore("pulled")
    for edge_id, client in clients.items():
        found = client.inventory()
        assert found.generation > filled[edge_id].generation
        assert without_generation(found) == without_generation(pulled[edge_id])
        assert ask(edge_id, "t-2/r/aaa/0-0.m4s") == "hit; detail=cached"
        assert ask(edge_id, "t-1/r/aaa/0-0.m4s") == "fwd=uri-miss; stored; fwd-status=200"
        client.purge(cached=True)
    disks.restore("filled")
    for edge_id, client in clients.items():
        assert without_generation(client.inventory()) == without_generation(filled[edge_id])
        assert client.fill_progress().state == "complete"
        assert ask(edge_id, "t-1/r/aaa/0-0.m4s") == "hit; detail=placed"
        assert ask(edge_id, "t-2/r/aaa/0-0.m4s") == "hit; detail=cached"  # the purge did not reach what is set aside
    disks.restore("never set aside")
    for edge_id, client in clients.items():
        assert (client.inventory().complete, client.inventory().cached_bytes) == ({}, 0)
        assert ask(edge_id, "t-2/r/aaa/0-0.m4s") == "fwd=uri-miss; stored; fwd-status=200"


def without_generation(inventory):
    return msgspec.structs.replace(inventory, generation=0)


class FilesOnly(Warehouse):
    """A warehouse that has one table."""

    path: str

    def read(self, table, columns=None):
        assert table == "serving.srv_object_files"
        return pl.read_parquet(self.path)


def publish(world, plan):
    path = world.store_folder / plan_key("eu-north", plan.plan_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    plan.rows.write_parquet(path)
    (world.store_folder / current_plan_key("eu-north")).write_text(plan.plan_id)


def test_assets_fill_a_region_and_tell_what_is_there(world, http, tmp_path):
    world.object_files.write_parquet(tmp_path / "files.parquet")
    home = {"MATINEE_HOME": str(tmp_path / "home"), "MATINEE_ORIGIN_URL": world.origin.url}
    definitions = build_defs(read_settings(home))
    assets = [asset for asset in definitions.assets if asset.key.path[-1] in ("fill", "inventory")]
    urls = {edge_id: edge.url for edge_id, edge in world.edges.items()}
    resources = {
        "storage": MediaStorage(root=str(world.store_folder)),
        "warehouse": FilesOnly(lake_folder=str(tmp_path / "lake"), path=str(tmp_path / "files.parquet")),
        "edges": EdgeFleet(secret=SECRET, urls=urls | {"gone-1": "http://127.0.0.1:1"}),
    }
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("region", ["eu-north"])

        def fill():
            config = {"ops": {"edge__fill": {"config": {"ignore_window": True, "poll_interval_s": 0.05}}}}
            result = dg.materialize(
                assets,
                selection=[dg.AssetKey(["edge", "fill"])],
                resources=resources,
                instance=instance,
                partition_key="eu-north",
                run_config=config,
            )
            return result.asset_materializations_for_node("edge__fill")[0].metadata

        def take_inventory():
            result = dg.materialize(
                assets, selection=[dg.AssetKey(["edge", "inventory"])], resources=resources, instance=instance
            )
            checks = {check.check_name: check for check in result.get_asset_check_evaluations()}
            return result.asset_materializations_for_node("edge__inventory")[0].metadata, checks

        publish(world, world.plan())
        metadata = fill()
        assert (metadata["edges_complete"].value, metadata["objects_filled"].value) == (2, 96)
        assert metadata["bytes_moved"].value == 96 * OBJECT_BYTES
        assert "| eu-north-2 | complete | 48 | 48 |" in metadata["report"].value
        metadata, checks = take_inventory()
        assert (metadata["groups_present"].value, metadata["groups_missing"].value) == (32, 0)
        assert checks["plan_is_placed"].passed
        assert checks["nothing_outside_the_plan"].passed
        assert not checks["every_edge_answered"].passed
        assert checks["every_edge_answered"].severity is dg.AssetCheckSeverity.WARN
        assert "gone-1" in checks["every_edge_answered"].description

        publish(world, world.plan("plan-2", titles=("t-1",)))
        metadata, checks = take_inventory()
        assert not checks["nothing_outside_the_plan"].passed
        assert metadata["groups_stale"].value == 16
        metadata = fill()
        assert (metadata["bytes_moved"].value, metadata["stale_objects_removed"].value) == (0, 48)
        _, checks = take_inventory()
        assert checks["nothing_outside_the_plan"].passed

        clients_of(world, http)["eu-north-2"].purge(title_ids=["t-1"])
        metadata = fill()
        assert (metadata["bytes_from_siblings"].value, metadata["bytes_from_origin"].value) == (24 * OBJECT_BYTES, 0)
        assert metadata["sibling_failures"].value == 0


def test_a_title_leaves_every_edge_and_a_dead_edge_is_asked_again_until_the_run_fails(world, http):
    clients = clients_of(world, http)
    fills = plan_fills(world.plan(), world.object_files, upstream_url=world.origin.url)
    assert drive_fills(fills, clients, plan_id="plan-1", poll_interval_s=0.05).complete_edges == 2
    network = Network(regions=(read_network().region("eu-north"),), edges=read_network().edges_of("eu-north"))
    job = build_job(network, dg.RetryPolicy(max_retries=2, delay=0))
    resources = {
        "edges": EdgeFleet(secret=SECRET, urls={edge_id: edge.url for edge_id, edge in world.edges.items()}),
        "storage": MediaStorage(root=str(world.store_folder)),
        "warehouse": Warehouse(lake_folder=str(world.folder / "lake")),
    }

    def purge(title_ids):
        config = {"ops": {"purge": {"config": {"title_ids": title_ids}}}}
        return job.execute_in_process(run_config=config, resources=resources, raise_on_error=False)

    world.edges["eu-north-2"].kill()
    told = purge(["t-1"])
    assert not told.success
    assert len([event for event in told.all_events if event.event_type_value == "STEP_RESTARTED"]) == 2
    (failure,) = [event for event in told.all_events if event.event_type_value == "STEP_FAILURE"]
    assert "not acknowledged by eu-north-2: " in failure.event_specific_data.user_failure_data.description
    assert set(clients["eu-north-1"].inventory().complete) == {"t-2"}, "a dead edge holds up no other"

    world.edges["eu-north-2"].start()
    assert "t-1" in clients["eu-north-2"].inventory().complete
    assert purge(["t-1"]).success
    assert set(clients["eu-north-2"].inventory().complete) == {"t-2"}
    assert purge(["t-1"]).success, "a title that no edge holds any more is known all the same"

    told = purge(["t-2", "t-22"])
    assert not told.success
    (failure,) = [event for event in told.all_events if event.event_type_value == "STEP_FAILURE"]
    problem = failure.event_specific_data.user_failure_data.description
    assert problem == "neither the media store nor the catalogue knows t-22: correct the id"
    assert not [event for event in told.all_events if event.event_type_value == "STEP_RESTARTED"]
    assert clients["eu-north-1"].inventory().complete == {}, "the ids that are right are purged"
