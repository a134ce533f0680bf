import asyncio
import datetime as dt
import itertools
import math
import random

import httpx
import msgspec
import pytest
from player_sdk.beat_sender import BeatSender
from player_sdk.heartbeat import Beat, encode_batch
from player_sdk.spool import BeatSpool
from player_sdk.testing import START_UTC, FakeOrigin, FakeTitle, fake_player

from player_sdk import HeartbeatSettings, Link, Started, SystemClock, VirtualClock

URL = "http://beats.test/v1/beats"


def beat(seq=0, session_id="s"):
    return Beat(
        session_id=session_id,
        boot=0,
        seq=seq,
        sent_at=START_UTC,
        kind="playing",
        viewer_id="v-1",
        title_id="film",
        region="eu-north",
    )


def watch(origin, **player):
    async def run():
        async with fake_player(origin, **player) as one:
            return await (await one.play("film", impression_id="imp-1")).watch()

    return asyncio.run(run())


def test_a_session_beats_at_its_changes_and_in_between():
    origin = FakeOrigin([FakeTitle(duration_s=35.0)])
    report = watch(origin)
    assert [beat.kind for beat in origin.beats] == ["start", "playing", "playing", "playing", "end"]
    first, last = origin.beats[0], origin.beats[-1]
    assert first.startup_s == pytest.approx(report.startup_s)
    assert first.sent_at == START_UTC + dt.timedelta(seconds=report.startup_s)
    assert (first.viewer_id, first.region, first.device, first.impression_id) == ("v-1", "eu-north", "desktop", "imp-1")
    assert (last.end_reason, last.position_s) == ("completed", pytest.approx(35.0))
    gaps = [(b.sent_at - a.sent_at).total_seconds() for a, b in zip(origin.beats, origin.beats[1:-1], strict=False)]
    assert all(10.0 <= gap < 10.3 for gap in gaps)
    assert (report.beats_sent, report.beats_lost) == (5, 0)


def test_a_stall_is_told_when_it_ends():
    origin = FakeOrigin([FakeTitle(duration_s=12.0, ladder={"240p": 800_000}, audio_bps=0)])
    watch(origin, link=Link.constant(400_000))
    stalls = [beat for beat in origin.beats if beat.stalls]
    assert [beat.kind for beat in stalls] == ["stall", "stall"]
    assert [beat.stalls[0].duration_s for beat in stalls] == [pytest.approx(4.0)] * 2


def test_each_dropped_frame_is_in_one_beat_whenever_it_is_told():
    """Before the first frame, twice between two beats, and after the last regular one, while that is on its way."""

    def late(request):
        if request.url.host == "beats.test" and clock.now() > 30.0 and playing:
            playing.pop().add_dropped_frames(1000)

    clock, playing = VirtualClock(START_UTC), []
    origin = FakeOrigin([FakeTitle(duration_s=35.0)], fault=late)

    async def run():
        async with fake_player(origin, clock=clock) as player:
            session = await player.play("film")
            playing.append(session)
            session.add_dropped_frames(1)
            async for event in session.events():
                if isinstance(event, Started):
                    session.add_dropped_frames(10)
                    session.add_dropped_frames(0)
                    session.add_dropped_frames(100)
            return session

    session = asyncio.run(run())
    assert [(beat.kind, beat.dropped_frames) for beat in origin.beats] == [
        ("start", 1),
        ("playing", 110),
        ("playing", 0),
        ("playing", 0),
        ("end", 1000),
    ]
    assert session.report.dropped_frames == 1111
    with pytest.raises(ValueError, match="-1 dropped frames"):
        session.add_dropped_frames(-1)


def test_beats_can_travel_together():
    origin = FakeOrigin([FakeTitle(duration_s=60.0)])
    watch(origin, beats=HeartbeatSettings(max_delay_s=math.inf))
    assert len(origin.paths("beats.test")) == 1
    assert len(origin.beats) == 7


def test_a_collector_that_is_down_for_a_while_loses_nothing():
    clock = VirtualClock(START_UTC)
    refused = []

    def fault(request):
        if request.url.host == "beats.test" and 5.0 < clock.now() < 30.0:
            refused.append(clock.now())
            return httpx.Response(503, headers={"Retry-After": "4"})
        return None

    origin = FakeOrigin([FakeTitle(duration_s=60.0)], fault=fault)
    report = watch(origin, clock=clock)
    assert [beat.seq for beat in origin.beats] == list(range(7))
    assert (report.beats_sent, report.beats_lost) == (7, 0)
    gaps = [b - a for a, b in itertools.pairwise(refused)]
    assert len(refused) >= 4
    assert all(gap >= 4.0 for gap in gaps)


def test_a_collector_that_stays_down_is_reported_and_not_raised():
    origin = FakeOrigin()
    origin.collector_down = True
    report = watch(origin)
    assert report.end_reason == "completed"
    assert report.beats_sent == 0
    assert report.beats_lost == 5
    assert report.errors == ["beats: 5 not delivered: the collector answered 503"]


def test_what_one_player_could_not_send_the_next_one_sends(tmp_path):
    settings = HeartbeatSettings(spool_folder=tmp_path)
    origin = FakeOrigin()
    origin.collector_down = True
    watch(origin, beats=settings)
    assert len(list(tmp_path.iterdir())) == 1
    origin.collector_down = False
    watch(origin, beats=settings)
    assert list(tmp_path.iterdir()) == []
    keys = [(beat.session_id, beat.seq) for beat in origin.beats]
    assert len(keys) == len(set(keys)) == 10


def sender(handler, clock=None, **settings):
    http = httpx.AsyncClient(transport=httpx.MockTransport(handler))
    clock = clock or VirtualClock(START_UTC)
    return clock, BeatSender(http=http, clock=clock, rng=random.Random(0), settings=HeartbeatSettings(**settings))


def test_retry_after_is_honoured():
    asked_at = []

    def handler(request):
        asked_at.append(clock.now())
        return httpx.Response(503, headers={"Retry-After": "7"}) if len(asked_at) == 1 else httpx.Response(202, json={})

    clock, one = sender(handler)

    async def run():
        one.put(URL, beat())
        for _ in range(20):
            await one.send_due()
            await clock.sleep(1.0)

    asyncio.run(run())
    assert asked_at == [0.0, 7.0]
    assert (one.sent, one.queued, one.last_error) == (1, 0, None)


def test_the_queue_is_bounded_and_batches_are_too():
    sizes = []

    def handler(request):
        sizes.append(len(msgspec.msgpack.decode(request.content)["beats"]))
        return httpx.Response(202, json={})

    _, one = sender(handler, queue_limit=700)
    for seq in range(750):
        one.put(URL, beat(seq))
    asyncio.run(one.send_due())
    assert sizes == [500, 200]
    assert (one.sent, one.lost) == (700, 50)
    assert one.result_of("s") == (700, 50)


def test_refused_beats_are_counted_and_not_sent_again():
    answers = iter(
        [httpx.Response(202, json={"accepted": 1, "rejected": [{"index": 0, "reason": "bad"}]}), httpx.Response(400)]
    )
    _, one = sender(lambda request: next(answers))

    async def run():
        one.put(URL, beat(0))
        one.put(URL, beat(1))
        await one.send_due()
        one.put(URL, beat(2))
        await one.send_due()

    asyncio.run(run())
    assert (one.sent, one.rejected, one.queued) == (1, 2, 0)
    assert one.result_of("s") == (1, 2)


def test_in_real_time_sending_does_not_hold_playback_up():
    async def run():
        release = asyncio.Event()

        async def slow(request):
            await release.wait()
            return httpx.Response(202, json={})

        _, one = sender(slow, clock=SystemClock())
        one.put(URL, beat(0))
        await one.send_due()  # would hang here if it waited
        one.put(URL, beat(1))
        await one.send_due()
        assert one.queued == 2
        release.set()
        assert await one.flush()
        assert one.sent == 2

    asyncio.run(run())


def test_who_sends_at_the_same_time_sends_each_beat_once():
    taken = []

    async def slow(request):
        await asyncio.sleep(0)
        taken.extend(beat["seq"] for beat in msgspec.msgpack.decode(request.content)["beats"])
        return httpx.Response(202, json={})

    async def run():
        _, one = sender(slow, clock=SystemClock())
        one.put(URL, beat(0))
        one.put(URL, beat(1))
        assert all(await asyncio.gather(one.flush(), one.flush()))
        assert one.sent == 2

    asyncio.run(run())
    assert taken == [0, 1]


def test_a_session_that_is_closed_twice_at_once_ends_once():
    class Slow(FakeOrigin):
        async def handle_async_request(self, request):
            await asyncio.sleep(0)  # lets the second one in while the first waits
            return await super().handle_async_request(request)

    origin = Slow()

    async def run():
        async with fake_player(origin) as player:
            session = await player.play("film")
            async for event in session.events():
                if isinstance(event, Started):
                    break
            await asyncio.gather(session.close(), session.close())
            return session.report

    report = asyncio.run(run())
    assert report.end_reason == "stopped"
    assert [beat.kind for beat in origin.beats] == ["start", "end"]
    assert report.beats_sent == 2


def test_a_batch_is_json_or_msgpack_with_the_version_in_front():
    body, content_type = encode_batch([beat()], "json")
    assert content_type == "application/json"
    assert msgspec.json.decode(body)["version"] == 1
    body, content_type = encode_batch([beat()])
    assert content_type == "application/msgpack"
    assert msgspec.msgpack.decode(body)["beats"][0]["seq"] == 0
    with pytest.raises(ValueError, match="at most 500"):
        encode_batch([beat(n) for n in range(501)])


def test_the_spool_is_bounded_and_survives_a_broken_file(tmp_path):
    spool = BeatSpool(tmp_path, limit_bytes=1000)
    for minute in range(9):
        at = msgspec.structs.replace(beat(minute), sent_at=START_UTC + dt.timedelta(minutes=minute))
        assert spool.keep([(URL, at)]) == []
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 1000
    (tmp_path / "0.beats").write_bytes(b"\x00broken")
    (tmp_path / "1.beats").mkdir()
    files = spool.read(max_beats=100)
    taken = [beat.seq for beats in files.values() for _, beat in beats]
    assert taken[-1] == 8
    assert 0 < len(taken) < 9
    assert set(tmp_path.iterdir()) == {*files, tmp_path / "1.beats"}
    assert len(spool.read(max_beats=1)) == 1


def test_a_spooled_file_stays_until_the_collector_took_its_beats(tmp_path):
    kept = [(URL, beat(seq)) for seq in range(3)]
    BeatSpool(tmp_path, limit_bytes=10_000).keep(kept)
    before = list(tmp_path.iterdir())
    status = 503
    _, one = sender(lambda request: httpx.Response(status, json={}), spool_folder=tmp_path, queue_limit=3)
    asyncio.run(one.send_spooled())
    assert (list(tmp_path.iterdir()), one.queued) == (before, 3), "a player that is killed now loses nothing"
    one.put(URL, beat(9))
    assert (one.queued, one.lost) == (3, 0), "what leaves the queue is on disk still"
    asyncio.run(one.close())
    assert len(list(tmp_path.iterdir())) == 2, "the new beat has a file of its own"

    status = 202
    _, small = sender(lambda request: httpx.Response(status, json={}), spool_folder=tmp_path, queue_limit=2)
    asyncio.run(small.send_spooled())
    assert (small.sent, list(tmp_path.iterdir())) == (1, before), "a file that does not fit waits"
    _, other = sender(lambda request: httpx.Response(status, json={}), spool_folder=tmp_path)
    asyncio.run(other.send_spooled())
    assert (other.sent, list(tmp_path.iterdir())) == (3, [])


def test_a_spool_that_cannot_be_written_gives_the_beats_back(tmp_path):
    (tmp_path / "file").write_text("in the way")
    assert BeatSpool(tmp_path / "file", limit_bytes=1000).keep([(URL, beat())]) == [(URL, beat())]
