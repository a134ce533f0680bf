from __future__ import annotations

import datetime as dt
from pathlib import Path

import msgspec
import pytest

from orchestration.media.correction import Delivered
from orchestration.media.ladder import Ladder, VideoRung
from orchestration.media.objects import SCHEMA_VERSION, PackageRecord, Rendition, package_record_key
from orchestration.media.renditions import is_complete, rendition_key
from orchestration.media.settings import MediaSettings
from orchestration.media.superseded import sweep_superseded
from orchestration.store import LocalStore

SETTINGS = MediaSettings()
TITLE = "film"
LADDER = Ladder(
    source_sha256="a" * 64,
    frame_rate="25",
    duration_s=10.0,
    video=[VideoRung(rendition_id="new", rung="360p", width=640, height=360, cap_bps=1, crf=24.0, target_vmaf=90.0)],
    audio=[],
)


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    """A title of whose rung three renditions were made; a package names the middle one."""
    store = LocalStore(tmp_path)
    for rendition_id in ("old", "packaged", "new", "captions"):
        for name in ("init.mp4", "seg-00001.m4s", "rendition.json"):
            store.put_bytes(rendition_key(TITLE, rendition_id, name), b"x")
    record = PackageRecord(
        schema_version=SCHEMA_VERSION, title_id=TITLE, package_id="first", source_sha256="a" * 64, duration_s=10.0,
        segment_duration_s=4.0, created_at=dt.datetime(2026, 1, 1, tzinfo=dt.UTC), hls_key="", dash_key="",
        poster_key=None, objects=[],
        renditions=[
            Rendition(
                rendition_id="packaged", rung="360p", kind="video", codecs="avc1", bitrate_bps=1, peak_bitrate_bps=1
            )
        ],
    )  # fmt: skip
    store.put_bytes(package_record_key(TITLE, "first"), msgspec.json.encode(record))
    return store


def measured(rendition_id: str, target_vmaf: float | None = 90.0) -> Delivered:
    return Delivered(
        rendition_id=rendition_id, rung="360p", crf=20.0, target_vmaf=target_vmaf, vmaf=95.0, harmonic_mean=95.0,
        percentile_5=90.0, pictures=10, cpu_s=1.0,
    )  # fmt: skip


def test_what_no_package_names_is_gone_and_nothing_else(store: LocalStore) -> None:
    known = [measured("old"), measured("packaged"), measured("new")]
    assert sweep_superseded(store, TITLE, LADDER, known, SETTINGS) == ["old"]
    assert not list(store.keys(rendition_key(TITLE, "old", "")))
    assert all(is_complete(store, TITLE, rendition_id) for rendition_id in ("packaged", "new", "captions"))
    assert sweep_superseded(store, TITLE, LADDER, known, SETTINGS) == []


def test_a_rung_without_a_target_was_not_corrected(store: LocalStore) -> None:
    assert sweep_superseded(store, TITLE, LADDER, [measured("old", None), measured("new")], SETTINGS) == []
    assert is_complete(store, TITLE, "old")
