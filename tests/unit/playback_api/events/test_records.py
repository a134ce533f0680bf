import datetime as dt

import msgspec
import pytest

from playback_api.events import (
    Beat,
    BeatsRecord,
    Delivery,
    Impression,
    ImpressionItem,
    LogRecord,
    RecordKind,
    Run,
    Stall,
    decode_record,
    encode_beats,
    encode_impression,
)

NOW = dt.datetime(2026, 5, 4, 20, 15, 1, 250000, tzinfo=dt.UTC)


def test_beats_come_back_as_they_were():
    beats = [
        Beat(
            session_id="a", boot=0, seq=n, sent_at=NOW, kind="playing", viewer_id="v-000001", title_id="s-0001",
            region="eu-north", startup_s=0.4, stalls=[Stall(position_s=4.0, duration_s=1.5)],
            runs=[Run(position_s=0.0, played_s=8.0, rung="720p", bitrate_bps=2_400_000, pathway="eu-north-1")],
            deliveries=[Delivery(pathway="eu-north-1", requests=3, requests_placed=2, size_bytes=999)],
        )
        for n in range(2)
    ]  # fmt: skip

    record = decode_record(LogRecord(RecordKind.BEATS, encode_beats(beats, NOW), 8))

    assert record == BeatsRecord(received_at=NOW, beats=beats)


def test_an_impression_comes_back_as_it_was():
    impression = Impression(
        impression_id="i1", viewer_id="v-000001", region="eu-north", shown_at=NOW, snapshot_id="s", model_version="3",
        items=[ImpressionItem(title_id="s-0001", row="for-you", position=0, propensity=0.5)],
    )  # fmt: skip

    assert decode_record(LogRecord(RecordKind.IMPRESSION, encode_impression(impression), 8)) == impression


def test_a_payload_of_another_form_is_refused():
    with pytest.raises(msgspec.DecodeError):
        decode_record(LogRecord(RecordKind.BEATS, b"\x81\xa1x\x01", 8))
