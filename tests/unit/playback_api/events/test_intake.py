import datetime as dt
import json

import msgspec
import pytest

from playback_api.events import MAX_BEATS_PER_BATCH, BatchTooLarge, BatchUnreadable, read_batch

NOW = dt.datetime(2026, 5, 4, 20, 15, tzinfo=dt.UTC)
BEAT = {
    "session_id": "s1", "boot": 0, "seq": 0, "sent_at": "2026-05-04T20:14:59Z", "kind": "playing",
    "viewer_id": "v-000001", "title_id": "s-0001", "region": "eu-north",
}  # fmt: skip


def read(*beats, version=1):
    return read_batch(json.dumps({"version": version, "beats": beats}).encode(), "json", received_at=NOW)


def test_each_beat_stands_for_itself():
    intake = read(BEAT, {}, BEAT | {"seq": 2}, BEAT | {"duration_s": -1})

    assert [beat.seq for beat in intake.beats] == [0, 2]
    assert [item.index for item in intake.rejected] == [1, 3]
    assert "session_id" in intake.rejected[0].reason
    assert "$.duration_s" in intake.rejected[1].reason


def test_what_is_no_number_is_no_duration():
    beat = BEAT | {"sent_at": NOW, "duration_s": float("nan")}
    intake = read_batch(msgspec.msgpack.encode({"version": 1, "beats": [beat]}), "msgpack", received_at=NOW)

    assert intake.beats == []
    assert "$.duration_s" in intake.rejected[0].reason


@pytest.mark.parametrize(
    ("sent_at", "taken"),
    [
        ("2026-05-05T20:14:00Z", True),
        ("2026-05-05T20:16:00Z", False),
        ("2025-04-01T00:00:00+02:00", True),
        ("2025-03-29T00:00:00+02:00", False),
        ("0001-01-01T00:00:00+02:00", False),
        ("2026-05-04T20:00:00", False),
    ],
)
def test_a_time_needs_an_offset_and_a_day_that_has_come(sent_at, taken):
    assert len(read(BEAT | {"sent_at": sent_at}).beats) == int(taken)


def test_an_unknown_field_of_a_later_client_is_no_fault():
    assert len(read(BEAT | {"colour_of_remote": "red"}).beats) == 1


def test_a_batch_has_a_version_and_a_limit():
    with pytest.raises(BatchUnreadable, match="version 9"):
        read(BEAT, version=9)
    with pytest.raises(BatchTooLarge, match="501 beats"):
        read(*[BEAT] * (MAX_BEATS_PER_BATCH + 1))
    assert len(read(*[BEAT] * MAX_BEATS_PER_BATCH).beats) == MAX_BEATS_PER_BATCH
    with pytest.raises(BatchUnreadable, match="json"):
        read_batch(b"\xff\xfe", "json", received_at=NOW)
