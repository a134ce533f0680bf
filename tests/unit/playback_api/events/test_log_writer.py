import errno
import os

import pytest

from playback_api.events import (
    MAX_PAYLOAD_BYTES,
    LogClosed,
    LogError,
    LogLocked,
    LogWriteError,
    RecordKind,
    RecordTooLarge,
    SegmentLogReader,
    SegmentLogWriter,
)


def stored_payloads(root, writer="w"):
    reader = SegmentLogReader(root)
    return [
        record.payload for segment in reader.segments(writer) for record, _ in reader.read(writer, segment)
    ]  # fmt: skip


def append_all(log, *payloads):
    for payload in payloads:
        log.append(RecordKind.BEATS, payload)


class Disk:
    """``os.write`` and ``os.fsync`` with a size limit and a short-write limit."""

    def __init__(self, *, short_bytes=1 << 30):
        self.short_bytes = short_bytes
        self.free_bytes = 1 << 30
        self.sync_error = None
        self.syncs = 0

    def write(self, file, content):
        if self.free_bytes == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = os.write(file, content[: min(self.short_bytes, self.free_bytes)])
        self.free_bytes -= written
        return written

    def sync(self, file):
        self.syncs += 1
        if self.sync_error:
            raise self.sync_error
        os.fsync(file)


def test_nothing_is_stored_before_commit(tmp_path):
    log = SegmentLogWriter(tmp_path, "w")
    append_all(log, b"one", b"two")
    assert stored_payloads(tmp_path) == []

    log.commit()

    assert stored_payloads(tmp_path) == [b"one", b"two"]
    log.close()


def test_a_commit_is_one_fsync(tmp_path):
    disk = Disk()
    with SegmentLogWriter(tmp_path, "w", write=disk.write, sync=disk.sync) as log:
        append_all(log, b"first")
        log.commit()
        disk.syncs = 0
        append_all(log, *[b"x"] * 50)
        log.commit()
        assert disk.syncs == 1
        assert log.commit() == 0
        assert disk.syncs == 1


def test_short_writes_are_continued(tmp_path):
    disk = Disk(short_bytes=3)
    with SegmentLogWriter(tmp_path, "w", write=disk.write, sync=disk.sync) as log:
        append_all(log, b"a longer payload", b"another")

    assert stored_payloads(tmp_path) == [b"a longer payload", b"another"]


def test_a_full_disk_stores_nothing_of_the_commit_and_the_next_one_begins_a_segment(tmp_path):
    disk = Disk()
    log = SegmentLogWriter(tmp_path, "w", write=disk.write, sync=disk.sync)
    append_all(log, b"kept")
    log.commit()
    disk.free_bytes = 40

    append_all(log, b"fits", b"does not fit, not by a long way, no")
    with pytest.raises(LogWriteError, match="No space left"):
        log.commit()
    assert stored_payloads(tmp_path) == [b"kept"]

    append_all(log, b"too early")
    with pytest.raises(LogWriteError):
        log.commit()
    disk.free_bytes = 1 << 20
    append_all(log, b"after")
    log.commit()
    log.close()

    assert stored_payloads(tmp_path) == [b"kept", b"after"]
    newest = SegmentLogReader(tmp_path).segments("w")[-1]
    assert newest > 1, "a segment that was cut back must not be written again: readers remember offsets in it"


def test_a_failed_fsync_is_not_acknowledged(tmp_path):
    disk = Disk()
    log = SegmentLogWriter(tmp_path, "w", write=disk.write, sync=disk.sync)
    append_all(log, b"kept")
    log.commit()
    disk.sync_error = OSError(errno.EIO, "Input/output error")
    append_all(log, b"lost")

    with pytest.raises(LogWriteError, match="Input/output"):
        log.commit()

    assert stored_payloads(tmp_path) == [b"kept"]
    log.close()


def test_a_new_segment_begins_when_the_size_is_reached(tmp_path):
    with SegmentLogWriter(tmp_path, "w", max_segment_bytes=100) as log:
        for number in range(6):
            append_all(log, b"%d" % number * 30)
            log.commit()

    assert len(SegmentLogReader(tmp_path).segments("w")) > 1
    assert stored_payloads(tmp_path) == [b"%d" % number * 30 for number in range(6)]


def test_a_torn_tail_is_cut_off_and_said(tmp_path, caplog):
    with SegmentLogWriter(tmp_path, "w") as log:
        append_all(log, b"kept")
    path = tmp_path / "w" / "00000001.log"
    whole_bytes = path.stat().st_size
    with path.open("ab") as file:
        file.write(b"\x10\x00\x00\x00torn")

    with SegmentLogWriter(tmp_path, "w") as log:
        append_all(log, b"after")

    assert path.stat().st_size == whole_bytes
    assert "torn tail of 8 bytes" in caplog.text
    assert stored_payloads(tmp_path) == [b"kept", b"after"]


def test_damage_in_the_middle_is_left_for_the_reader_to_report(tmp_path, caplog):
    with SegmentLogWriter(tmp_path, "w") as log:
        append_all(log, b"damaged", b"fine")
    path = tmp_path / "w" / "00000001.log"
    content = bytearray(path.read_bytes())
    content[20] ^= 1
    path.write_bytes(content)

    with SegmentLogWriter(tmp_path, "w"):
        pass

    assert path.read_bytes() == content
    assert "damaged at offset 8" in caplog.text


def test_a_writer_name_belongs_to_one_process(tmp_path):
    with SegmentLogWriter(tmp_path, "w"), pytest.raises(LogLocked, match="its own writer name"):
        SegmentLogWriter(tmp_path, "w")
    SegmentLogWriter(tmp_path, "w").close()


@pytest.mark.parametrize("name", ["", "../w", "W", "a" * 65])
def test_a_writer_name_is_a_plain_identifier(tmp_path, name):
    with pytest.raises(LogError, match="writer name"):
        SegmentLogWriter(tmp_path, name)


def test_what_no_reader_would_accept_is_refused_at_once(tmp_path):
    with SegmentLogWriter(tmp_path, "w") as log:
        with pytest.raises(RecordTooLarge):
            log.append(RecordKind.BEATS, bytes(MAX_PAYLOAD_BYTES + 1))
        append_all(log, b"small")
    assert stored_payloads(tmp_path) == [b"small"]


def test_a_closed_log_takes_nothing(tmp_path):
    log = SegmentLogWriter(tmp_path, "w")
    log.close()
    log.close()
    with pytest.raises(LogClosed):
        log.append(RecordKind.BEATS, b"late")


def test_the_position_is_where_a_reader_ends(tmp_path):
    with SegmentLogWriter(tmp_path, "w") as log:
        append_all(log, b"one", b"two")
        log.commit()
        *_, (_, end) = SegmentLogReader(tmp_path).read("w", 1)
        assert log.position == (1, end)
