from __future__ import annotations

import datetime as dt
from pathlib import Path

import msgspec
import pytest

from orchestration.media.errors import PackageMissing
from orchestration.media.objects import (
    SCHEMA_VERSION,
    MediaObject,
    PackageRecord,
    current_package_key,
    media_prefix,
    package_record_key,
)
from orchestration.media.publish import (
    current_packages,
    publish_package,
    read_current_package,
    share_title,
    share_titles,
)
from orchestration.store import LocalStore, file_sha256


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path)


def put_package(store: LocalStore, title_id: str, package_id: str = "p1") -> PackageRecord:
    keys = [f"p/{package_id}/master.m3u8", "r/aa/init.mp4", "r/aa/seg-00001.m4s"]
    objects = []
    for key in keys:
        store.put_bytes(media_prefix(title_id) + key, key.encode())
        sha256 = file_sha256(store.local_path(media_prefix(title_id) + key))
        objects.append(MediaObject(key=key, size_bytes=len(key), sha256=sha256, rung="240p", segment_group=0))
    record = PackageRecord(
        schema_version=SCHEMA_VERSION,
        title_id=title_id,
        package_id=package_id,
        source_sha256="a" * 64,
        duration_s=4.0,
        segment_duration_s=4.0,
        created_at=dt.datetime(2026, 9, 1, tzinfo=dt.UTC),
        hls_key=f"p/{package_id}/master.m3u8",
        dash_key=f"p/{package_id}/manifest.mpd",
        poster_key=None,
        renditions=[],
        objects=objects,
    )
    store.put_bytes(package_record_key(title_id, package_id), msgspec.json.encode(record))
    publish_package(store, record)
    return record


def test_the_pointer_decides_what_is_served(store: LocalStore) -> None:
    put_package(store, "film", "p1")
    put_package(store, "film", "p2")
    assert read_current_package(store, "film").package_id == "p2"


def test_a_title_without_a_package_is_an_error(store: LocalStore) -> None:
    with pytest.raises(PackageMissing, match="nothing-here"):
        read_current_package(store, "nothing-here")


def test_sharing_links_every_object_under_the_other_title(store: LocalStore) -> None:
    source = put_package(store, "film")
    share_title(store, "film", "s-0001")
    record = read_current_package(store, "s-0001")
    assert record == msgspec.structs.replace(source, title_id="s-0001")
    for item in record.objects:
        here = store.local_path(media_prefix("s-0001") + item.key)
        assert here.samefile(store.local_path(media_prefix("film") + item.key))


def test_sharing_again_changes_nothing_and_a_new_package_is_taken_over(store: LocalStore) -> None:
    put_package(store, "film", "p1")
    assert share_titles(store, {"s-0001": "film"}).linked == 1
    again = share_titles(store, {"s-0001": "film"})
    assert (again.linked, again.untouched) == (0, 1)
    put_package(store, "film", "p2")
    assert share_titles(store, {"s-0001": "film"}).linked == 1
    assert read_current_package(store, "s-0001").package_id == "p2"


def test_an_interrupted_share_is_finished(store: LocalStore) -> None:
    put_package(store, "film")
    share_title(store, "film", "s-0001")
    store.delete(current_package_key("s-0001"))
    store.delete(package_record_key("s-0001", "p1"))
    store.delete(media_prefix("s-0001") + "r/aa/init.mp4")
    share_title(store, "film", "s-0001")
    assert store.exists(media_prefix("s-0001") + "r/aa/init.mp4")
    assert read_current_package(store, "s-0001").title_id == "s-0001"


def test_one_bad_source_does_not_stop_the_others(store: LocalStore) -> None:
    put_package(store, "film")
    shared = share_titles(store, {"s-0001": "film", "s-0002": "gone", "s-0003": "film"})
    assert shared.linked == 2
    assert list(shared.failed) == ["s-0002"]


def test_one_broken_record_is_reported_and_the_others_are_listed(store: LocalStore) -> None:
    for title_id in ("a-film", "b-film", "c-film"):
        put_package(store, title_id)
    store.put_bytes(package_record_key("b-film", "p1"), b"{ broken", replace=True)
    store.put_bytes("media/no-pointer/r/aa/init.mp4", b"")
    broken: list[str] = []
    titles = [record.title_id for record in current_packages(store, lambda title, _error: broken.append(title))]
    assert titles == ["a-film", "c-film"]
    assert broken == ["b-film"]


def test_an_unknown_schema_version_is_refused(store: LocalStore) -> None:
    record = put_package(store, "film")
    newer = msgspec.structs.replace(record, schema_version=99)
    store.put_bytes(package_record_key("film", "p1"), msgspec.json.encode(newer), replace=True)
    with pytest.raises(PackageMissing, match="schema version 99"):
        read_current_package(store, "film")


def test_a_damaged_record_is_told_with_what_to_do_and_a_lent_one_is_made_anew(store: LocalStore) -> None:
    put_package(store, "film")
    lent = share_title(store, "film", "s-0001")
    record_key = package_record_key("s-0001", "p1")
    store.put_bytes(record_key, b"{ broken", replace=True)
    with pytest.raises(PackageMissing, match=rf"{record_key} cannot be read .* delete it and materialise media/"):
        read_current_package(store, "s-0001")
    store.delete(record_key)
    with pytest.raises(PackageMissing, match=rf"has no {record_key}"):
        read_current_package(store, "s-0001")
    assert share_titles(store, {"s-0001": "film"}).linked == 1
    assert read_current_package(store, "s-0001") == lent
