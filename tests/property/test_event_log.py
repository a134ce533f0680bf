"""Whatever happens to a writer, a reader gives exactly what was committed."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playback_api.events import (
    CorruptRecord,
    LogWriteError,
    RecordKind,
    SegmentLogReader,
    SegmentLogWriter,
)
from playback_api.events.framing import MAGIC, frame

payload = st.binary(max_size=40)
operation = st.one_of(
    st.tuples(st.just("append"), payload),
    st.tuples(st.just("commit"), st.none()),
    st.tuples(st.just("disk full after"), st.integers(min_value=0, max_value=120)),
    st.tuples(st.just("crash"), st.none()),
    st.tuples(st.just("crash in commit after"), st.integers(min_value=0, max_value=120)),
)


class Crash(Exception):
    """The process ended here."""


class Disk:
    """Writes until its budget is used up, then fails or crashes."""

    def __init__(self):
        self.budget = None
        self.failure = OSError(28, "No space left on device")

    def write(self, file, content):
        if self.budget is None:
            return os.write(file, content)
        written = os.write(file, content[: self.budget]) if self.budget else 0
        self.budget -= written
        if written < len(content):
            raise self.failure
        return written


def read_all(root):
    reader = SegmentLogReader(root)
    return [r.payload for segment in reader.segments("w") for r, _ in reader.read("w", segment)]


def crash(log):
    """End a writer as a killed process ends: descriptors close, nothing else happens."""
    log._pending.clear()
    if log._file is not None:
        os.close(log._file)
        log._file = None
    os.close(log._lock)
    log._closed = True


@settings(max_examples=150, deadline=None)
@given(operations=st.lists(operation, max_size=25), segment_bytes=st.integers(min_value=16, max_value=200))
def test_a_reader_gives_exactly_what_was_committed(operations, segment_bytes):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        disk = Disk()

        def open_log():
            return SegmentLogWriter(
                root, "w", max_segment_bytes=segment_bytes, write=disk.write, sync=lambda file: None
            )  # fmt: skip

        log, committed, pending = open_log(), [], []
        consumed, offsets = [], {}
        for name, value in operations:
            if name == "append":
                log.append(RecordKind.BEATS, value)
                pending.append(value)
            elif name == "commit":
                log.commit()
                committed += pending
                pending = []
            elif name == "disk full after":
                disk.budget = value
                try:
                    log.commit()
                    committed += pending
                except LogWriteError:
                    pass
                pending, disk.budget = [], None
            elif name == "crash in commit after":
                whole = b"".join(frame(RecordKind.BEATS, item) for item in pending)
                if log._file is not None and whole:
                    os.write(log._file, whole[: min(value, len(whole) - 1)])
                    committed += _whole_frames(pending, min(value, len(whole) - 1))
                pending = []
                crash(log)
                log = open_log()
            else:
                crash(log)
                pending = []
                log = open_log()
            consumed += _read_new(root, offsets)
        crash(log)

        assert read_all(root) == committed
        assert consumed == committed, "reading on from remembered offsets gives the same as reading everything"


def _whole_frames(payloads, length):
    """What of an interrupted write is whole: stored, though never acknowledged."""
    kept = []
    for item in payloads:
        length -= len(frame(RecordKind.BEATS, item))
        if length < 0:
            break
        kept.append(item)
    return kept


def _read_new(root, offsets):
    reader = SegmentLogReader(root)
    new = []
    for segment in reader.segments("w"):
        for record, after in reader.read("w", segment, offsets.get(segment, 0)):
            new.append(record.payload)
            offsets[segment] = after
    return new


@settings(max_examples=100, deadline=None)
@given(payloads=st.lists(payload, min_size=1, max_size=12), data=st.data())
def test_a_file_cut_at_any_byte_gives_the_whole_records_before_the_cut(payloads, data):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        with SegmentLogWriter(root, "w", sync=lambda file: None) as log:
            for item in payloads:
                log.append(RecordKind.BEATS, item)
        path = root / "w" / "00000001.log"
        cut = data.draw(st.integers(min_value=0, max_value=path.stat().st_size))
        os.truncate(path, cut)
        expected = _whole_frames(payloads, cut - len(MAGIC))

        assert read_all(root) == expected
        with SegmentLogWriter(root, "w", sync=lambda file: None) as log:
            log.append(RecordKind.BEATS, b"after")
        assert read_all(root) == [*expected, b"after"]


@settings(max_examples=100, deadline=None)
@given(payloads=st.lists(payload, min_size=2, max_size=12), data=st.data())
def test_damage_is_never_skipped_in_silence(payloads, data):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        with SegmentLogWriter(root, "w", sync=lambda file: None) as log:
            for item in payloads:
                log.append(RecordKind.BEATS, item)
        path = root / "w" / "00000001.log"
        (root / "w" / "00000002.log").write_bytes(MAGIC)
        content = bytearray(path.read_bytes())
        damaged = data.draw(st.integers(min_value=len(MAGIC), max_value=len(content) - 1))
        content[damaged] ^= data.draw(st.integers(min_value=1, max_value=255))
        path.write_bytes(content)

        seen = []
        with pytest.raises(CorruptRecord) as caught:
            seen.extend(record.payload for record, _ in SegmentLogReader(root).read("w", 1))

        assert seen == payloads[: len(seen)]
        assert caught.value.offset <= damaged


_KILLED_WRITER = """
import sys
from pathlib import Path
from playback_api.events import RecordKind, SegmentLogWriter

log = SegmentLogWriter(Path(sys.argv[1]), "w", max_segment_bytes=4096)
for number in range(1_000_000):
    log.append(RecordKind.BEATS, b"%d" % number)
    log.append(RecordKind.BEATS, b"x" * (number % 700))
    log.commit()
    print(number, flush=True)
"""


def test_nothing_acknowledged_is_lost_under_kill_9(tmp_path):
    acknowledged = -1
    for round_number in range(2):
        process = subprocess.Popen(
            [sys.executable, "-c", _KILLED_WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True
        )  # fmt: skip
        for line in process.stdout:
            acknowledged = int(line)
            if acknowledged >= 60 + round_number:
                process.send_signal(signal.SIGKILL)
                break
        rest = process.stdout.read().split()
        process.wait()
        acknowledged = int(rest[-1]) if rest and rest[-1].isdecimal() else acknowledged

        numbers = [int(item) for item in read_all(tmp_path) if item.isdigit()]
        last_run = numbers[max(i for i, number in enumerate(numbers) if number == 0) :]
        assert last_run[: acknowledged + 1] == list(range(acknowledged + 1))
