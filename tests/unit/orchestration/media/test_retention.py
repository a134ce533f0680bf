from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from orchestration.media.objects import (
    SCHEMA_VERSION,
    PackageRecord,
    Rendition,
    current_package_key,
    package_record_key,
)
from orchestration.media.retention import GRACE, Swept, sweep_media
from orchestration.media.settings import MediaSettings
from orchestration.store import LocalStore

NOW = dt.datetime(2026, 9, 30, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)


class Title:
    """A title's packages and renditions, as old as a test wants them."""

    def __init__(self, store: LocalStore, title_id: str) -> None:
        self.store, self.title_id = store, title_id

    def rendition(self, rendition_id: str, age: dt.timedelta) -> None:
        for name in ("init.mp4", "seg-00001.m4s", "rendition.json"):
            key = f"media/{self.title_id}/r/{rendition_id}/{name}"
            self.store.put_bytes(key, b"12345")
            moment = (NOW - age).timestamp()
            os.utime(self.store.local_path(key), (moment, moment))

    def package(self, package_id: str, age: dt.timedelta, *rendition_ids: str) -> None:
        record = PackageRecord(
            schema_version=SCHEMA_VERSION, title_id=self.title_id, package_id=package_id, source_sha256="0" * 64,
            duration_s=1.0, segment_duration_s=4.0, created_at=NOW - age, hls_key="", dash_key="", poster_key=None,
            renditions=[
                Rendition(
                    rendition_id=name, rung="240p", kind="video", codecs="avc1", bitrate_bps=1, peak_bitrate_bps=1
                )
                for name in rendition_ids
            ],
            objects=[],
        )  # fmt: skip
        self.store.put_bytes(f"media/{self.title_id}/p/{package_id}/master.m3u8", b"#EXTM3U")
        self.store.put_bytes(package_record_key(self.title_id, package_id), msgspec.json.encode(record))

    def serve(self, package_id: str) -> None:
        self.store.put_bytes(current_package_key(self.title_id), package_id.encode(), replace=True)

    @property
    def left(self) -> set[str]:
        return {
            "/".join(key.split("/")[2:4]) for key in self.store.keys(f"media/{self.title_id}/") if "/CURR" not in key
        }


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path)


@pytest.fixture
def title(store: LocalStore) -> Title:
    return Title(store, "film")


def sweep(store: LocalStore) -> Swept:
    return sweep_media(store, MediaSettings(), NOW)


def test_current_and_the_one_before_stay_and_what_only_older_ones_name_goes(store: LocalStore, title: Title) -> None:
    for name in ("oldest", "old", "new", "shared"):
        title.rendition(name, 90 * DAY)
    title.package("p1", 90 * DAY, "oldest", "shared")
    title.package("p2", 60 * DAY, "old", "shared")
    title.package("p3", 30 * DAY, "new", "shared")
    title.serve("p3")
    swept = sweep(store)
    assert swept.packages == ["film/p1"]
    assert swept.renditions == ["film/oldest"]
    assert swept.size_bytes > 15
    assert title.left == {"p/p2", "p/p3", "r/old", "r/new", "r/shared"}
    assert sweep(store).packages == []


def test_what_was_replaced_within_the_grace_stays(store: LocalStore, title: Title) -> None:
    title.rendition("first", 90 * DAY)
    title.package("p1", 90 * DAY, "first")
    title.package("p2", GRACE - DAY)
    title.package("p3", DAY)
    title.serve("p3")
    assert sweep(store).packages == []
    assert "r/first" in title.left


def test_a_current_package_older_than_others_stays(store: LocalStore, title: Title) -> None:
    """The same renditions and texts give the same package again: going back serves an old one."""
    for name, age in (("p1", 90), ("p2", 60), ("p3", 30)):
        title.package(name, age * DAY)
    title.serve("p1")
    assert sweep(store).packages == ["film/p2"]


def test_a_young_rendition_that_nothing_names_yet_stays_and_an_old_one_goes(store: LocalStore, title: Title) -> None:
    title.rendition("being-encoded", DAY)
    title.rendition("corrected-away", 30 * DAY)
    title.package("p1", 90 * DAY)
    title.serve("p1")
    assert sweep(store).renditions == ["film/corrected-away"]


@pytest.mark.parametrize("damaged_key", ["media/film/p/p0/objects.json", "ingest/film/CURRENT"])
def test_a_title_with_a_record_that_cannot_be_read_is_left_alone_and_others_are_swept(
    store: LocalStore, title: Title, damaged_key: str
) -> None:
    other = Title(store, "other")
    for one in (title, other):
        one.rendition("unnamed", 90 * DAY)
        one.package("p1", 90 * DAY)
        one.serve("p1")
    store.put_bytes(damaged_key, b"{broken")
    swept = sweep(store)
    assert list(swept.left_alone) == ["film"]
    assert damaged_key in swept.left_alone["film"]
    assert swept.renditions == ["other/unnamed"]
    assert "r/unnamed" in title.left


def test_bytes_that_another_title_links_stay_there(store: LocalStore, title: Title) -> None:
    title.rendition("unnamed", 90 * DAY)
    title.package("p1", 90 * DAY)
    title.serve("p1")
    store.link("media/film/r/unnamed/init.mp4", "media/twin/r/unnamed/init.mp4")
    sweep(store)
    assert store.read_bytes("media/twin/r/unnamed/init.mp4") == b"12345"


def test_a_title_that_is_not_served_yet_is_not_looked_at(store: LocalStore, title: Title) -> None:
    title.rendition("unnamed", 90 * DAY)
    assert sweep(store).titles == 0
    assert title.left == {"r/unnamed"}


def test_chunks_of_an_encode_that_was_given_up_go_when_none_was_added_for_the_grace(store: LocalStore) -> None:
    ages = {
        "left/0123/chunks/a.0-100.mp4": 90 * DAY,
        "left/0123/chunks/plan-1.json": 90 * DAY,
        "left/0123/probe.json": 90 * DAY,
        "going-on/4567/chunks/a.0-100.mp4": 90 * DAY,
        "going-on/4567/chunks/a.100-end.mp4": GRACE - DAY,
    }
    for name, age in ages.items():
        store.put_bytes(f"ingest/{name}", b"12345")
        moment = (NOW - age).timestamp()
        os.utime(store.local_path(f"ingest/{name}"), (moment, moment))
    swept = sweep(store)
    assert (swept.chunks, swept.size_bytes) == (["left/0123"], 10)
    assert {key.removeprefix("ingest/") for key in store.keys("ingest/")} == set(list(ages)[2:])


def test_a_chunk_that_goes_while_it_is_looked_at_stops_nothing(tmp_path: Path, title: Title) -> None:
    class Busy(LocalStore):
        def keys(self, prefix: str) -> Iterator[str]:
            yield from super().keys(prefix)
            if prefix.endswith("/chunks/"):
                yield f"{prefix}gone.mp4"

    store = Busy(tmp_path)
    store.put_bytes("ingest/film/0123/chunks/a.0-100.mp4", b"12345")
    os.utime(store.local_path("ingest/film/0123/chunks/a.0-100.mp4"), (0, 0))
    title.rendition("unnamed", 90 * DAY)
    title.package("p1", DAY)
    title.serve("p1")
    swept = sweep(store)
    assert (swept.chunks, swept.renditions) == ([], ["film/unnamed"])
