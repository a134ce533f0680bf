import datetime as dt
import json
from collections import Counter

import jsonschema
import msgspec
import numpy as np
import pytest

from orchestration.sample import SampleWorldError
from orchestration.sample.experience import BITRATES_BPS, RUNGS
from orchestration.sample.history import summary_beats, write_history
from playback_api.events import SegmentLogReader, decode_record, heartbeat_json_schema


@pytest.fixture(scope="module")
def durations_s(middling_world):
    return {title_id: 20.0 + index % 40 for index, title_id in enumerate(middling_world.title_ids)}


@pytest.fixture(scope="module")
def beats(middling_world, durations_s):
    return list(summary_beats(middling_world.session_columns(durations_s)))


def test_every_beat_keeps_the_schema(beats):
    validator = jsonschema.Draft202012Validator(heartbeat_json_schema())
    for beat in beats[::100]:
        validator.validate(json.loads(msgspec.json.encode(beat)))


def test_every_session_is_one_summary_with_ids_of_the_catalogue(middling_world, beats):
    viewers = dict(zip(middling_world.viewers["viewer_id"], middling_world.viewers["region_id"], strict=True))

    assert len({beat.session_id for beat in beats}) == len(beats) == 10_000
    assert {beat.kind for beat in beats} == {"summary"}
    assert {beat.title_id for beat in beats} <= set(middling_world.title_ids)
    assert all(viewers[beat.viewer_id] == beat.region for beat in beats)


def test_history_ends_yesterday(middling_world, beats):
    days = {beat.sent_at.date() for beat in beats}

    assert days == set(middling_world.window.dates)
    assert max(days) == dt.date(2026, 5, 13)
    assert [beat.sent_at for beat in beats] == sorted(beat.sent_at for beat in beats)


def test_what_played_adds_up(beats, durations_s):
    for beat in beats:
        if beat.startup_s is None:
            continue
        assert beat.duration_s == durations_s[beat.title_id]
        assert 1 <= len(beat.runs) <= 2
        assert sum(run.played_s for run in beat.runs) == pytest.approx(beat.position_s, abs=0.01)
        assert 0 < beat.position_s <= beat.duration_s + 0.01
        assert all(BITRATES_BPS[RUNGS.index(run.rung)] == run.bitrate_bps for run in beat.runs)
        assert beat.end_reason == ("completed" if beat.position_s >= 0.95 * beat.duration_s else "stopped")
        assert all(0 < stall.position_s < beat.position_s for stall in beat.stalls)


def test_some_leave_before_the_first_frame_and_some_never_get_one(beats):
    reasons = Counter(beat.end_reason for beat in beats)
    unstarted = [beat for beat in beats if beat.startup_s is None]

    assert 0.01 < reasons["abandoned"] / len(beats) < 0.08
    assert 0.001 < reasons["failed"] / len(beats) < 0.02
    assert {beat.end_reason for beat in unstarted} == {"abandoned", "failed"}
    assert all(not beat.runs and not beat.stalls and beat.position_s == 0 for beat in unstarted)
    assert all(beat.errors[0].fatal for beat in beats if beat.end_reason == "failed")


def test_networks_and_edges_show_in_the_experience(beats):
    started = [beat for beat in beats if beat.startup_s is not None]

    def of_class(name):
        return [beat for beat in started if beat.network_class == name]

    def mean(values):
        return float(np.mean(list(values)))

    startup = {name: mean(b.startup_s for b in of_class(name)) for name in ("slow", "mixed", "fast")}
    stalls = {name: mean(sum(s.duration_s for s in b.stalls) for b in of_class(name)) for name in startup}
    rate = {name: mean(b.runs[-1].bitrate_bps for b in of_class(name)) for name in startup}
    assert startup["slow"] > startup["mixed"] > startup["fast"]
    assert stalls["slow"] > stalls["mixed"] > stalls["fast"]
    assert rate["slow"] < rate["mixed"] < rate["fast"]

    far = [beat for beat in started if beat.region == "ap-south"]
    held = [beat.startup_s for beat in far if beat.deliveries[0].requests_cached]
    missed = [beat.startup_s for beat in far if not beat.deliveries[0].requests_cached]
    assert 0.1 < len(held) / len(far) < 0.9
    assert mean(held) + 0.5 < mean(missed)
    assert all(b.deliveries[0].requests_placed == 0 for b in beats), "nothing has ever been placed"
    assert {b.deliveries[0].pathway for b in beats} == {"eu-north-1", "eu-north-2", "sa-east-1", "ap-south-1"}


def test_phones_are_shown_no_more_than_they_can_show(beats):
    assert {run.rung for beat in beats if beat.device == "mobile" for run in beat.runs} <= set(RUNGS[:4])
    assert any(run.rung == "1080p" for beat in beats if beat.device == "tv-hd" for run in beat.runs)


def test_history_stands_in_the_event_log(small_world, tmp_path):
    durations_s = dict.fromkeys(small_world.title_ids, 30.0)

    report = small_world.write_history(tmp_path, durations_s)

    reader = SegmentLogReader(tmp_path)
    assert reader.writers() == ["history"]
    records = [decode_record(record) for record, _ in reader.read("history", 1)]
    stored = [beat for record in records for beat in record.beats]
    assert stored == list(summary_beats(small_world.session_columns(durations_s)))
    assert (report.sessions, report.records) == (600, len(records))
    assert (report.first_sent_at, report.last_sent_at) == (stored[0].sent_at, stored[-1].sent_at)
    assert all(beat.sent_at <= record.received_at for record in records for beat in record.beats)


def test_the_same_world_writes_the_same_bytes(small_world, tmp_path):
    durations_s = dict.fromkeys(small_world.title_ids, 30.0)
    for name in ("one", "two"):
        small_world.write_history(tmp_path / name, durations_s)

    one, two = ((tmp_path / name / "history" / "00000001.log").read_bytes() for name in ("one", "two"))
    assert one == two


def test_a_long_history_is_committed_in_pieces(small_world, tmp_path, monkeypatch):
    monkeypatch.setattr("orchestration.sample.history.BEATS_PER_RECORD", 7)
    monkeypatch.setattr("orchestration.sample.history.RECORDS_PER_COMMIT", 2)

    report = write_history(small_world.session_columns(dict.fromkeys(small_world.title_ids, 30.0)), tmp_path)

    records = list(SegmentLogReader(tmp_path).read("history", 1))
    assert report.records == len(records) == 86
    assert report.size_bytes == records[-1][1] - 8


def test_a_title_without_a_length_is_said(small_world):
    with pytest.raises(SampleWorldError, match="40 titles have no media length"):
        small_world.session_columns({})
