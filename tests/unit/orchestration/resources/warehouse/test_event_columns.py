import datetime as dt

import pyarrow as pa
import pytest

from orchestration.resources.warehouse.event_columns import (
    RecordAddress,
    StoredBeat,
    StoredItem,
    beats_table,
    event_day,
    impressions_table,
    is_from_the_future,
)
from playback_api.events import Beat, Impression, ImpressionItem, Run, Stall

ADDRESS = RecordAddress("collector", 3, 8)
NOON = dt.datetime(2026, 9, 2, 12, tzinfo=dt.UTC)


def beat(sent_at=NOON, **fields):
    return Beat(
        session_id="s",
        boot=0,
        seq=0,
        sent_at=sent_at,
        kind="playing",
        viewer_id="v",
        title_id="t",
        region="r",
        **fields,
    )


@pytest.mark.parametrize(
    ("sent_at", "received_at", "day"),
    [
        (NOON, NOON, dt.date(2026, 9, 2)),
        (NOON - dt.timedelta(days=30), NOON, dt.date(2026, 8, 3)),
        (
            dt.datetime(2026, 9, 3, 0, 30, tzinfo=dt.UTC),
            dt.datetime(2026, 9, 2, 23, 59, tzinfo=dt.UTC),
            dt.date(2026, 9, 3),
        ),
        (NOON + dt.timedelta(days=400), NOON, dt.date(2026, 9, 2)),
        (dt.datetime(2026, 9, 2, 1, tzinfo=dt.timezone(dt.timedelta(hours=2))), NOON, dt.date(2026, 9, 1)),
    ],
    ids=["now", "a month late", "a little ahead", "far ahead", "another zone"],
)
def test_event_day(sent_at, received_at, day):
    assert event_day(StoredBeat(beat(sent_at), received_at, ADDRESS)) == day


def test_only_clocks_far_ahead_are_from_the_future():
    assert is_from_the_future(StoredBeat(beat(NOON + dt.timedelta(hours=2)), NOON, ADDRESS))
    assert not is_from_the_future(StoredBeat(beat(NOON + dt.timedelta(minutes=59)), NOON, ADDRESS))


def test_nested_lists_keep_their_rows_apart():
    runs = pa.list_(pa.struct([("played_s", pa.float64()), ("rung", pa.string())]))
    stalls = pa.list_(pa.struct([("position_s", pa.float64()), ("duration_s", pa.float64())]))
    schema = pa.schema([("seq", pa.int64()), ("runs", runs), ("stalls", stalls), ("received_at", pa.timestamp("us"))])
    first = Run(position_s=0, played_s=4, rung="240p", bitrate_bps=1, pathway="e")
    second = Run(position_s=4, played_s=6, rung="480p", bitrate_bps=1, pathway="e")
    beats = [
        StoredBeat(beat(runs=[first, second]), NOON, ADDRESS),
        StoredBeat(beat(), NOON, ADDRESS),
        StoredBeat(beat(runs=[second], stalls=[Stall(position_s=4, duration_s=2)]), NOON, ADDRESS),
    ]

    rows = beats_table(beats, schema).to_pylist()

    assert [[run["rung"] for run in row["runs"]] for row in rows] == [["240p", "480p"], [], ["480p"]]
    assert [row["stalls"] for row in rows] == [[], [], [{"position_s": 4.0, "duration_s": 2.0}]]
    assert rows[0]["received_at"] == dt.datetime(2026, 9, 2, 12)


def test_no_beats_are_a_table_without_rows():
    schema = pa.schema([("seq", pa.int64()), ("runs", pa.list_(pa.struct([("rung", pa.string())])))])

    assert beats_table([], schema).num_rows == 0


def test_an_impression_is_one_row_for_every_title_with_its_page():
    items = [
        ImpressionItem(title_id=name, row="top", position=place, propensity=0.5) for place, name in enumerate("ab")
    ]
    page = Impression(
        impression_id="i", viewer_id="v", region="r", shown_at=NOON, snapshot_id="s", model_version="1", items=items
    )
    schema = pa.schema(
        [("event_day", pa.date32()), ("impression_id", pa.string()), ("title_id", pa.string()), ("segment", pa.int64())]
    )

    rows = impressions_table([StoredItem(item, page, ADDRESS) for item in items], schema).to_pylist()

    assert rows == [
        {"event_day": dt.date(2026, 9, 2), "impression_id": "i", "title_id": name, "segment": 3} for name in "ab"
    ]
