import pytest

from playback_api.events.framing import MAGIC, RecordKind, find_record, frame, record_at, records_from, valid_length


def test_a_frame_is_read_back_at_its_offset():
    content = MAGIC + frame(RecordKind.BEATS, b"one") + frame(RecordKind.IMPRESSION, b"")

    records = [record for record, _ in records_from(content, len(MAGIC))]

    assert [(r.kind, r.payload) for r in records] == [(RecordKind.BEATS, b"one"), (RecordKind.IMPRESSION, b"")]
    assert valid_length(content) == len(content)


@pytest.mark.parametrize("damaged", range(len(frame(RecordKind.BEATS, b"payload"))))
def test_no_damaged_byte_passes(damaged):
    content = bytearray(frame(RecordKind.BEATS, b"payload"))
    content[damaged] ^= 0x40

    assert record_at(bytes(content), 0) is None


def test_a_hole_of_zeros_is_no_record():
    assert record_at(bytes(64), 0) is None


def test_the_next_record_after_damage_is_found():
    good = frame(RecordKind.BEATS, b"good")
    content = b"\x00garbage" + good

    assert find_record(content, 1) == len(content) - len(good)
    assert find_record(content, len(content) - len(good) + 1) is None


def test_a_file_without_the_magic_holds_nothing_valid():
    assert valid_length(frame(RecordKind.BEATS, b"payload")) == 0
