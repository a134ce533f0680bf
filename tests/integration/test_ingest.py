"""The event log into the lake: every stored record once, whatever happens in between."""

import datetime as dt

import pytest

from orchestration.resources.warehouse import Warehouse
from orchestration.resources.warehouse import ingest as ingest_module
from playback_api.events import (
    Beat,
    Impression,
    ImpressionItem,
    RecordKind,
    SegmentLogReader,
    SegmentLogWriter,
    encode_beats,
    encode_impression,
)

NOON = dt.datetime(2026, 9, 2, 12, tzinfo=dt.UTC)


def beats(session, count, sent_at=NOON):
    return [
        Beat(
            session_id=session, boot=0, seq=seq, sent_at=sent_at, kind="playing", viewer_id="v-1", title_id="t-1",
            region="eu-north",
        )
        for seq in range(count)
    ]  # fmt: skip


def impression(name):
    items = [ImpressionItem(title_id=f"t-{place}", row="top", position=place, propensity=0.5) for place in range(3)]
    return Impression(
        impression_id=name, viewer_id="v-1", region="eu-north", shown_at=NOON, snapshot_id="s", model_version="1",
        items=items,
    )  # fmt: skip


@pytest.fixture
def log(tmp_path):
    return tmp_path / "events"


@pytest.fixture
def warehouse(tmp_path):
    return Warehouse(lake_folder=str(tmp_path / "lake"))


def append(log, *batches, writer="collector", **options):
    """Store batches of beats, impressions and raw payloads, one segment per call."""
    with SegmentLogWriter(log, writer, **options) as segment_log:
        for batch in batches:
            if isinstance(batch, bytes):
                segment_log.append(RecordKind.BEATS, batch)
            elif isinstance(batch, Impression):
                segment_log.append(RecordKind.IMPRESSION, encode_impression(batch))
            else:
                segment_log.append(RecordKind.BEATS, encode_beats(batch, NOON))
            segment_log.commit()


def keys(warehouse):
    frame = warehouse.read("raw.heartbeats", ["session_id", "boot", "seq"])
    return sorted(frame.rows())


def test_everything_stored_enters_once(log, warehouse):
    append(log, beats("a", 3), impression("i-1"), beats("b", 2))
    append(log, beats("c", 1), writer="history")
    reader = SegmentLogReader(log)

    first = warehouse.ingest_events(reader)
    again = warehouse.ingest_events(reader)

    assert (first.beats, first.impressions, first.records, first.segments) == (6, 3, 4, 2)
    assert first.event_days == [dt.date(2026, 9, 2)]
    assert (again.beats, again.impressions, again.records, again.chunks) == (0, 0, 0, 0)
    assert len(keys(warehouse)) == 6
    assert warehouse.read("raw.impressions").height == 3


def test_goes_on_where_it_stopped_in_a_segment_that_grew(log, warehouse):
    with SegmentLogWriter(log, "collector") as segment_log:
        segment_log.append(RecordKind.BEATS, encode_beats(beats("a", 2), NOON))
        segment_log.commit()
        warehouse.ingest_events(SegmentLogReader(log))
        segment_log.append(RecordKind.BEATS, encode_beats(beats("b", 2), NOON))
        segment_log.commit()
        report = warehouse.ingest_events(SegmentLogReader(log))

    assert report.beats == 2
    assert len(keys(warehouse)) == 4
    consumed = warehouse.read("raw.consumed_segments").to_dicts()
    assert [(row["writer"], row["segment"], row["records"], row["rows"]) for row in consumed] == [
        ("collector", 1, 2, 4)
    ]


def test_an_ingest_that_dies_between_two_chunks_is_completed_by_the_next(log, warehouse, monkeypatch):
    for session in "abcde":
        append(log, beats(session, 4))
    reader = SegmentLogReader(log)
    write = ingest_module._write
    calls = []

    def dies_in_the_third_chunk(*arguments):
        calls.append(arguments)
        if len(calls) == 3:
            raise KeyboardInterrupt
        write(*arguments)

    monkeypatch.setattr(ingest_module, "_write", dies_in_the_third_chunk)
    with pytest.raises(KeyboardInterrupt):
        warehouse.ingest_events(reader, chunk_rows=4)
    monkeypatch.setattr(ingest_module, "_write", write)
    assert len(keys(warehouse)) == 8

    report = warehouse.ingest_events(reader, chunk_rows=4)

    assert report.beats == 12
    assert keys(warehouse) == sorted((session, 0, seq) for session in "abcde" for seq in range(4))


def test_an_ingest_that_dies_inside_a_transaction_leaves_no_row(log, warehouse, monkeypatch):
    append(log, beats("a", 4))
    qualified = ingest_module.qualified
    monkeypatch.setattr(
        ingest_module, "qualified", lambda table: "lake.raw.gone" if table == "consumed_segments" else qualified(table)
    )
    monkeypatch.setattr(ingest_module, "_consumed", lambda connection: {})
    with pytest.raises(Exception, match="gone"):
        warehouse.ingest_events(SegmentLogReader(log))
    monkeypatch.undo()

    assert keys(warehouse) == []
    assert warehouse.ingest_events(SegmentLogReader(log)).beats == 4
    assert len(keys(warehouse)) == 4


def test_a_record_that_breaks_the_schema_is_reported_and_the_rest_goes_on(log, warehouse):
    append(log, beats("a", 1), b"\x93no batch", beats("b", 1))

    report = warehouse.ingest_events(SegmentLogReader(log))

    assert report.beats == 2
    assert report.unreadable_count == 1
    assert "does not keep the schema" in report.unreadable[0].reason
    stored = warehouse.read("raw.unreadable_records").to_dicts()
    assert [(row["writer"], row["segment"]) for row in stored] == [("collector", 1)]


def test_damaged_bytes_are_stepped_over(log, warehouse):
    append(log, beats("a", 1), beats("b", 1), beats("c", 1))
    append(log, beats("d", 1))
    path = log / "collector" / "00000001.log"
    content = bytearray(path.read_bytes())
    content[content.index(b"session_id", len(content) // 3)] ^= 0xFF
    path.write_bytes(content)

    report = warehouse.ingest_events(SegmentLogReader(log))

    assert [key[0] for key in keys(warehouse)] == ["a", "c", "d"]
    assert report.unreadable_count == 1
    assert "damaged" in report.unreadable[0].reason


def test_a_file_that_is_no_segment_does_not_stop_the_others(log, warehouse):
    append(log, beats("a", 1))
    append(log, beats("b", 1))
    first = log / "collector" / "00000001.log"
    first.write_bytes(b"not a log\n" + first.read_bytes()[10:])
    append(log, beats("c", 1), writer="other")

    report = warehouse.ingest_events(SegmentLogReader(log))

    assert [key[0] for key in keys(warehouse)] == ["b", "c"]
    assert report.unreadable_count >= 1


class UnreadableSegment(SegmentLogReader):
    """A reader whose disk fails at the first segment of one writer."""

    def read(self, writer, segment, from_offset=0):
        if (writer, segment) == ("collector", 1):
            raise OSError("input/output error")
        return super().read(writer, segment, from_offset)


def test_a_segment_that_cannot_be_opened_is_read_by_a_later_ingest(log, warehouse):
    append(log, beats("a", 2))
    append(log, beats("b", 2))
    append(log, beats("c", 1), writer="history")

    failed = warehouse.ingest_events(UnreadableSegment(log))
    assert {session for session, _, _ in keys(warehouse)} == {"c"}
    assert [(found.writer, found.segment) for found in failed.unreadable] == [("collector", 1)]
    assert "input/output error" in failed.unreadable[0].reason

    assert warehouse.ingest_events(SegmentLogReader(log)).beats == 4
    assert {session for session, _, _ in keys(warehouse)} == {"a", "b", "c"}


def test_a_clock_far_ahead_counts_for_the_day_of_arrival(log, warehouse):
    append(log, beats("a", 2, sent_at=NOON + dt.timedelta(days=365)))

    report = warehouse.ingest_events(SegmentLogReader(log))

    assert report.beats_from_the_future == 2
    assert dict(report.beats_by_day) == {dt.date(2026, 9, 2): 2}
