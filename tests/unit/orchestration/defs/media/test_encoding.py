"""The fan-out of a film's chunks as steps."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest

from orchestration import partitions, taxonomy
from orchestration.defs.media import encoding, landing
from orchestration.defs.media.masters import title_work
from orchestration.media import pipeline
from orchestration.media.chunks import Chunk, ChunkPlan, write_plan
from orchestration.media.encode import Span
from orchestration.media.handover import read_ladder
from orchestration.media.settings import MediaSettings
from orchestration.media.sidecars import find_sidecars
from orchestration.resources.ffmpeg import MediaTools
from orchestration.resources.storage import MediaStorage
from orchestration.settings import Settings
from orchestration.store import LocalStore

TOOLS = MediaTools(ladder="fixed", preset="ultrafast", max_rungs=1, threads=1, quality_frames=0)
STEP = "media__renditions"


@pytest.fixture
def store(settings: Settings, make_film: Callable[[Path], Path]) -> LocalStore:
    """Holds a probed and planned film of 4 s."""
    make_film(settings.masters_folder / "film.mp4")
    work = title_work(settings, "film", MediaStorage(root=str(settings.store_folder)), TOOLS)
    pipeline.probe_title(work, settings.quarantine_folder, lambda: dt.datetime.now(dt.UTC))
    pipeline.plan_title(work)
    return LocalStore(settings.store_folder)


def in_two_chunks(store: LocalStore, settings: MediaSettings) -> None:
    spans = [Span(start=0, end=50), Span(start=50)]
    chunks = [Chunk(codec="h264", number=number, count=2, spans=[span]) for number, span in enumerate(spans, start=1)]
    write_plan(store, "film", read_ladder(store, "film"), settings, ChunkPlan(chunks=chunks))


def materialize(settings: Settings) -> dg.ExecuteInProcessResult:
    [renditions] = [asset for asset in encoding.build_assets(settings) if asset.key.path[-1] == "renditions"]
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions(partitions.title.name or "", ["film"])
        return dg.materialize(
            [renditions],
            instance=instance,
            partition_key="film",
            resources={"storage": MediaStorage(root=str(settings.store_folder)), "media_tools": TOOLS},
        )


def steps(result: dg.ExecuteInProcessResult) -> list[str]:
    return [str(event.step_key) for event in result.all_events if event.event_type_value == "STEP_SUCCESS"]


def metadata(result: dg.ExecuteInProcessResult) -> dict[str, object]:
    [event] = result.get_asset_materialization_events()
    return {name: value.value for name, value in event.materialization.metadata.items()}


def test_a_short_film_is_encoded_in_the_step_that_cuts_it(settings: Settings, store: LocalStore) -> None:
    result = materialize(settings)
    assert steps(result) == [f"{STEP}.chunks", f"{STEP}.cut"]
    assert metadata(result)["encoded_rungs"] == 2


def test_each_chunk_of_a_longer_one_is_a_step(settings: Settings, store: LocalStore) -> None:
    in_two_chunks(store, TOOLS.settings())
    result = materialize(settings)
    assert steps(result) == [
        f"{STEP}.chunks", f"{STEP}.encode_chunk[h264_0001]", f"{STEP}.encode_chunk[h264_0002]", f"{STEP}.cut",
    ]  # fmt: skip
    made = metadata(result)
    assert made["encoded_rungs"] == 2
    assert made["encode_cpu_s"] > 0
    assert not [key for key in store.keys("ingest/film") if "/chunks/" in key]


def test_steps_hand_no_value_to_each_other(settings: Settings) -> None:
    """What would be pickled to a folder of this host could not be read on another one."""
    [renditions] = [asset for asset in encoding.build_assets(settings) if asset.key.path[-1] == "renditions"]
    for node in renditions.node_def.node_defs:
        assert all(output.dagster_type.is_nothing for output in node.output_defs)
        assert all(given.dagster_type.is_nothing for given in node.input_defs)


def test_encoders_take_turns_by_the_pool(settings: Settings) -> None:
    [renditions] = [asset for asset in encoding.build_assets(settings) if asset.key.path[-1] == "renditions"]
    pools = {node.name: node.pool for node in renditions.node_def.node_defs}
    assert pools == {"chunks": None, "encode_chunk": taxonomy.POOL_ENCODE, "cut": taxonomy.POOL_ENCODE}


def test_a_sidecar_gives_a_title_its_priority(tmp_path: Path) -> None:
    master = tmp_path / "film.mp4"
    master.write_bytes(b"")
    asked = landing.Asked(fingerprint="f", attempt=1, asked_at_s=0.0)
    assert landing._request("film", asked, find_sidecars(master)).tags == {}
    (tmp_path / "film.toml").write_text("priority = 10")
    assert landing._request("film", asked, find_sidecars(master)).tags == {"dagster/priority": "10"}
    (tmp_path / "film.toml").write_text("priority = 'soon'")
    assert landing._request("film", asked, find_sidecars(master)).tags == {}
