import pytest

from playback_api.events import CorruptRecord, RecordKind, SegmentLogReader, SegmentLogWriter


@pytest.fixture
def log_folder(tmp_path):
    """Two closed commits of one record each in segment 1, one in segment 2."""
    with SegmentLogWriter(tmp_path, "w") as log:
        for payload in (b"first", b"second"):
            log.append(RecordKind.BEATS, payload)
            log.commit()
    with SegmentLogWriter(tmp_path, "w") as log:
        log.append(RecordKind.IMPRESSION, b"third")
    return tmp_path


def flip(path, offset):
    content = bytearray(path.read_bytes())
    content[offset] ^= 1
    path.write_bytes(content)


def test_it_lists_writers_and_segments(log_folder):
    (log_folder / "empty").mkdir()
    reader = SegmentLogReader(log_folder)

    assert reader.writers() == ["w"]
    assert reader.segments("w") == [1, 2]
    assert SegmentLogReader(log_folder / "nowhere").writers() == []


def test_it_goes_on_from_a_remembered_offset(log_folder):
    reader = SegmentLogReader(log_folder)
    (first, after_first), (second, end) = list(reader.read("w", 1))

    assert [record for record, _ in reader.read("w", 1, after_first)] == [second]
    assert second.offset == after_first
    assert first.payload == b"first"
    assert list(reader.read("w", 1, end)) == []
    assert list(reader.read("w", 1, end + 100)) == []


def test_damage_in_the_middle_is_reported_after_what_is_whole(log_folder):
    reader = SegmentLogReader(log_folder)
    (_, after_first), (second, _) = list(reader.read("w", 1))
    flip(log_folder / "w" / "00000001.log", after_first - 1)

    seen = []
    with pytest.raises(CorruptRecord) as caught:
        seen.extend(record for record, _ in reader.read("w", 1))

    assert seen == []
    assert caught.value.offset == 8
    assert caught.value.resume_offset == after_first
    assert [record for record, _ in reader.read("w", 1, caught.value.resume_offset)] == [second]


def test_a_broken_end_of_a_closed_segment_is_damage(log_folder):
    path = log_folder / "w" / "00000001.log"
    flip(path, path.stat().st_size - 1)

    seen = []
    with pytest.raises(CorruptRecord, match="nothing readable follows"):
        seen.extend(record.payload for record, _ in SegmentLogReader(log_folder).read("w", 1))
    assert seen == [b"first"]


def test_a_broken_end_of_the_newest_segment_is_a_torn_tail(log_folder):
    path = log_folder / "w" / "00000002.log"
    whole = path.read_bytes()
    path.write_bytes(whole + whole[8:-1])

    assert [record.payload for record, _ in SegmentLogReader(log_folder).read("w", 2)] == [b"third"]


@pytest.mark.parametrize("content", [b"", b"MTN"])
def test_a_segment_that_was_just_begun_is_empty(log_folder, content):
    (log_folder / "w" / "00000003.log").write_bytes(content)

    assert list(SegmentLogReader(log_folder).read("w", 3)) == []


def test_another_kind_of_file_is_damage(log_folder):
    (log_folder / "w" / "00000003.log").write_bytes(b"not a segment of this log")

    with pytest.raises(CorruptRecord, match="no magic header"):
        list(SegmentLogReader(log_folder).read("w", 3))
