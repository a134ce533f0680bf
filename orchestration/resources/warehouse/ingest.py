"""From the event log into the lake: every stored record once, whatever happens in between.

Rows and the offset up to which they were read are written in one transaction. A run that is killed has therefore either
done a chunk or not touched it, and the next run goes on where the lake says. A record that cannot be read is written
down with its address and its reason, and the rest goes on: the log keeps it, so nothing is lost by moving past it.
"""

from __future__ import annotations

import datetime as dt
import fcntl
import gc
import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import duckdb
import msgspec
import pyarrow as pa

from orchestration.resources.warehouse.connection import transaction, with_patience
from orchestration.resources.warehouse.event_columns import (
    RecordAddress,
    StoredBeat,
    StoredItem,
    beats_table,
    impressions_table,
    is_from_the_future,
)
from orchestration.resources.warehouse.raw_tables import (
    CONSUMED_SEGMENTS,
    HEARTBEATS,
    IMPRESSIONS,
    UNREADABLE_RECORDS,
    arrow_schema,
    qualified,
)
from playback_api.events import BeatsRecord, CorruptRecord, LogRecord, decode_record

DEFAULT_CHUNK_ROWS = 100_000
REASONS_KEPT = 20


class LogReader(Protocol):
    """What ingest needs of ``playback_api.events.SegmentLogReader``."""

    def writers(self) -> list[str]:
        """Names of all writers."""
        ...

    def segments(self, writer: str) -> list[int]:
        """The segments of a writer, oldest first."""
        ...

    def read(self, writer: str, segment: int, from_offset: int = 0) -> Iterator[tuple[LogRecord, int]]:
        """Records from an offset on, each with the offset after it; raises ``CorruptRecord`` at damaged bytes."""
        ...


@dataclass(frozen=True, kw_only=True)
class UnreadableRecord:
    """A record that stays in the log because nobody can read it."""

    writer: str
    segment: int
    record_offset: int
    reason: str


@dataclass(kw_only=True)
class IngestReport:
    """What one ingest did; grows with every chunk that was committed.

    Attributes:
        beats, impressions: Rows that entered the lake; an impression is one row for every title it showed.
        records: Log records behind them.
        segments: Segment files that had something new.
        log_bytes: Bytes of log consumed.
        beats_by_day: Rows that entered, by event day: the days whose tables must be built again.
        beats_from_the_future: Beats whose clock ran so far ahead that they count for the day of their arrival.
        unreadable: The first of the records that could not be read, and ``unreadable_count`` how many there were.
    """

    beats: int = 0
    impressions: int = 0
    records: int = 0
    segments: int = 0
    log_bytes: int = 0
    chunks: int = 0
    beats_by_day: Counter[dt.date] = field(default_factory=Counter)
    impressions_by_day: Counter[dt.date] = field(default_factory=Counter)
    beats_from_the_future: int = 0
    unreadable_count: int = 0
    unreadable: list[UnreadableRecord] = field(default_factory=list)

    @property
    def event_days(self) -> list[dt.date]:
        """The days that something arrived for, sorted."""
        return sorted({*self.beats_by_day, *self.impressions_by_day})


def ingest_events(
    connection: duckdb.DuckDBPyConnection,
    reader: LogReader,
    *,
    lock_path: Path,
    chunk_rows: int = DEFAULT_CHUNK_ROWS,
    now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
) -> IngestReport:
    """Bring everything new of the event log into ``raw.heartbeats`` and ``raw.impressions``.

    Args:
        connection: To a lake that has the raw tables.
        reader: Of the event log.
        lock_path: A file that keeps a second ingest out; it waits until the first is done.
        chunk_rows: Rows that are collected before they are committed; bounds the memory.
        now: The clock, for ``ingested_at``.

    Raises:
        WarehouseBusy: The lake stayed locked. What was committed before stays.
    """
    report = IngestReport()
    with _exclusive(lock_path), _collector_paused():
        done = _consumed(connection)
        chunk = _Chunk()
        for writer in reader.writers():
            # A later segment was begun only when this one was complete and had been read to its end.
            newest_consumed = max((segment for name, segment in done if name == writer), default=0)
            for segment in reader.segments(writer):
                if segment < newest_consumed:
                    continue
                before = report.log_bytes + chunk.log_bytes
                stays_unread = False
                for item in _records(reader, writer, segment, done.get((writer, segment), 0)):
                    chunk.add(item)
                    stays_unread = item.stays_unread
                    if chunk.rows >= chunk_rows:
                        _commit(connection, chunk, report, now())
                        chunk = _Chunk()
                report.segments += report.log_bytes + chunk.log_bytes > before
                if stays_unread:
                    # Consuming a later segment would say that this one is done: the writer waits for the next run.
                    break
        if chunk.progress:
            _commit(connection, chunk, report, now())
    return report


@dataclass(frozen=True, slots=True)
class _Read:
    """One step through a segment: a record or its reason for being unreadable, and the offsets around it.

    ``stays_unread`` says that the file could not be read from here on, and is to be tried again.
    """

    address: RecordAddress
    before: int
    after: int
    record: LogRecord | None
    reason: str = ""
    stays_unread: bool = False


@dataclass(slots=True)
class _Progress:
    consumed_bytes: int = 0
    records: int = 0
    rows: int = 0


@dataclass(slots=True)
class _Chunk:
    """What will be committed together."""

    beats: list[StoredBeat] = field(default_factory=list)
    items: list[StoredItem] = field(default_factory=list)
    unreadable: list[UnreadableRecord] = field(default_factory=list)
    progress: dict[tuple[str, int], _Progress] = field(default_factory=dict)
    log_bytes: int = 0

    @property
    def rows(self) -> int:
        return len(self.beats) + len(self.items)

    def add(self, item: _Read) -> None:
        progress = self.progress.setdefault((item.address.writer, item.address.segment), _Progress())
        rows_before = self.rows
        if item.record is None:
            self._refuse(item.address, item.reason)
        else:
            self._decode(item.address, item.record)
        progress.consumed_bytes = item.after
        progress.records += 1
        progress.rows += self.rows - rows_before
        self.log_bytes += item.after - item.before

    def _decode(self, address: RecordAddress, record: LogRecord) -> None:
        try:
            content = decode_record(record)
        except msgspec.DecodeError as error:
            self._refuse(address, f"the payload does not keep the schema: {error}")
            return
        if isinstance(content, BeatsRecord):
            self.beats.extend(StoredBeat(beat, content.received_at, address) for beat in content.beats)
        else:
            self.items.extend(StoredItem(item, content, address) for item in content.items)

    def _refuse(self, address: RecordAddress, reason: str) -> None:
        self.unreadable.append(
            UnreadableRecord(
                writer=address.writer, segment=address.segment, record_offset=address.record_offset, reason=reason
            )
        )


def _records(reader: LogReader, writer: str, segment: int, offset: int) -> Iterator[_Read]:
    """The records of a segment from an offset on, stepping over damaged bytes."""
    while True:
        try:
            for record, after in reader.read(writer, segment, offset):
                yield _Read(RecordAddress(writer, segment, record.offset), offset, after, record)
                offset = after
        except CorruptRecord as error:
            resume_offset = error.resume_offset
            if resume_offset is None or resume_offset <= offset:
                # Nothing more can be read here. The damage is reported until a later segment has been read.
                yield _Read(RecordAddress(writer, segment, error.offset), offset, offset, None, str(error))
                return
            yield _Read(RecordAddress(writer, segment, error.offset), offset, resume_offset, None, str(error))
            offset = resume_offset
        except OSError as error:
            address = RecordAddress(writer, segment, offset)
            yield _Read(address, offset, offset, None, f"the file cannot be read: {error}", stays_unread=True)
            return
        else:
            return


def _commit(connection: duckdb.DuckDBPyConnection, chunk: _Chunk, report: IngestReport, now: dt.datetime) -> None:
    beats = beats_table(chunk.beats, arrow_schema(connection, HEARTBEATS))
    items = impressions_table(chunk.items, arrow_schema(connection, IMPRESSIONS))
    with_patience(lambda: _write(connection, chunk, beats, items, now))
    report.beats += len(chunk.beats)
    report.impressions += len(chunk.items)
    report.records += sum(progress.records for progress in chunk.progress.values())
    report.log_bytes += chunk.log_bytes
    report.chunks += 1
    report.beats_by_day.update(beats["event_day"].to_pylist())
    report.impressions_by_day.update(items["event_day"].to_pylist())
    report.beats_from_the_future += sum(is_from_the_future(stored) for stored in chunk.beats)
    report.unreadable_count += len(chunk.unreadable)
    report.unreadable.extend(chunk.unreadable[: REASONS_KEPT - len(report.unreadable)])


def _write(
    connection: duckdb.DuckDBPyConnection, chunk: _Chunk, beats: pa.Table, items: pa.Table, now: dt.datetime
) -> None:
    """One transaction: rows, refusals and the offsets up to which the log was read."""
    moment = now.astimezone(dt.UTC).replace(tzinfo=None)
    with transaction(connection):
        for table, rows in ((HEARTBEATS, beats), (IMPRESSIONS, items)):
            if rows.num_rows:
                connection.register("incoming", rows)
                connection.execute(f"insert into {qualified(table)} from incoming")
                connection.unregister("incoming")
        for record in chunk.unreadable:
            address = [record.writer, record.segment, record.record_offset]
            connection.execute(
                f"delete from {qualified(UNREADABLE_RECORDS)} where writer = ? and segment = ? and record_offset = ?",
                address,
            )
            connection.execute(
                f"insert into {qualified(UNREADABLE_RECORDS)} values (?, ?, ?, ?, ?)", [*address, record.reason, moment]
            )
        for (writer, segment), progress in chunk.progress.items():
            earlier = connection.execute(
                f"select coalesce(sum(records), 0), coalesce(sum(rows), 0) from {qualified(CONSUMED_SEGMENTS)} "
                "where writer = ? and segment = ?",
                [writer, segment],
            ).fetchone() or (0, 0)
            connection.execute(
                f"delete from {qualified(CONSUMED_SEGMENTS)} where writer = ? and segment = ?", [writer, segment]
            )
            connection.execute(
                f"insert into {qualified(CONSUMED_SEGMENTS)} values (?, ?, ?, ?, ?, ?)",
                [
                    writer, segment, progress.consumed_bytes,
                    earlier[0] + progress.records, earlier[1] + progress.rows, moment,
                ],
            )  # fmt: skip


def _consumed(connection: duckdb.DuckDBPyConnection) -> dict[tuple[str, int], int]:
    rows = with_patience(
        lambda: connection.execute(
            f"select writer, segment, consumed_bytes from {qualified(CONSUMED_SEGMENTS)}"
        ).fetchall()
    )
    return {(writer, segment): consumed for writer, segment, consumed in rows}


@contextmanager
def _exclusive(lock_path: Path) -> Iterator[None]:
    handle = os.open(lock_path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Decoded events hold no cycles, and looking for some costs a quarter of the ingest's time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
