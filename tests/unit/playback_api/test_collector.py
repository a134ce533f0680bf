import datetime as dt
import errno
import json
import os

import msgspec
import pytest
from litestar.testing import AsyncTestClient

from playback_api.collector import RecentKeys, create_collector_app
from playback_api.events import Beat, GroupCommitLog, SegmentLogReader, SegmentLogWriter, decode_record
from playback_api.profile import SqliteProfileStore
from playback_api.settings import CollectorSettings

NOW = dt.datetime(2026, 5, 4, 20, 15, tzinfo=dt.UTC)


class Disk:
    full = False

    def write(self, file, content):
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")
        return os.write(file, content)


@pytest.fixture
def settings(tmp_path):
    return CollectorSettings(event_log_folder=tmp_path / "events", profile_path=tmp_path / "profile.sqlite")


@pytest.fixture
def disk():
    return Disk()


@pytest.fixture
async def client(settings, disk):
    def open_log(settings):
        writer = SegmentLogWriter(settings.event_log_folder, settings.writer_name, write=disk.write)
        return GroupCommitLog(writer, max_waiting_bytes=20_000)

    app = create_collector_app(settings, open_log=open_log, clock=lambda: NOW)
    async with AsyncTestClient(app) as client:
        yield client


def beat(**changes):
    return {
        "session_id": "s1", "boot": 0, "seq": 0, "sent_at": "2026-05-04T20:14:59Z", "kind": "playing",
        "viewer_id": "v-000001", "title_id": "s-0001", "region": "eu-north", "duration_s": 60.0, "position_s": 20.0,
    } | changes  # fmt: skip


def batch(*beats, version=1):
    return {"version": version, "beats": list(beats)}


def stored(settings):
    reader = SegmentLogReader(settings.event_log_folder)
    return [
        decode_record(record)
        for writer in reader.writers()
        for segment in reader.segments(writer)
        for record, _ in reader.read(writer, segment)
    ]


async def counter(client, name):
    lines = (await client.get("/metrics")).text.splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"matinee_collector_{name}_total "))


async def test_beats_are_on_disk_when_it_answers(client, settings):
    answer = await client.post("/v1/beats", json=batch(beat(), beat(seq=1)))

    assert answer.status_code == 202
    assert answer.json() == {"accepted": 2, "rejected": []}
    (record,) = stored(settings)
    assert record.received_at == NOW
    assert [item.seq for item in record.beats] == [0, 1]


@pytest.mark.parametrize("content_type", ["application/msgpack", "application/x-msgpack"])
async def test_msgpack_is_taken(client, settings, content_type):
    content = msgspec.msgpack.encode(batch(msgspec.convert(beat(), Beat)))

    answer = await client.post("/v1/beats", content=content, headers={"content-type": content_type})

    assert answer.status_code == 202
    assert stored(settings)[0].beats == [msgspec.convert(beat(), Beat)]


async def test_a_beacon_of_a_browser_is_taken(client):
    answer = await client.post(
        "/v1/beats", content=json.dumps(batch(beat())), headers={"content-type": "text/plain;charset=UTF-8"}
    )
    assert answer.status_code == 202


async def test_a_malformed_beat_is_refused_alone_and_by_place(client, settings):
    answer = await client.post(
        "/v1/beats",
        json=batch(
            beat(),
            beat(viewer_id="NOT AN ID"),
            beat(kind="nonsense"),
            "no beat at all",
            beat(sent_at="2026-05-04T20:14:59"),
            beat(sent_at="2031-01-01T00:00:00Z"),
            beat(seq=6),
        ),
    )

    assert answer.status_code == 202
    assert answer.json()["accepted"] == 2
    assert [item["index"] for item in answer.json()["rejected"]] == [1, 2, 3, 4, 5]
    reasons = [item["reason"] for item in answer.json()["rejected"]]
    assert "$.viewer_id" in reasons[0]
    assert "$.kind" in reasons[1]
    assert "UTC offset" in reasons[3]
    assert "ahead" in reasons[4]
    assert [item.seq for item in stored(settings)[0].beats] == [0, 6]


@pytest.mark.parametrize(
    ("content", "content_type", "status"),
    [
        (b"{not json", "application/json", 400),
        (b"\xc1", "application/msgpack", 400),
        (b"{}", "application/json", 400),
        (json.dumps(batch(beat(), version=2)).encode(), "application/json", 400),
        (json.dumps(batch(*[beat()] * 501)).encode(), "application/json", 413),
        (b"version=1", "application/x-www-form-urlencoded", 415),
    ],
)
async def test_what_is_no_batch_is_refused_as_a_whole(client, settings, content, content_type, status):
    answer = await client.post("/v1/beats", content=content, headers={"content-type": content_type})

    assert answer.status_code == status
    assert answer.json()["detail"]
    assert stored(settings) == []
    assert await counter(client, "batches_unreadable") == 1


async def test_a_full_disk_is_a_503_and_the_collector_recovers(client, settings, disk):
    disk.full = True
    answer = await client.post("/v1/beats", json=batch(beat()))
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert "No space left" in answer.json()["detail"]
    assert stored(settings) == []
    assert (await client.get("/system/health")).status_code == 200

    disk.full = False
    assert (await client.post("/v1/beats", json=batch(beat()))).status_code == 202
    assert len(stored(settings)) == 1
    assert await counter(client, "batches_not_stored") == 1
    assert await counter(client, "commits_failed") == 1


async def test_a_busy_log_is_a_503(client):
    errors = [{"code": "e", "message": "m" * 500}] * 60
    answer = await client.post("/v1/beats", json=batch(beat(errors=errors)))

    assert answer.status_code == 503
    assert "retry-after" in answer.headers


async def test_it_counts(client):
    await client.post("/v1/beats", json=batch(beat(), beat(seq=1), beat(kind="?")))
    await client.post("/v1/beats", json=batch(beat(seq=1)))

    assert await counter(client, "batches") == 2
    assert await counter(client, "beats_accepted") == 3
    assert await counter(client, "beats_rejected") == 1
    assert await counter(client, "beats_repeated") == 1
    assert await counter(client, "commits") == 2
    assert await counter(client, "log_bytes") > 100


async def test_progress_reaches_the_profile(settings):
    app = create_collector_app(settings, clock=lambda: NOW)
    async with AsyncTestClient(app) as client:
        await client.post("/v1/beats", json=batch(beat(position_s=31.0), beat(title_id="s-0002", position_s=60.0)))

    store = SqliteProfileStore(settings.profile_path)
    assert store.resume("v-000001", "s-0001").position_s == 31.0
    assert store.resume("v-000001", "s-0002") is None
    assert {item.title_id for item in store.recent("v-000001")} == {"s-0001", "s-0002"}
    store.close()


async def test_a_broken_profile_never_fails_a_beat(settings, caplog):
    settings.profile_path.write_bytes(b"this is no database, and long enough to be looked at as one" * 20)
    app = create_collector_app(settings, clock=lambda: NOW)
    async with AsyncTestClient(app) as client:
        assert (await client.post("/v1/beats", json=batch(beat()))).status_code == 202
        collector = app.state.collector

    assert collector.feed.dropped == 1
    assert "missing in the live profile" in caplog.text
    assert len(stored(settings)) == 1


async def test_a_browser_of_any_origin_may_post(client):
    answer = await client.options(
        "/v1/beats",
        headers={
            "origin": "https://player.example", "access-control-request-method": "POST",
            "access-control-request-headers": "content-type",
        },
    )  # fmt: skip

    assert answer.status_code in {200, 204}
    assert answer.headers["access-control-allow-origin"] in {"*", "https://player.example"}


def test_only_the_last_keys_are_remembered():
    keys = RecentKeys(limit=2)
    first, second, third = (msgspec.convert(beat(seq=n), Beat) for n in range(3))

    assert keys.remember([first, second, second]) == 1
    assert keys.remember([third]) == 0
    assert keys.remember([second]) == 1
    assert keys.remember([first]) == 0
