"""Events on their way into the loop: their schema, and the log in which they are stored.

Writers (collector, control API, sample history) append; readers (ingest) take (writer, segment, offset) from where they
stopped. Nothing here knows a web framework or a warehouse.
"""

from __future__ import annotations

from playback_api.events.errors import (
    CorruptRecord,
    LogBusy,
    LogClosed,
    LogError,
    LogLocked,
    LogWriteError,
    RecordTooLarge,
)
from playback_api.events.framing import MAX_PAYLOAD_BYTES, LogRecord, RecordKind
from playback_api.events.group_commit import GroupCommitLog
from playback_api.events.intake import BatchTooLarge, BatchUnreadable, Intake, RejectedBeat, read_batch
from playback_api.events.log_reader import SegmentLogReader
from playback_api.events.log_writer import DEFAULT_SEGMENT_BYTES, SegmentLogWriter
from playback_api.events.records import BeatsRecord, decode_record, encode_beats, encode_impression
from playback_api.events.schema import (
    HEARTBEAT_VERSION,
    MAX_BEATS_PER_BATCH,
    Beat,
    BeatBatch,
    Delivery,
    Exposure,
    Impression,
    ImpressionItem,
    PlaybackError,
    Run,
    Stall,
    heartbeat_json_schema,
    impression_json_schema,
)

__all__ = [
    "DEFAULT_SEGMENT_BYTES",
    "HEARTBEAT_VERSION",
    "MAX_BEATS_PER_BATCH",
    "MAX_PAYLOAD_BYTES",
    "BatchTooLarge",
    "BatchUnreadable",
    "Beat",
    "BeatBatch",
    "BeatsRecord",
    "CorruptRecord",
    "Delivery",
    "Exposure",
    "GroupCommitLog",
    "Impression",
    "ImpressionItem",
    "Intake",
    "LogBusy",
    "LogClosed",
    "LogError",
    "LogLocked",
    "LogRecord",
    "LogWriteError",
    "PlaybackError",
    "RecordKind",
    "RecordTooLarge",
    "RejectedBeat",
    "Run",
    "SegmentLogReader",
    "SegmentLogWriter",
    "Stall",
    "decode_record",
    "encode_beats",
    "encode_impression",
    "heartbeat_json_schema",
    "impression_json_schema",
    "read_batch",
]
