"""The stage as Dagster runs it: a real lake, a real store, a control API on loopback."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import dagster as dg
import msgspec
import pytest

from orchestration.defs.serving import build_defs
from orchestration.resources.edges import EdgeFleet
from orchestration.resources.serving import ServingPlane
from orchestration.resources.storage import MediaStorage
from orchestration.resources.warehouse import Warehouse
from orchestration.settings import read_settings
from orchestration.store import LocalStore
from playback_api.snapshot import ModelRecord, SnapshotReader

TITLES = """
create or replace table lake.serving.srv_titles as
select
    title_id, package_id, upper(title_id) as name, 'film' as kind, ['drama'] as genres, 'en' as language,
    7::integer as maturity_age, 60.0::double as runtime_s, 60.0::double as duration_s, 1000::bigint as size_bytes,
    'media/' || title_id || '/p/' || package_id || '/master.m3u8' as hls_path,
    'media/' || title_id || '/p/' || package_id || '/manifest.mpd' as dash_path,
    null::varchar as poster_path, '' as synopsis, date '2026-01-01' as release_date,
    null::date as licence_start, null::date as licence_end
from (values ('a', 'p1'), ('b', 'p2'), ('c', null)) as titles(title_id, package_id)
"""
RUNGS = """
create or replace table lake.serving.srv_rungs as
select
    title_id, package_id, '240p' as rung, 426 as width, 240 as height, 300000::bigint as bitrate_bps, 'avc1' as codecs
from (values ('a', 'p1'), ('b', 'p2')) as rungs(title_id, package_id)
"""
POPULARITY = """
create or replace table lake.serving.srv_popularity as
select '*' as region_id, 'b' as title_id, 1::bigint as rank, 4.0::double as score
"""


class ControlApi:
    """Answers reloads with what ``CURRENT`` names."""

    def __init__(self, store_folder):
        self.reloads = 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                outer.reloads += 1
                body = json.dumps({"snapshot_id": (store_folder / "snapshots/CURRENT").read_text()}).encode()
                self.send_response(200)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def home(tmp_path):
    warehouse = Warehouse(lake_folder=str(tmp_path / "lake"))
    with warehouse.connection() as connection:
        connection.execute("create schema if not exists lake.serving")
        for statement in (TITLES, RUNGS, POPULARITY):
            connection.execute(statement)
    return tmp_path


@pytest.fixture
def api(home):
    running = ControlApi(home / "store")
    yield running
    running.server.shutdown()
    running.server.server_close()


def materialise(home: Path, control_url: str, selection: str = "*"):
    definitions = build_defs(read_settings({"MATINEE_HOME": str(home), "MATINEE_ORIGIN_URL": "http://origin.test"}))
    return dg.materialize(
        [*definitions.assets, *definitions.asset_checks],
        resources={
            "warehouse": Warehouse(lake_folder=str(home / "lake")),
            "storage": MediaStorage(root=str(home / "store")),
            "edges": EdgeFleet(secret="secret", urls={"eu-north-1": "http://e1.test"}),
            "serving": ServingPlane(control_url=control_url),
        },
        selection=selection,
        instance=dg.DagsterInstance.ephemeral(),
        raise_on_error=False,
    )


def metadata_of(result, name):
    (event,) = result.asset_materializations_for_node(name)
    return event.metadata


def test_a_fit_snapshot_is_published_and_the_api_told(home, api):
    result = materialise(home, api.url)

    assert result.success
    served = SnapshotReader(home / "store").load()
    assert [title.title_id for title in served.titles] == ["a", "b"]
    assert served.popular("eu-north")[0].title_id == "b"
    assert set(served.pathway_by_id) == {"eu-north-1", "origin"}
    assert served.pathway_by_id["origin"].base_url == "http://origin.test"
    assert api.reloads == 1
    metadata = metadata_of(result, "serving__snapshot")
    assert metadata["served_by_api"].value == served.snapshot_id
    candidate = metadata_of(result, "serving__snapshot_candidate")
    assert candidate["count/titles"].value == 2
    assert candidate["not_playable"].value == 1
    assert "| B |" in candidate["titles"].value


def test_an_api_that_is_down_does_not_stop_publishing(home):
    result = materialise(home, "http://127.0.0.1:9")
    assert result.success
    assert SnapshotReader(home / "store").load().titles
    assert "did not answer" in metadata_of(result, "serving__snapshot")["served_by_api"].value


def publish_recommender(home, version):
    """What the recommender's stage leaves behind, without its files."""
    store = LocalStore(home / "store")
    model = ModelRecord(name="top-n", version=version, metric_name="ndcg", metric_value=0.1, run_id="r")
    store.put_bytes(f"models/recommender/{version}/models.json", msgspec.json.encode([model]), replace=True)
    store.put_bytes("models/recommender/CURRENT", f"models/recommender/{version}".encode(), replace=True)


def test_a_candidate_with_a_model_that_was_taken_back_since_is_not_published(home, api):
    publish_recommender(home, "1")
    assert materialise(home, api.url).success
    good = SnapshotReader(home / "store").load()
    publish_recommender(home, "2")
    assert materialise(home, api.url, selection='key:"serving/snapshot_candidate"').success
    publish_recommender(home, "1")

    outdated = materialise(home, api.url, selection='key:"serving/snapshot"')
    assert not outdated.success
    (failure,) = outdated.get_step_failure_events()
    assert "written with top-n 2, and top-n 1 took over since" in str(failure.step_failure_data)
    assert SnapshotReader(home / "store").load().snapshot_id == good.snapshot_id
    assert materialise(home, api.url).success, "the next candidate is of what is in force"
    assert [model.version for model in SnapshotReader(home / "store").load().models] == ["1"]


def test_an_unfit_candidate_fails_the_check_and_the_last_snapshot_stays(home, api):
    materialise(home, api.url)
    good = SnapshotReader(home / "store").load().snapshot_id
    with Warehouse(lake_folder=str(home / "lake")).connection() as connection:
        connection.execute("delete from lake.serving.srv_rungs where title_id = 'b'")

    result = materialise(home, api.url)

    assert not result.success
    (evaluation,) = result.get_asset_check_evaluations()
    assert not evaluation.passed
    assert "title b has no video rung" in evaluation.metadata["faults"].value
    assert SnapshotReader(home / "store").load().snapshot_id == good
    assert api.reloads == 1

    alone = materialise(home, api.url, selection='key:"serving/snapshot"')
    assert not alone.success
    assert SnapshotReader(home / "store").load().snapshot_id == good


def test_a_candidate_that_was_damaged_after_writing_is_not_published(home, api):
    assert materialise(home, api.url, selection='key:"serving/snapshot_candidate"').success
    written = (home / "store/snapshots/CANDIDATE").read_text()
    (home / "store/snapshots" / written / "titles.msgpack").write_bytes(b"x")
    assert not materialise(home, api.url, selection='key:"serving/snapshot"').success
    assert not (home / "store/snapshots/CURRENT").exists()


def test_publishing_before_a_candidate_was_written_says_what_to_do(home):
    result = materialise(home, "http://127.0.0.1:9", selection='key:"serving/snapshot"')
    assert not result.success
    (failure,) = result.get_step_failure_events()
    assert "serving/snapshot_candidate" in str(failure.step_failure_data)


def test_the_stage_is_filed_and_described():
    definitions = build_defs(read_settings({"MATINEE_HOME": "/nowhere"}))
    for asset in definitions.assets:
        (spec,) = asset.specs
        assert spec.group_name == "serving"
        assert spec.owners
        assert len(spec.kinds) <= 3
        assert "Grain" in spec.description
    (check,) = definitions.asset_checks
    assert all(spec.blocking for spec in check.check_specs)
