import datetime as dt
import json
import logging

import pytest

from playback_api.snapshot import (
    SnapshotDamaged,
    SnapshotMissing,
    SnapshotReader,
    SnapshotVersionUnsupported,
    load_snapshot,
    publish,
    write_snapshot,
)
from playback_api.snapshot.testing import NOON, make_content, publish_content

DAY = dt.timedelta(days=1)


def folder_of(store, manifest):
    return store / "snapshots" / manifest.snapshot_id


def rewrite_manifest(store, manifest, **changes):
    path = folder_of(store, manifest) / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_look_ups(tmp_path):
    publish_content(tmp_path, make_content(title_count=6))
    snapshot = SnapshotReader(tmp_path).load()

    assert snapshot.title_by_id["s-0002"].genres == ["documentary"]
    assert snapshot.popular("south")[0].title_id == "s-0006"
    assert snapshot.popular("nowhere") == snapshot.popularity["*"]
    assert snapshot.region_ids == {"north", "south"}
    assert set(snapshot.genres) == {"drama", "comedy", "documentary"}


def test_loading_without_a_published_snapshot_says_so(tmp_path):
    with pytest.raises(SnapshotMissing, match="CURRENT"):
        SnapshotReader(tmp_path).load()


@pytest.mark.parametrize("name", ["titles.msgpack", "popularity.msgpack", "topology.msgpack", "placement.msgpack"])
def test_a_changed_byte_in_any_file_is_found(tmp_path, name):
    manifest = publish_content(tmp_path, make_content())
    path = folder_of(tmp_path, manifest) / name
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)

    with pytest.raises(SnapshotDamaged, match=name):
        load_snapshot(tmp_path, manifest.snapshot_id)


def test_a_truncated_and_a_missing_file_are_found(tmp_path):
    manifest = publish_content(tmp_path, make_content())
    path = folder_of(tmp_path, manifest) / "titles.msgpack"
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(SnapshotDamaged, match="bytes"):
        load_snapshot(tmp_path, manifest.snapshot_id)
    path.unlink()
    with pytest.raises(SnapshotDamaged, match="does not exist"):
        load_snapshot(tmp_path, manifest.snapshot_id)


def test_another_major_version_is_refused_and_a_newer_minor_is_read(tmp_path):
    manifest = publish_content(tmp_path, make_content())
    rewrite_manifest(tmp_path, manifest, schema_version=[1, 9], something_new=True)
    assert load_snapshot(tmp_path, manifest.snapshot_id).titles
    rewrite_manifest(tmp_path, manifest, schema_version=[2, 0])
    with pytest.raises(SnapshotVersionUnsupported, match=r"2\.0"):
        load_snapshot(tmp_path, manifest.snapshot_id)


def test_a_manifest_cannot_reach_outside_its_folder(tmp_path):
    manifest = publish_content(tmp_path, make_content())
    (tmp_path / "secret").write_bytes(b"x")
    files = [{"path": "../../secret", "size_bytes": 1, "sha256": "0" * 64}]
    rewrite_manifest(tmp_path, manifest, files=files)
    with pytest.raises(SnapshotDamaged, match="outside"):
        load_snapshot(tmp_path, manifest.snapshot_id)


def test_refresh_takes_over_what_was_published(tmp_path):
    reader = SnapshotReader(tmp_path)
    assert reader.refresh() is False
    assert reader.failures == 0

    first = publish_content(tmp_path, make_content(title_count=3))
    assert reader.refresh() is True
    assert reader.refresh() is False
    second = publish_content(tmp_path, make_content(title_count=4), clock=lambda: NOON + DAY)
    assert reader.refresh() is True

    assert first.snapshot_id != second.snapshot_id
    assert reader.current.snapshot_id == second.snapshot_id
    assert reader.loads == 2


def test_a_broken_successor_is_refused_counted_logged_once_and_the_good_one_served_on(tmp_path, caplog):
    reader = SnapshotReader(tmp_path, clock=lambda: NOON)
    good = publish_content(tmp_path, make_content(title_count=3))
    reader.refresh()
    bad = write_snapshot(tmp_path, make_content(title_count=4), clock=lambda: NOON + DAY, lifetime=DAY)
    (folder_of(tmp_path, bad) / "models.msgpack").write_bytes(b"")
    publish(tmp_path, bad.snapshot_id)

    with caplog.at_level(logging.ERROR):
        assert reader.refresh() is False
        assert reader.refresh() is False

    assert reader.current.snapshot_id == good.snapshot_id
    assert reader.failures == 2
    assert "models.msgpack" in reader.last_failure.reason
    assert len([record for record in caplog.records if "refused" in record.message]) == 1

    publish_content(tmp_path, make_content(title_count=5), clock=lambda: NOON + 2 * DAY)
    assert reader.refresh() is True
    assert reader.last_failure is None


def test_a_pointer_that_vanishes_or_holds_a_path_is_a_failure_and_not_an_outage(tmp_path):
    reader = SnapshotReader(tmp_path)
    good = publish_content(tmp_path, make_content())
    reader.refresh()
    pointer = tmp_path / "snapshots" / "CURRENT"

    pointer.write_text("../elsewhere")
    assert reader.refresh() is False
    pointer.unlink()
    assert reader.refresh() is False

    assert reader.failures == 2
    assert reader.current.snapshot_id == good.snapshot_id


def test_a_pointer_and_a_manifest_that_cannot_be_read_leave_the_good_snapshot_in_place(tmp_path):
    reader = SnapshotReader(tmp_path)
    good = publish_content(tmp_path, make_content())
    reader.refresh()
    pointer = tmp_path / "snapshots" / "CURRENT"
    for content in (b"\xff\xfe", b"a\0b", b"x" * 300):
        pointer.write_bytes(content)
        assert reader.refresh() is False
    bad = write_snapshot(tmp_path, make_content(title_count=4), clock=lambda: NOON + DAY, lifetime=DAY)
    publish(tmp_path, bad.snapshot_id)
    manifest = folder_of(tmp_path, bad) / "manifest.json"
    manifest.write_bytes(b'{"schema_version": [1, 0], "snapshot_id": "\xff"}')
    assert reader.refresh() is False
    manifest.unlink()
    manifest.mkdir()
    assert reader.refresh() is False

    assert reader.failures == 5
    assert reader.current.snapshot_id == good.snapshot_id


def test_a_file_that_the_manifest_leaves_out_and_cannot_be_read_is_damage(tmp_path):
    manifest = publish_content(tmp_path, make_content())
    rewrite_manifest(tmp_path, manifest, files=[])
    path = folder_of(tmp_path, manifest) / "titles.msgpack"
    path.unlink()
    path.mkdir()
    with pytest.raises(SnapshotDamaged, match="titles"):
        load_snapshot(tmp_path, manifest.snapshot_id)


def test_expiry_is_flagged_and_the_snapshot_served_on(tmp_path):
    now = [NOON]
    publish_content(tmp_path, make_content(), lifetime=dt.timedelta(hours=1))
    reader = SnapshotReader(tmp_path, clock=lambda: now[0])
    reader.refresh()
    assert not reader.expired
    now[0] = NOON + dt.timedelta(hours=1)
    assert reader.expired
    assert reader.current is not None
