"""A rendition as it stands in the store: its segments, and the record that says that all of them are there.

``media/<title_id>/r/<rendition_id>/`` holds init.mp4, seg-00001.m4s ... and, written last, ``rendition.json``.
Manifests are written from these records alone (`manifests.py`), so that a new package reads no segment. A rendition
without its record is a leftover of an interrupted run: nothing refers to it, and it is made again.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from orchestration.media.errors import PackagingError
from orchestration.media.objects import Rendition
from orchestration.media.records import read_record
from orchestration.store import ObjectStore

RENDITION_SCHEMA_VERSION = 1
INIT_NAME = "init.mp4"
RECORD_NAME = "rendition.json"


class Segment(msgspec.Struct, frozen=True, kw_only=True):
    """One media segment; times in ticks of the rendition's timescale."""

    name: str
    start_ticks: int
    duration_ticks: int
    size_bytes: int
    sha256: str


class KeyFrame(msgspec.Struct, frozen=True, kw_only=True):
    """One picture that can be shown alone: a byte range of a segment, for I-frame playlists."""

    segment_name: str
    offset_bytes: int
    size_bytes: int
    duration_s: float


class RenditionRecord(msgspec.Struct, frozen=True, kw_only=True):
    """``rendition.json``: everything that manifests say about one rendition.

    Attributes:
        frame_rate: Exact, such as ``30000/1001``; empty for audio.
        keyframe_peak_bps, keyframe_average_bps: Bit rates of the I-frame playlist; 0 for audio.
        key_fingerprint: Of the key it is encrypted under (`protection.py`); empty in the clear.
    """

    schema_version: int
    rendition: Rendition
    timescale: int
    frame_rate: str
    channels: int
    sample_rate_hz: int
    init_size_bytes: int
    init_sha256: str
    segments: list[Segment]
    key_frames: list[KeyFrame]
    keyframe_peak_bps: int = 0
    keyframe_average_bps: int = 0
    key_fingerprint: str = ""

    @property
    def duration_s(self) -> float:
        """From the first to the end of the last segment."""
        last = self.segments[-1]
        return (last.start_ticks + last.duration_ticks - self.segments[0].start_ticks) / self.timescale

    @property
    def size_bytes(self) -> int:
        """Init segment and media segments."""
        return self.init_size_bytes + sum(segment.size_bytes for segment in self.segments)

    @property
    def file_names(self) -> list[str]:
        """Init segment and media segments, of picture or sound."""
        return [INIT_NAME, *(segment.name for segment in self.segments)]

    def start_s(self, segment: Segment) -> float:
        """When a segment starts."""
        return segment.start_ticks / self.timescale

    def segment_duration_s(self, segment: Segment) -> float:
        """How long a segment lasts."""
        return segment.duration_ticks / self.timescale


def rendition_key(title_id: str, rendition_id: str, name: str) -> str:
    """Where a file of a rendition stands in the store."""
    return f"media/{title_id}/r/{rendition_id}/{name}"


def is_complete(store: ObjectStore, title_id: str, rendition_id: str) -> bool:
    """Whether all of a rendition is in the store."""
    return store.exists(rendition_key(title_id, rendition_id, RECORD_NAME))


def read_rendition(store: ObjectStore, title_id: str, rendition_id: str) -> RenditionRecord:
    """The record of a complete rendition.

    Raises:
        PackagingError: It is not complete.
        RecordDamaged: Its record cannot be read.
    """
    key = rendition_key(title_id, rendition_id, RECORD_NAME)
    record = read_record(store, key, RenditionRecord, "media/renditions")
    if record is None:
        raise PackagingError(f"rendition {rendition_id} of {title_id} is not complete; materialise media/renditions")
    return record


def store_rendition(store: ObjectStore, title_id: str, record: RenditionRecord, folder: Path) -> None:
    """Put a rendition's files from ``folder`` into the store, its record last."""
    rendition_id = record.rendition.rendition_id
    for name in record.file_names:
        store.put_file(rendition_key(title_id, rendition_id, name), folder / name, replace=True)
    put_record(store, title_id, record)


def link_rendition(store: ObjectStore, source_title_id: str, target_title_id: str, record: RenditionRecord) -> None:
    """Give a title a rendition of another one, its record last."""
    rendition_id = record.rendition.rendition_id
    for name in record.file_names:
        store.link(
            rendition_key(source_title_id, rendition_id, name), rendition_key(target_title_id, rendition_id, name)
        )
    put_record(store, target_title_id, record)


def put_record(store: ObjectStore, title_id: str, record: RenditionRecord) -> None:
    """Say that all of a rendition is in the store: the last step of its making."""
    key = rendition_key(title_id, record.rendition.rendition_id, RECORD_NAME)
    store.put_bytes(key, msgspec.json.encode(record), replace=True)
