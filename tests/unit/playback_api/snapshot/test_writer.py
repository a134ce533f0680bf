import dataclasses
import datetime as dt

import pytest

from playback_api.snapshot import SnapshotError, SnapshotMissing, load_snapshot, publish, remove_old, write_snapshot
from playback_api.snapshot.testing import NOON, make_content, publish_content

DAY = dt.timedelta(days=1)


def clock_at(moment):
    return lambda: moment


def test_a_written_snapshot_reads_back_as_it_was_given(tmp_path):
    content = make_content(title_count=3)

    manifest = write_snapshot(tmp_path, content, clock=clock_at(NOON), lifetime=DAY)
    snapshot = load_snapshot(tmp_path, manifest.snapshot_id)

    assert list(snapshot.titles) == content.titles
    assert snapshot.popularity == content.popularity
    assert snapshot.topology == content.topology
    assert snapshot.placement == content.placement
    assert snapshot.models == content.models
    assert snapshot.manifest.placement_plan_ids == {"north": "plan-1"}
    assert snapshot.manifest.expires_at == NOON + DAY
    assert snapshot.manifest.counts["titles"] == 3
    assert snapshot.recommender_folder is None


def test_the_recommender_folder_is_copied_with_its_subfolders(tmp_path):
    model = tmp_path / "model"
    (model / "items").mkdir(parents=True)
    (model / "meta.json").write_text("{}")
    (model / "items" / "factors.bin").write_bytes(b"\x00\x01")

    manifest = write_snapshot(
        tmp_path / "store", make_content(recommender_folder=model), clock=clock_at(NOON), lifetime=DAY
    )
    snapshot = load_snapshot(tmp_path / "store", manifest.snapshot_id)

    assert snapshot.recommender_folder is not None
    assert (snapshot.recommender_folder / "items" / "factors.bin").read_bytes() == b"\x00\x01"
    assert "recommender/items/factors.bin" in {file.path for file in manifest.files}


def test_ids_sort_by_time_and_differ_by_content(tmp_path):
    early = write_snapshot(tmp_path, make_content(), clock=clock_at(NOON), lifetime=DAY)
    late = write_snapshot(tmp_path, make_content(), clock=clock_at(NOON + DAY), lifetime=DAY)
    other = write_snapshot(tmp_path, make_content(title_count=4), clock=clock_at(NOON), lifetime=DAY)

    assert early.snapshot_id < late.snapshot_id
    assert early.snapshot_id[-12:] == late.snapshot_id[-12:]
    assert other.snapshot_id[-12:] != early.snapshot_id[-12:]


def test_a_missing_recommender_folder_leaves_nothing_behind(tmp_path):
    content = dataclasses.replace(make_content(), recommender_folder=tmp_path / "nowhere")

    with pytest.raises(SnapshotError, match="nowhere"):
        write_snapshot(tmp_path / "store", content, clock=clock_at(NOON), lifetime=DAY)

    assert list((tmp_path / "store" / "snapshots").iterdir()) == []


def test_writing_does_not_publish_and_publishing_needs_a_written_snapshot(tmp_path):
    manifest = write_snapshot(tmp_path, make_content(), clock=clock_at(NOON), lifetime=DAY)
    pointer = tmp_path / "snapshots" / "CURRENT"

    assert not pointer.exists()
    with pytest.raises(SnapshotMissing, match="20200101"):
        publish(tmp_path, "20200101t000000000z-abcdefabcdef")
    publish(tmp_path, manifest.snapshot_id)

    assert pointer.read_text() == manifest.snapshot_id


def test_remove_old_keeps_the_newest_and_the_one_that_is_served(tmp_path):
    first = publish_content(tmp_path, make_content())
    later = [
        write_snapshot(tmp_path, make_content(), clock=clock_at(NOON + hours * DAY), lifetime=DAY)
        for hours in range(1, 5)
    ]

    removed = remove_old(tmp_path, keep=2)

    left = {path.name for path in (tmp_path / "snapshots").iterdir() if path.is_dir()}
    assert removed == [later[0].snapshot_id, later[1].snapshot_id]
    assert left == {first.snapshot_id, later[2].snapshot_id, later[3].snapshot_id}


def test_remove_old_of_an_empty_store_is_no_error(tmp_path):
    assert remove_old(tmp_path) == []
