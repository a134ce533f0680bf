"""The snapshot's form on disk: a change here is a change of contract, and of ``SCHEMA_VERSION``."""

import datetime as dt
import json

import msgspec

from playback_api.snapshot import SCHEMA_VERSION, write_snapshot
from playback_api.snapshot.testing import NOON, make_content

TITLE_FIELDS = {
    "title_id", "package_id", "name", "kind", "genres", "language", "maturity_age", "release_date", "duration_s",
    "size_bytes", "hls_path", "dash_path", "poster_path", "synopsis", "licence_start", "licence_end", "rungs",
}  # fmt: skip
PATHWAY_FIELDS = {
    "pathway_id", "base_url", "region_id", "weight", "failure_domain", "latency_s_by_region",
}  # fmt: skip


def test_the_files_and_their_form(tmp_path):
    manifest = write_snapshot(tmp_path, make_content(title_count=1), clock=lambda: NOON, lifetime=dt.timedelta(hours=6))
    folder = tmp_path / "snapshots" / manifest.snapshot_id
    written = json.loads((folder / "manifest.json").read_text())

    assert SCHEMA_VERSION == (1, 2)
    assert written["schema_version"] == [1, 2]
    assert written["created_at"] == "2026-10-01T12:00:00Z"
    assert written["expires_at"] == "2026-10-01T18:00:00Z"
    assert {path.name for path in folder.iterdir()} == {
        "manifest.json", "titles.msgpack", "popularity.msgpack", "topology.msgpack", "placement.msgpack",
        "models.msgpack", "experiments.msgpack",
    }  # fmt: skip
    title = msgspec.msgpack.decode((folder / "titles.msgpack").read_bytes())[0]
    assert set(title) == TITLE_FIELDS
    assert set(title["rungs"][0]) == {"rung", "width", "height", "bitrate_bps", "codecs"}
    topology = msgspec.msgpack.decode((folder / "topology.msgpack").read_bytes())
    assert set(topology["pathways"][0]) == PATHWAY_FIELDS
    popularity = msgspec.msgpack.decode((folder / "popularity.msgpack").read_bytes())
    assert popularity["*"] == [{"title_id": "s-0001", "score": 1.0}]
    placement = msgspec.msgpack.decode((folder / "placement.msgpack").read_bytes())
    assert placement["north-1"]["s-0001"]["240p"] == [0, 1, 2]


def test_the_id_is_made_of_time_and_content(tmp_path):
    manifest = write_snapshot(tmp_path, make_content(title_count=1), clock=lambda: NOON, lifetime=dt.timedelta(hours=6))
    time, content_hash = manifest.snapshot_id.split("-")
    assert time == "20261001t120000000z"
    assert len(content_hash) == 12
