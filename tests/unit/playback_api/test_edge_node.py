import asyncio
import errno
import hashlib
import shutil
from contextlib import asynccontextmanager

import httpx
import msgspec
import pytest

from playback_api import edge_node
from playback_api.edge import SIGNATURE_HEADER, sign
from playback_api.edge.disk import EdgeDisk
from playback_api.edge_node import create_edge_app
from playback_api.settings import EdgeSettings

SECRET = "test-secret"
NOW = 1_800_000_000.0


class FakeOrigin:
    """An upstream in memory that counts, and that can be slow, silent or wrong."""

    def __init__(self):
        self.objects = {}
        self.requests = []
        self.status = 200
        self.error = None
        self.gate = None
        self.before_answer = None
        self.sibling = None

    def put(self, key, content):
        self.objects[key] = content
        return {"key": key, "size_bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}

    async def asked(self, times=1):
        """Wait for the first request, or for more."""
        while len(self.requests) < times:
            await asyncio.sleep(0)

    async def handle(self, request):
        if request.url.host == "sibling":
            return await self.sibling(request)
        key = request.url.path.removeprefix("/media/")
        self.requests.append(key)
        if self.gate is not None:
            await self.gate.wait()
        if self.before_answer is not None:
            await self.before_answer(key)
        if self.error is not None:
            raise self.error
        if self.status != 200:
            return httpx.Response(self.status)
        if key not in self.objects:
            return httpx.Response(404)
        return httpx.Response(200, content=self.objects[key])


class Clock:
    """Time that moves only when somebody sleeps."""

    def __init__(self):
        self.now = 1000.0
        self.slept_s = 0.0

    def __call__(self):
        return self.now

    async def sleep(self, duration_s):
        self.now += duration_s
        self.slept_s += duration_s
        await asyncio.sleep(0)


class SteppedClock(Clock):
    """Time that moves only when the test says so."""

    def __init__(self):
        super().__init__()
        self._sleepers = []

    async def sleep(self, duration_s):
        woken = asyncio.get_running_loop().create_future()
        self._sleepers.append((self.now + duration_s, woken))
        await woken

    async def advance(self, duration_s):
        """Wait until somebody sleeps, then let time pass for him."""
        await until(lambda: self._sleepers)
        self.now += duration_s
        sleepers, self._sleepers = self._sleepers, []
        for wakes_at, woken in sleepers:
            if wakes_at <= self.now and not woken.done():
                woken.set_result(None)
            else:
                self._sleepers.append((wakes_at, woken))

    async def asleep(self):
        await until(lambda: self._sleepers)


async def until(condition):
    for _ in range(10_000):
        if condition():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("what was waited for does not come")


class EdgeClient(httpx.AsyncClient):
    async def signed(self, path, body, *, secret=SECRET, now=NOW):
        content = msgspec.json.encode(body)
        header = sign(secret, "POST", path, content, now=now)
        return await self.post(path, content=content, headers={SIGNATURE_HEADER: header})

    async def fill(self, plan_id, groups, **more):
        order = {"plan_id": plan_id, "upstream_url": "http://origin", "groups": groups, **more}
        return await self.signed("/edge/fill", order)

    async def filled(self):
        for _ in range(10_000):
            progress = (await self.get("/edge/fill")).json()
            if progress["state"] != "filling":
                return progress
            await asyncio.sleep(0.001)
        raise AssertionError(f"the fill does not end: {progress}")

    async def rescan(self):
        header = sign(SECRET, "POST", "/edge/rescan", b"", now=NOW)
        return await self.post("/edge/rescan", headers={SIGNATURE_HEADER: header})

    async def stats(self):
        return (await self.get("/edge/stats")).json()

    async def inventory(self):
        return (await self.get("/edge/inventory")).json()


@pytest.fixture
def origin():
    return FakeOrigin()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def edge(tmp_path, origin, clock):
    @asynccontextmanager
    async def start(*, capacity_bytes=1000, boot_id="boot-1", disk="disk", wall_clock=lambda: NOW, **settings):
        app = create_edge_app(
            EdgeSettings(
                edge_id="eu-1",
                folder=tmp_path / disk,
                capacity_bytes=capacity_bytes,
                upstream_url="http://origin",
                secret=SECRET,
                **settings,
            ),
            transport=httpx.MockTransport(origin.handle),
            clock=clock,
            wall_clock=wall_clock,
            sleep=clock.sleep,
            boot_id=boot_id,
        )
        transport = httpx.ASGITransport(app=app)
        async with app.lifespan(), EdgeClient(transport=transport, base_url="http://edge") as client:
            yield client

    return start


def group(title_id, rung, segment_group, objects, *, value=1.0, package_id="pk1", **more):
    return {
        **more,
        "title_id": title_id,
        "package_id": package_id,
        "rung": rung,
        "segment_group": segment_group,
        "value": value,
        "objects": objects,
    }


def files_of(tmp_path, area, *, disk="disk"):
    root = tmp_path / disk / area
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}


class TestServing:
    async def test_first_from_upstream_then_from_the_disk(self, edge, origin):
        origin.put("t-1/r/a/seg-1.m4s", b"x" * 100)
        async with edge(upstream_latency_s=0.045, upstream_rate_bps=8000) as client:
            miss = await client.get("/media/t-1/r/a/seg-1.m4s")
            hit = await client.get("/media/t-1/r/a/seg-1.m4s")
        assert miss.content == hit.content == b"x" * 100
        assert miss.headers["cache-status"] == "eu-1; fwd=uri-miss; stored; fwd-status=200"
        assert miss.headers["server-timing"] == "upstream;dur=145.000"
        assert miss.headers["x-matinee-upstream-bytes"] == "100"
        assert hit.headers["cache-status"] == "eu-1; hit; detail=cached"
        assert hit.headers["x-matinee-upstream-bytes"] == "0"
        assert "server-timing" not in hit.headers
        assert hit.headers["etag"] == miss.headers["etag"]
        assert origin.requests == ["t-1/r/a/seg-1.m4s"]

    async def test_range_of_a_miss_fetches_the_whole_once(self, edge, origin):
        origin.put("t-1/r/a/seg-1.m4s", b"0123456789")
        async with edge() as client:
            part = await client.get("/media/t-1/r/a/seg-1.m4s", headers={"Range": "bytes=2-4"})
            rest = await client.get("/media/t-1/r/a/seg-1.m4s", headers={"Range": "bytes=5-"})
        assert (part.status_code, part.content) == (206, b"234")
        assert (rest.status_code, rest.content) == (206, b"56789")
        assert rest.headers["cache-status"] == "eu-1; hit; detail=cached"
        assert len(origin.requests) == 1

    async def test_pointer_is_never_kept(self, edge, origin, tmp_path):
        origin.put("t-1/CURRENT", b"pk1")
        async with edge() as client:
            first = await client.get("/media/t-1/CURRENT")
            origin.put("t-1/CURRENT", b"pk2")
            second = await client.get("/media/t-1/CURRENT")
            head = await client.head("/media/t-1/CURRENT")
        assert (first.text, second.text) == ("pk1", "pk2")
        assert second.headers["cache-status"] == "eu-1; fwd=bypass; fwd-status=200"
        assert second.headers["cache-control"] == "no-cache"
        assert head.headers["etag"] == second.headers["etag"]
        assert files_of(tmp_path, "cached") == set()

    async def test_object_larger_than_the_room_passes_through(self, edge, origin):
        origin.put("t-1/r/a/small.m4s", b"s" * 60)
        origin.put("t-1/r/a/large.m4s", b"l" * 101)
        async with edge(capacity_bytes=100) as client:
            await client.get("/media/t-1/r/a/small.m4s")
            large = await client.get("/media/t-1/r/a/large.m4s")
            small = await client.get("/media/t-1/r/a/small.m4s")
            stats = await client.stats()
        assert large.content == b"l" * 101
        assert large.headers["cache-status"] == "eu-1; fwd=uri-miss; fwd-status=200"
        assert small.headers["cache-status"] == "eu-1; hit; detail=cached"
        assert stats["passed_through"] == 1
        assert stats["evictions"] == 0

    async def test_head_of_a_miss_stores_nothing(self, edge, origin, tmp_path):
        origin.put("t-1/r/a/seg-1.m4s", b"x" * 10)
        async with edge() as client:
            head = await client.head("/media/t-1/r/a/seg-1.m4s")
        assert head.status_code == 200
        assert head.headers["cache-status"] == "eu-1; fwd=uri-miss; fwd-status=200"
        assert files_of(tmp_path, "cached") == set()

    @pytest.mark.parametrize("path", ["/media/%2e%2e/journal.json", "/media/t-1/.hidden", "/media/"])
    async def test_paths_that_are_no_keys_are_not_asked_for(self, edge, origin, path):
        async with edge() as client:
            answer = await client.get(path)
        assert answer.status_code == 404
        assert origin.requests == []

    async def test_file_that_vanished_is_fetched_again(self, edge, origin, tmp_path):
        origin.put("t-1/r/a/seg-1.m4s", b"whole")
        async with edge() as client:
            await client.get("/media/t-1/r/a/seg-1.m4s")
            (tmp_path / "disk" / "cached" / "t-1" / "r" / "a" / "seg-1.m4s").write_bytes(b"cut")
            answer = await client.get("/media/t-1/r/a/seg-1.m4s")
            stats = await client.stats()
        assert answer.content == b"whole"
        assert stats["damaged_objects"] == 1
        assert len(origin.requests) == 2


class TestLoad:
    async def test_requests_in_flight_are_its_load(self, edge, origin, clock):
        origin.put("t-1/r/a/seg-1.m4s", b"x")
        origin.gate = asyncio.Event()
        async with edge(max_in_flight=4) as client:
            assert (await client.stats())["load"] == 0.0
            waiting = [asyncio.create_task(client.get("/media/t-1/r/a/seg-1.m4s")) for _ in range(3)]
            while (await client.stats())["coalesced"] < 2:
                await asyncio.sleep(0)
            clock.now += 10.0
            assert (await client.stats())["load"] == pytest.approx(0.75)
            assert 'matinee_edge_load{edge_id="eu-1"} 0.75' in (await client.get("/metrics")).text
            origin.gate.set()
            await asyncio.gather(*waiting)
            clock.now += 10.0
            assert (await client.stats())["load"] == 0.0

    async def test_bytes_a_second_are_its_load_where_the_link_is_known(self, edge, origin, clock):
        origin.put("t-1/r/a/seg-1.m4s", b"x" * 500)
        async with edge(viewer_rate_bps=8000.0) as client:
            for _ in range(19):
                await client.get("/media/t-1/r/a/seg-1.m4s")
                clock.now += 0.5
            assert (await client.stats())["load"] == pytest.approx(0.95)


class TestTrouble:
    async def test_hundred_requests_for_one_object_are_one_upstream_request(self, edge, origin):
        origin.put("t-1/r/a/seg-1.m4s", b"x" * 50)
        origin.gate = asyncio.Event()
        async with edge() as client:
            asking = [asyncio.create_task(client.get("/media/t-1/r/a/seg-1.m4s")) for _ in range(100)]
            while (await client.stats())["coalesced"] < 99:
                await asyncio.sleep(0)
            origin.gate.set()
            answers = await asyncio.gather(*asking)
            stats = await client.stats()
        assert {answer.content for answer in answers} == {b"x" * 50}
        assert origin.requests == ["t-1/r/a/seg-1.m4s"]
        assert sum("collapsed" in answer.headers["cache-status"] for answer in answers) == 99
        assert sum(int(answer.headers["x-matinee-upstream-bytes"]) for answer in answers) == 50
        assert stats["upstream_bytes"] == 50
        assert stats["bytes_missed"] == 5000

    async def test_failure_reaches_all_who_wait_and_nobody_after(self, edge, origin):
        origin.put("t-1/r/a/seg-1.m4s", b"x")
        origin.gate = asyncio.Event()
        origin.status = 500
        async with edge() as client:
            asking = [asyncio.create_task(client.get("/media/t-1/r/a/seg-1.m4s")) for _ in range(10)]
            while (await client.stats())["coalesced"] < 9:
                await asyncio.sleep(0)
            origin.gate.set()
            answers = await asyncio.gather(*asking)
            origin.status = 200
            later = await client.get("/media/t-1/r/a/seg-1.m4s")
        assert {answer.status_code for answer in answers} == {502}
        assert answers[0].headers["cache-status"] == "eu-1; fwd=uri-miss; fwd-status=500"
        assert len(origin.requests) == 3  # the first, its one retry, the later
        assert later.status_code == 200

    async def test_waiter_that_leaves_does_not_stop_the_others(self, edge, origin):
        origin.put("t-1/r/a/seg-1.m4s", b"x")
        origin.gate = asyncio.Event()
        async with edge() as client:
            first = asyncio.create_task(client.get("/media/t-1/r/a/seg-1.m4s"))
            await origin.asked()
            second = asyncio.create_task(client.get("/media/t-1/r/a/seg-1.m4s"))
            while not (await client.stats())["coalesced"]:
                await asyncio.sleep(0)
            first.cancel()
            origin.gate.set()
            assert (await second).content == b"x"
        assert len(origin.requests) == 1

    async def test_absence_is_remembered_for_seconds(self, edge, origin, clock):
        async with edge() as client:
            first = await client.get("/media/t-1/r/a/seg-1.m4s")
            second = await client.get("/media/t-1/r/a/seg-1.m4s")
            origin.put("t-1/r/a/seg-1.m4s", b"now")
            clock.now += 3
            third = await client.get("/media/t-1/r/a/seg-1.m4s")
        assert [first.status_code, second.status_code, third.status_code] == [404, 404, 200]
        assert first.headers["cache-status"] == "eu-1; fwd=uri-miss; fwd-status=404"
        assert second.headers["cache-status"] == "eu-1; hit; detail=negative"
        assert len(origin.requests) == 2

    async def test_upstream_that_keeps_failing_is_left_alone_then_probed(self, edge, origin, clock):
        origin.put("t-1/r/a/seg-1.m4s", b"x")
        origin.error = httpx.ConnectError("refused")
        async with edge() as client:
            for _ in range(5):
                await client.get("/media/t-1/r/a/seg-1.m4s")
            asked = len(origin.requests)
            refused = await client.get("/media/t-1/r/a/seg-1.m4s")
            assert len(origin.requests) == asked
            assert refused.status_code == 502
            assert refused.headers["retry-after"] == "10"
            assert "keeps failing" in refused.json()["detail"]
            assert (await client.stats())["upstream_circuit"] == "open"
            origin.error = None
            clock.now += 10
            assert (await client.get("/media/t-1/r/a/seg-1.m4s")).status_code == 200
            assert (await client.stats())["upstream_circuit"] == "closed"

    async def test_slow_upstream_is_504(self, edge, origin):
        origin.error = httpx.ReadTimeout("slow")
        async with edge() as client:
            answer = await client.get("/media/t-1/r/a/seg-1.m4s")
        assert answer.status_code == 504
        assert "in time" in answer.json()["detail"]

    async def test_placed_objects_are_served_while_upstream_is_gone(self, edge, origin):
        objects = [origin.put("t-1/r/a/seg-1.m4s", b"x" * 10)]
        async with edge() as client:
            await client.fill("plan-1", [group("t-1", "240p", 0, objects)])
            await client.filled()
            origin.error = httpx.ConnectError("refused")
            answer = await client.get("/media/t-1/r/a/seg-1.m4s")
        assert answer.headers["cache-status"] == "eu-1; hit; detail=placed"


class TestFill:
    async def test_places_a_plan_and_lists_what_is_complete(self, edge, origin, tmp_path):
        groups = [
            group("t-1", "manifest", 0, [origin.put("t-1/p/pk1/master.m3u8", b"#EXTM3U")]),
            group("t-1", "240p", 0, [origin.put("t-1/r/a/init.mp4", b"i" * 5), origin.put("t-1/r/a/1.m4s", b"1" * 50)]),
            group("t-1", "240p", 1, [origin.put("t-1/r/a/2.m4s", b"2" * 50)]),
            group("t-2", "240p", 0, [origin.put("t-2/r/b/1.m4s", b"3" * 50)]),
        ]
        async with edge() as client:
            before = await client.inventory()
            accepted = await client.fill("plan-1", groups)
            progress = await client.filled()
            inventory = await client.inventory()
            hit = await client.get("/media/t-1/r/a/2.m4s")
        assert accepted.status_code == 202
        assert before["complete"] == {}
        assert progress["state"] == "complete"
        assert (progress["groups_complete"], progress["objects_done"], progress["bytes_moved"]) == (4, 5, 162)
        assert progress["eta_s"] == 0
        assert inventory["complete"] == {"t-1": {"manifest": [0], "240p": [0, 1]}, "t-2": {"240p": [0]}}
        assert inventory["plan_id"] == "plan-1"
        assert inventory["placed_bytes"] == 162
        assert inventory["generation"] > before["generation"]
        assert hit.headers["cache-status"] == "eu-1; hit; detail=placed"
        assert files_of(tmp_path, "incoming") == set()

    async def test_inventory_since_the_same_generation_is_304(self, edge, origin):
        async with edge() as client:
            generation = (await client.inventory())["generation"]
            assert (await client.get(f"/edge/inventory?since={generation}")).status_code == 304
            await client.fill("plan-1", [group("t-1", "240p", 0, [origin.put("t-1/r/a/1.m4s", b"1")])])
            await client.filled()
            assert (await client.get(f"/edge/inventory?since={generation}")).status_code == 200

    async def test_fetches_in_order_of_the_plan_at_its_rate(self, edge, origin, clock):
        groups = [group("t-1", "240p", n, [origin.put(f"t-1/r/a/{n}.m4s", b"x" * 100)]) for n in range(8)]
        started_at = clock.now
        async with edge() as client:
            await client.fill("plan-1", groups, rate_bps=800)
            progress = await client.filled()
        assert origin.requests == [f"t-1/r/a/{n}.m4s" for n in range(8)]
        assert clock.now - started_at >= 8
        assert progress["state"] == "complete"

    async def test_plan_larger_than_the_disk_leaves_is_refused_with_numbers(self, edge, origin):
        kept = [group("t-0", "240p", 0, [origin.put("t-0/r/a/1.m4s", b"k" * 100)])]
        groups = [group("t-1", "240p", 0, [origin.put("t-1/r/a/1.m4s", b"x" * 901)])]
        async with edge(capacity_bytes=1000, pull_reserve_share=0.1) as client:
            await client.fill("plan-0", kept)
            await client.filled()
            refused = await client.fill("plan-1", groups)
            inventory = await client.inventory()
        assert refused.status_code == 413
        assert refused.json()["extra"] == {
            "plan_bytes": 901,
            "allowed_bytes": 900,
            "capacity_bytes": 1000,
            "pull_reserve_bytes": 100,
        }
        assert inventory["plan_id"] == "plan-0"
        assert inventory["complete"] == {"t-0": {"240p": [0]}}

    async def test_another_plan_waits_or_replaces(self, edge, origin):
        first = [group("t-1", "240p", 0, [origin.put("t-1/r/a/1.m4s", b"1")])]
        second = [group("t-2", "240p", 0, [origin.put("t-2/r/a/1.m4s", b"2")])]
        origin.gate = asyncio.Event()
        async with edge() as client:
            await client.fill("plan-1", first)
            assert (await client.fill("plan-1", first)).status_code == 202
            refused = await client.fill("plan-2", second)
            assert refused.status_code == 409
            assert refused.json()["extra"] == {"running_plan_id": "plan-1"}
            assert (await client.fill("plan-2", second, replace=True)).status_code == 202
            origin.gate.set()
            progress = await client.filled()
            inventory = await client.inventory()
        assert (progress["plan_id"], progress["state"]) == ("plan-2", "complete")
        assert inventory["complete"] == {"t-2": {"240p": [0]}}

    async def test_pulled_objects_are_promoted_without_moving_bytes(self, edge, origin, tmp_path):
        facts = origin.put("t-1/r/a/1.m4s", b"x" * 100)
        async with edge() as client:
            await client.get("/media/t-1/r/a/1.m4s")
            await client.fill("plan-1", [group("t-1", "240p", 0, [facts])])
            progress = await client.filled()
            stats = await client.stats()
        assert (progress["state"], progress["objects_promoted"], progress["bytes_moved"]) == ("complete", 1, 0)
        assert (stats["placed_bytes"], stats["cached_bytes"]) == (100, 0)
        assert files_of(tmp_path, "placed") == {"t-1/r/a/1.m4s"}
        assert len(origin.requests) == 1

    async def test_pulled_copy_that_is_not_what_the_plan_says_is_fetched_anew(self, edge, origin):
        origin.put("t-1/r/a/1.m4s", b"old!")
        async with edge() as client:
            await client.get("/media/t-1/r/a/1.m4s")
            facts = origin.put("t-1/r/a/1.m4s", b"new!")
            await client.fill("plan-1", [group("t-1", "240p", 0, [facts])])
            progress = await client.filled()
            content = (await client.get("/media/t-1/r/a/1.m4s")).content
        assert (progress["state"], progress["objects_promoted"]) == ("complete", 0)
        assert content == b"new!"

    async def test_wrong_bytes_from_the_origin_are_retried_reported_and_never_listed(self, edge, origin):
        good = origin.put("t-1/r/a/1.m4s", b"good")
        bad = origin.put("t-1/r/a/2.m4s", b"right")
        origin.objects["t-1/r/a/2.m4s"] = b"wrong"
        other = origin.put("t-2/r/a/1.m4s", b"other")
        async with edge() as client:
            await client.fill("plan-1", [group("t-1", "240p", 0, [good, bad]), group("t-2", "240p", 0, [other])])
            progress = await client.filled()
            inventory = await client.inventory()
            assert progress["state"] == "failed"
            assert progress["failed_count"] == 1
            assert progress["failed"][0]["key"] == "t-1/r/a/2.m4s"
            assert "sha256" in progress["failed"][0]["reason"]
            assert origin.requests.count("t-1/r/a/2.m4s") == 3
            assert inventory["complete"] == {"t-2": {"240p": [0]}}
            origin.objects["t-1/r/a/2.m4s"] = b"right"
            await client.fill("plan-1", [group("t-1", "240p", 0, [good, bad]), group("t-2", "240p", 0, [other])])
            assert (await client.filled())["state"] == "complete"
        assert origin.requests.count("t-1/r/a/1.m4s") == 1

    async def test_disk_that_is_smaller_than_declared_ends_the_fill_and_lists_only_what_is_there(
        self, edge, origin, monkeypatch, tmp_path
    ):
        groups = [group("t-1", "240p", n, [origin.put(f"t-1/r/a/{n}.m4s", b"0123456789")]) for n in range(6)]
        stage, room = EdgeDisk.stage, [20]

        def take(disk, content, *, sha256=None):
            if len(content) > room[0]:
                raise OSError(errno.ENOSPC, "No space left on device")
            room[0] -= len(content)
            return stage(disk, content, sha256=sha256)

        monkeypatch.setattr(EdgeDisk, "stage", take)
        # one after the other: what others had under way when the disk is full is given up, sooner or later
        monkeypatch.setattr(edge_node, "FILL_WORKERS", 1)
        async with edge(capacity_bytes=1000) as client:
            await client.fill("plan-1", groups)
            progress = await client.filled()
            assert progress["state"] == "failed"
            assert "the disk is full though its capacity is not" in progress["error"]
            listed = (await client.inventory())["complete"]["t-1"]["240p"]
            assert len(listed) == 2
            assert files_of(tmp_path, "placed") == {f"t-1/r/a/{n}.m4s" for n in listed}
            # what has no room passes through to viewers all the same
            assert (await client.get("/media/t-1/r/a/5.m4s")).content == b"0123456789"
            room[0] = 1000
            await client.fill("plan-1", groups)
            assert (await client.filled())["state"] == "complete"
        assert all(origin.requests.count(f"t-1/r/a/{n}.m4s") == 1 for n in listed), (
            "what was there is not fetched again"
        )

    async def test_object_that_the_origin_lacks_is_not_retried(self, edge, origin):
        facts = origin.put("t-1/r/a/1.m4s", b"gone")
        del origin.objects["t-1/r/a/1.m4s"]
        async with edge() as client:
            await client.fill("plan-1", [group("t-1", "240p", 0, [facts])])
            progress = await client.filled()
        assert progress["failed"] == [{"key": "t-1/r/a/1.m4s", "reason": "http://origin has no such object"}]
        assert len(origin.requests) == 1

    async def test_origin_that_is_gone_stops_the_fill_instead_of_failing_every_object(self, edge, origin):
        groups = [group("t-1", "240p", n, [origin.put(f"t-1/r/a/{n}.m4s", b"x")]) for n in range(200)]
        origin.error = httpx.ConnectError("refused")
        async with edge() as client:
            await client.fill("plan-1", groups)
            progress = await client.filled()
        assert progress["state"] == "failed"
        assert "keeps failing" in progress["error"]
        assert len(origin.requests) < 20

    async def test_window_that_closes_interrupts_and_the_same_plan_resumes(self, edge, origin):
        groups = [group("t-1", "240p", n, [origin.put(f"t-1/r/a/{n}.m4s", b"x")]) for n in range(3)]
        async with edge() as client:
            await client.fill("plan-1", groups, stop_at=NOW - 1)
            progress = await client.filled()
            assert (progress["state"], progress["objects_done"]) == ("interrupted", 0)
            await client.fill("plan-1", groups)
            assert (await client.filled())["state"] == "complete"

    async def test_old_groups_stay_until_room_is_needed_then_the_least_valuable_goes(self, edge, origin):
        old = [
            group("t-1", "240p", 0, [origin.put("t-1/r/a/1.m4s", b"1" * 300)], value=5),
            group("t-2", "240p", 0, [origin.put("t-2/r/a/1.m4s", b"2" * 300)], value=1),
            group("t-3", "240p", 0, [origin.put("t-3/r/a/1.m4s", b"3" * 200)], value=9),
        ]
        new = [group("t-4", "240p", 0, [origin.put("t-4/r/a/1.m4s", b"4" * 300)]), old[2]]
        async with edge() as client:
            await client.fill("plan-1", old)
            await client.filled()
            await client.fill("plan-2", new)
            progress = await client.filled()
            inventory = await client.inventory()
            assert progress["objects_already_there"] == 1
            assert set(inventory["complete"]) == {"t-1", "t-3", "t-4"}
            purged = (await client.signed("/edge/purge", {"keep_plan": True})).json()
            assert (purged["placed_objects"], purged["placed_bytes"]) == (1, 300)
            assert set((await client.inventory())["complete"]) == {"t-3", "t-4"}

    async def test_pulled_objects_make_room_for_placed_ones(self, edge, origin):
        for number in range(9):
            origin.put(f"t-1/r/a/{number}.m4s", b"p" * 100)
        facts = origin.put("t-2/r/a/1.m4s", b"x" * 800)
        async with edge() as client:
            for number in range(9):
                await client.get(f"/media/t-1/r/a/{number}.m4s")
            await client.fill("plan-1", [group("t-2", "240p", 0, [facts])])
            assert (await client.filled())["state"] == "complete"
            stats = await client.stats()
        assert stats["placed_bytes"] == 800
        assert stats["cached_bytes"] == 200

    async def test_new_package_delists_the_old_one_but_keeps_serving_it(self, edge, origin):
        shared = origin.put("t-1/r/a/1.m4s", b"shared")
        old = [
            group("t-1", "manifest", 0, [origin.put("t-1/p/pk1/master.m3u8", b"old")]),
            group("t-1", "240p", 0, [shared]),
        ]
        missing = origin.put("t-1/p/pk2/master.m3u8", b"new")
        del origin.objects["t-1/p/pk2/master.m3u8"]
        new = [
            group("t-1", "manifest", 0, [missing], package_id="pk2"),
            group("t-1", "240p", 0, [shared], package_id="pk2"),
        ]
        async with edge() as client:
            await client.fill("plan-1", old)
            await client.filled()
            generation = (await client.inventory())["generation"]
            await client.fill("plan-2", new)
            await client.filled()
            inventory = await client.inventory()
            still = await client.get("/media/t-1/p/pk1/master.m3u8")
            await client.signed("/edge/purge", {"keep_plan": True})
            kept = await client.get("/media/t-1/r/a/1.m4s")
        assert inventory["complete"] == {"t-1": {"240p": [0]}}
        assert inventory["generation"] > generation
        assert still.headers["cache-status"] == "eu-1; hit; detail=placed"
        assert kept.headers["cache-status"] == "eu-1; hit; detail=placed"

    @pytest.mark.parametrize(
        "spoil",
        [
            lambda groups: groups[0]["objects"][0].update(key="../journal.json"),
            lambda groups: groups[0]["objects"][0].update(key="t-1/CURRENT"),
            lambda groups: groups[0]["objects"][0].update(size_bytes=-1),
            lambda groups: groups[0]["objects"][0].update(sha256="beef"),
            lambda groups: groups.append(groups[0]),
            lambda groups: groups[0].update(objects=[]),
            lambda groups: groups[0].update(title_id="T 1"),
        ],
    )
    async def test_plan_that_makes_no_sense_is_refused(self, edge, origin, spoil):
        groups = [group("t-1", "240p", 0, [origin.put("t-1/r/a/1.m4s", b"1")])]
        spoil(groups)
        async with edge() as client:
            assert (await client.fill("plan-1", groups)).status_code == 400
            assert (await client.inventory())["plan_id"] is None


class TestOnlyIfCached:
    ONLY_HERE = {"Cache-Control": "only-if-cached"}

    async def test_is_answered_from_the_disk_and_never_from_upstream(self, edge, origin):
        facts = origin.put("t-1/r/a/1.m4s", b"placed")
        origin.put("t-1/r/a/2.m4s", b"at the origin alone")
        async with edge() as client:
            await client.fill("plan-1", [group("t-1", "240p", 0, [facts])])
            await client.filled()
            asked = list(origin.requests)
            held = await client.get("/media/t-1/r/a/1.m4s", headers=self.ONLY_HERE)
            lacking = await client.get("/media/t-1/r/a/2.m4s", headers=self.ONLY_HERE)
            pointer = await client.get("/media/t-1/CURRENT", headers=self.ONLY_HERE)
            stats = await client.stats()
        assert (held.status_code, held.content) == (200, b"placed")
        assert held.headers["cache-status"] == "eu-1; hit; detail=placed"
        assert (lacking.status_code, pointer.status_code) == (504, 504)
        assert lacking.headers["cache-status"] == "eu-1; detail=only-if-cached"
        assert origin.requests == asked
        assert (stats["disk_only_requests"], stats["disk_only_bytes"]) == (3, 6)
        assert (stats["requests"], stats["hits_placed"], stats["bytes_placed"], stats["misses"]) == (0, 0, 0, 0)


class TestFillFromSibling:
    @pytest.fixture
    def facts(self, origin):
        return [origin.put(f"t-1/r/a/{n}.m4s", b"%d" % n * 100) for n in range(8)]

    async def fill(self, client, facts):
        """All groups are said to be at the sibling."""
        groups = [group("t-1", "240p", n, [item], sibling_url="http://sibling/") for n, item in enumerate(facts)]
        await client.fill("plan-1", groups)
        return await client.filled(), await client.stats()

    async def test_what_it_holds_comes_from_it_and_the_rest_from_the_origin(self, edge, origin, facts):
        async with edge(disk="sibling") as sibling, edge() as client:
            await sibling.fill("plan-0", [group("t-1", "240p", n, [facts[n]]) for n in range(5)])
            await sibling.filled()
            origin.requests.clear()
            origin.sibling = lambda request: sibling.get(request.url.path, headers=request.headers)
            progress, stats = await self.fill(client, facts)
            at_sibling = await sibling.stats()
            assert (await client.inventory())["complete"] == {"t-1": {"240p": list(range(8))}}
        assert origin.requests == [f"t-1/r/a/{n}.m4s" for n in (5, 6, 7)]
        assert (progress["state"], progress["bytes_moved"], progress["bytes_from_siblings"]) == ("complete", 800, 500)
        assert progress["sibling_failures"] == stats["fill_sibling_failures"] == 3
        assert (stats["fill_objects"], stats["fill_bytes"]) == (8, 800)
        assert (stats["fill_sibling_objects"], stats["fill_sibling_bytes"]) == (5, 500)
        assert (at_sibling["upstream_requests"], at_sibling["disk_only_bytes"]) == (0, 500)

    async def test_wrong_bytes_of_it_are_not_placed(self, edge, origin, facts):
        async def answer(_):
            return httpx.Response(200, content=b"wrong")

        origin.sibling = answer
        async with edge() as client:
            progress, _ = await self.fill(client, facts)
            content = (await client.get("/media/t-1/r/a/7.m4s")).content
        assert (progress["state"], progress["sibling_failures"]) == ("complete", 8)
        assert (progress["bytes_moved"], progress["bytes_from_siblings"]) == (800 + 8 * 5, 8 * 5)
        assert content == b"7" * 100

    async def test_one_that_is_gone_is_soon_left_alone(self, edge, origin, facts, monkeypatch):
        asked = []

        async def refuse(request):
            asked.append(request.url.path)
            raise httpx.ConnectError("refused")

        origin.sibling = refuse
        monkeypatch.setattr(edge_node, "FILL_WORKERS", 1)
        async with edge() as client:
            progress, _ = await self.fill(client, facts)
        assert (progress["state"], progress["sibling_failures"]) == ("complete", 8)
        assert len(asked) == 5
        assert len(origin.requests) == 8


class TestFillBesideViewers:
    """A viewer's miss is under way on the link to upstream when a plan is to be filled."""

    @pytest.fixture
    def clock(self):
        return SteppedClock()

    @pytest.fixture
    def viewer(self, edge, origin):
        gate = asyncio.Event()

        async def hold_the_viewers(key):
            if key == "t-2/r/a/1.m4s":
                await gate.wait()

        origin.put("t-2/r/a/1.m4s", b"missed")
        origin.before_answer = hold_the_viewers

        @asynccontextmanager
        async def watch(**settings):
            async with edge(**settings) as client:
                task = asyncio.create_task(client.get("/media/t-2/r/a/1.m4s"))
                await origin.asked()

                async def leave():
                    gate.set()
                    await task

                yield client, leave
                await leave()

        return watch

    @pytest.fixture
    def groups(self, origin):
        return [group("t-1", "240p", n, [origin.put(f"t-1/r/a/{n}.m4s", b"x" * 100)]) for n in range(8)]

    async def test_waits_and_goes_on_a_second_after_they_are_done(self, viewer, origin, clock, groups):
        async with viewer() as (client, leave):
            await client.fill("plan-1", groups)
            await clock.advance(0.5)
            await clock.asleep()
            await leave()
            await clock.advance(0.9)
            await clock.asleep()
            held_back = (await client.get("/edge/fill")).json()
            assert origin.requests == ["t-2/r/a/1.m4s"]
            await clock.advance(0.1)
            progress = await client.filled()
            stats = await client.stats()
        assert (held_back["state"], held_back["objects_done"]) == ("filling", 0)
        assert held_back["paused_s"] == pytest.approx(1.4)
        assert (progress["state"], progress["objects_done"]) == ("complete", 8)
        assert origin.requests[1:] == [f"t-1/r/a/{n}.m4s" for n in range(8)]
        assert progress["paused_s"] == stats["fill_paused_s"] == pytest.approx(1.5)

    async def test_viewers_who_never_leave_the_link_let_a_trickle_through(self, viewer, origin, clock, groups):
        async with viewer() as (client, _):
            await client.fill("plan-1", groups)
            for number in range(8):
                await clock.advance(1.9)
                await clock.asleep()
                assert origin.requests[1:] == [f"t-1/r/a/{n}.m4s" for n in range(number)]
                await clock.advance(0.1)
                await origin.asked(times=number + 2)
            progress = await client.filled()
        assert (progress["state"], progress["objects_done"]) == ("complete", 8)
        assert progress["paused_s"] == pytest.approx(16.0)

    async def test_window_that_closes_while_it_waits_is_kept(self, viewer, origin, clock, groups):
        async with viewer(wall_clock=lambda: NOW - 1000 + clock.now) as (client, _):
            await client.fill("plan-1", groups, stop_at=NOW + 1.0)
            await clock.advance(2.0)
            progress = await client.filled()
        assert (progress["state"], progress["objects_done"]) == ("interrupted", 0)
        assert "window closed" in progress["error"]
        assert origin.requests == ["t-2/r/a/1.m4s"]


class TestPurge:
    async def test_by_title_takes_placed_and_pulled(self, edge, origin, tmp_path):
        placed = [group(f"t-{n}", "240p", 0, [origin.put(f"t-{n}/r/a/1.m4s", b"1" * n)]) for n in (1, 2)]
        origin.put("t-1/r/a/9.m4s", b"9" * 5)
        async with edge() as client:
            await client.fill("plan-1", placed)
            await client.filled()
            await client.get("/media/t-1/r/a/9.m4s")
            purged = (await client.signed("/edge/purge", {"title_ids": ["t-1"]})).json()
            inventory = await client.inventory()
        assert (purged["placed_bytes"], purged["cached_bytes"]) == (1, 5)
        assert inventory["complete"] == {"t-2": {"240p": [0]}}
        assert files_of(tmp_path, "placed") | files_of(tmp_path, "cached") == {"t-2/r/a/1.m4s"}

    async def test_of_the_pulled_part_leaves_the_placed(self, edge, origin):
        origin.put("t-9/r/a/1.m4s", b"9")
        async with edge() as client:
            await client.fill("plan-1", [group("t-1", "240p", 0, [origin.put("t-1/r/a/1.m4s", b"1")])])
            await client.filled()
            await client.get("/media/t-9/r/a/1.m4s")
            generation = (await client.inventory())["generation"]
            assert (await client.signed("/edge/purge", {"cached": True})).json()["cached_objects"] == 1
            inventory = await client.inventory()
        assert (inventory["placed_bytes"], inventory["cached_bytes"], inventory["generation"]) == (1, 0, generation)

    async def test_during_a_fill_takes_the_title_out_of_it(self, edge, origin):
        groups = [group(f"t-{n}", "240p", 0, [origin.put(f"t-{n}/r/a/1.m4s", b"x" * 10)]) for n in range(8)]
        origin.gate = asyncio.Event()
        async with edge() as client:
            await client.fill("plan-1", groups)
            while len(origin.requests) < 4:
                await asyncio.sleep(0)
            await client.signed("/edge/purge", {"title_ids": ["t-0", "t-7"]})
            origin.gate.set()
            progress = await client.filled()
            inventory = await client.inventory()
        assert (progress["state"], progress["objects_wanted"], progress["bytes_wanted"]) == ("complete", 6, 60)
        assert set(inventory["complete"]) == {f"t-{n}" for n in range(1, 7)}
        assert inventory["placed_bytes"] == 60

    async def test_must_say_what(self, edge):
        async with edge() as client:
            assert (await client.signed("/edge/purge", {})).status_code == 400


class TestSignature:
    async def test_wrong_old_and_missing_signatures_are_refused(self, edge):
        async with edge() as client:
            wrong = await client.signed("/edge/purge", {"cached": True}, secret="other")
            old = await client.signed("/edge/purge", {"cached": True}, now=NOW - 301)
            missing = await client.post("/edge/purge", content=b'{"cached":true}')
            garbled = await client.post("/edge/purge", content=b"{}", headers={SIGNATURE_HEADER: "v1=1"})
            good = await client.signed("/edge/purge", {"cached": True})
            stats = await client.stats()
        assert [answer.status_code for answer in (wrong, old, missing, garbled, good)] == [401, 401, 401, 401, 200]
        assert "share one secret" in wrong.json()["detail"]
        assert "301 s ago" in old.json()["detail"]
        assert "must be signed" in missing.json()["detail"]
        assert stats["refused_calls"] == 4


class TestRestart:
    async def filled(self, edge, origin):
        groups = [group("t-1", "240p", n, [origin.put(f"t-1/r/a/{n}.m4s", bytes([n]) * 100)]) for n in range(3)]
        origin.put("t-9/r/a/1.m4s", b"pulled")
        async with edge() as client:
            await client.fill("plan-1", groups)
            await client.filled()
            await client.get("/media/t-9/r/a/1.m4s")
            return groups, await client.inventory()

    async def test_comes_back_with_what_it_had(self, edge, origin, tmp_path):
        _, before = await self.filled(edge, origin)
        (tmp_path / "disk" / "incoming" / "77").write_bytes(b"half an object")
        origin.error = httpx.ConnectError("refused")
        async with edge() as client:
            after = await client.inventory()
            progress = (await client.get("/edge/fill")).json()
            pulled = await client.get("/media/t-9/r/a/1.m4s")
        assert after["complete"] == before["complete"]
        assert (after["placed_bytes"], after["cached_bytes"]) == (before["placed_bytes"], before["cached_bytes"])
        assert after["generation"] > before["generation"]
        assert (progress["plan_id"], progress["state"]) == ("plan-1", "complete")
        assert pulled.headers["cache-status"] == "eu-1; hit; detail=cached"
        assert files_of(tmp_path, "incoming") == set()

    async def test_lists_no_group_whose_file_is_gone_or_cut(self, edge, origin, tmp_path):
        groups, _ = await self.filled(edge, origin)
        (tmp_path / "disk" / "placed" / "t-1" / "r" / "a" / "1.m4s").unlink()
        (tmp_path / "disk" / "placed" / "t-1" / "r" / "a" / "2.m4s").write_bytes(b"cut")
        (tmp_path / "disk" / "placed" / "t-1" / "r" / "a" / "unknown.m4s").write_bytes(b"?")
        async with edge() as client:
            assert (await client.inventory())["complete"] == {"t-1": {"240p": [0]}}
            assert (await client.get("/edge/fill")).json()["state"] == "interrupted"
            origin.requests.clear()
            await client.fill("plan-1", groups)
            assert (await client.filled())["state"] == "complete"
        assert sorted(origin.requests) == ["t-1/r/a/1.m4s", "t-1/r/a/2.m4s"]
        assert files_of(tmp_path, "placed") == {f"t-1/r/a/{n}.m4s" for n in range(3)}

    async def test_after_a_crash_of_the_machine_contents_are_checked(self, edge, origin, tmp_path):
        await self.filled(edge, origin)
        (tmp_path / "disk" / "placed" / "t-1" / "r" / "a" / "1.m4s").write_bytes(b"\0" * 100)
        async with edge(boot_id="boot-2") as client:
            inventory = await client.inventory()
        assert inventory["complete"] == {"t-1": {"240p": [0, 2]}}
        assert inventory["cached_bytes"] == 0

    async def test_smaller_disk_sheds_until_it_fits(self, edge, origin, tmp_path):
        await self.filled(edge, origin)
        async with edge(capacity_bytes=250) as client:
            inventory = await client.inventory()
        assert inventory["complete"] == {"t-1": {"240p": [0, 1]}}
        assert files_of(tmp_path, "placed") == {"t-1/r/a/0.m4s", "t-1/r/a/1.m4s"}

    async def test_unreadable_journal_starts_empty(self, edge, origin, tmp_path):
        await self.filled(edge, origin)
        (tmp_path / "disk" / "journal.json").write_bytes(b"{")
        async with edge() as client:
            inventory = await client.inventory()
        assert (inventory["complete"], inventory["placed_bytes"]) == ({}, 0)
        assert files_of(tmp_path, "placed") == set()


class TestRescan:
    async def test_edge_is_then_like_one_that_has_just_started_on_that_disk(self, edge, origin, tmp_path):
        disk, restored, fresh = tmp_path / "disk", tmp_path / "restored", tmp_path / "fresh"
        pulled = [f"t-9/r/a/{number}.m4s" for number in range(12)]
        for key in pulled:
            origin.put(key, b"p" * 100)
        first = [group("t-1", "240p", n, [origin.put(f"t-1/r/a/{n}.m4s", bytes([n]) * 100)]) for n in range(3)]
        second = [group("t-2", "240p", n, [origin.put(f"t-2/r/a/{n}.m4s", bytes([n]) * 100)]) for n in range(4)]

        async def serve_some(client):
            """Ask for more than there is room for; who is a hit, and what is on the disk, tells who was let go."""
            seen = []
            for number in (0, 6, 7, 6, 7, 8, 7, 8, 9, 8, 9, 3, 10, 9, 10, 5, 2, 1, 4, 0, 11, 6):
                answer = await client.get(f"/media/{pulled[number]}")
                seen.append((number, answer.headers["cache-status"], (await client.inventory())["cached_bytes"]))
            return seen

        async with edge() as client:
            await client.fill("plan-1", first)
            await client.filled()
            for number in (5, 2, 0, 3, 1, 4):
                await client.get(f"/media/{pulled[number]}")
            shutil.copytree(disk, restored)
            shutil.copytree(disk, fresh)
            # What it goes through afterwards leaves its mark on hit counts, ghosts, plans and folders.
            for number in (2, 2, 2, 5, 5, 6, 7, 8, 9, 6):
                await client.get(f"/media/{pulled[number]}")
            await client.get("/media/t-9/r/a/absent.m4s")
            await client.fill("plan-2", second)
            await client.filled()
            await client.signed("/edge/purge", {"keep_plan": True})
            last_reported = (await client.inventory())["generation"]

            shutil.rmtree(disk)
            restored.rename(disk)
            found = (await client.rescan()).json()
            assert found == await client.inventory()
            fill_found = (await client.get("/edge/fill")).json()
            seen = await serve_some(client)
            origin.put("t-9/r/a/absent.m4s", b"here now")
            assert (await client.get("/media/t-9/r/a/absent.m4s")).status_code == 200
        async with edge(disk="fresh") as client:
            expected = await client.inventory()
            assert fill_found == (await client.get("/edge/fill")).json()
            assert seen == await serve_some(client)
            await client.get("/media/t-9/r/a/absent.m4s")
        assert found["generation"] > last_reported
        assert found | {"generation": 0} == expected | {"generation": 0}
        assert (found["plan_id"], found["cached_bytes"]) == ("plan-1", 600)
        assert found["complete"] == {"t-1": {"240p": [0, 1, 2]}}
        assert any("hit" in status for _, status, _ in seen)
        assert sum("stored" in status for _, status, _ in seen) > 4  # so something had to go
        assert files_of(tmp_path, "cached", disk="fresh") == files_of(tmp_path, "cached")

    async def test_new_content_is_served_and_told_under_a_new_generation(self, edge, origin, tmp_path):
        groups = [group("t-1", "240p", 0, [origin.put("t-1/r/a/0.m4s", b"0" * 100)])]
        async with edge() as client:
            await client.fill("plan-1", groups)
            await client.filled()
            known = (await client.inventory())["generation"]
            shutil.rmtree(tmp_path / "disk")
            await client.rescan()
            news = await client.get("/edge/inventory", params={"since": known})
            miss = await client.get("/media/t-1/r/a/0.m4s")
        assert (news.status_code, news.json()["complete"], news.json()["plan_id"]) == (200, {}, None)
        assert miss.headers["cache-status"] == "eu-1; fwd=uri-miss; stored; fwd-status=200"
        async with edge() as client:  # what was reported holds over a restart too
            assert (await client.inventory())["generation"] > news.json()["generation"]

    async def test_load_of_before_is_forgotten(self, edge, origin, clock):
        origin.put("t-1/r/a/seg-1.m4s", b"x" * 500)
        async with edge(viewer_rate_bps=8000.0) as client:
            for _ in range(10):
                await client.get("/media/t-1/r/a/seg-1.m4s")
                clock.now += 1
            assert (await client.stats())["load"] > 0.4
            await client.rescan()
            clock.now += 1
            assert (await client.stats())["load"] == 0.0

    async def test_is_refused_while_a_plan_is_filled(self, edge, origin):
        groups = [group(f"t-{n}", "240p", 0, [origin.put(f"t-{n}/r/a/1.m4s", b"x" * 10)]) for n in range(8)]
        origin.gate = asyncio.Event()
        async with edge() as client:
            await client.fill("plan-1", groups)
            refused = await client.rescan()
            origin.gate.set()
            progress = await client.filled()
            assert (await client.rescan()).status_code == 200
        assert (refused.status_code, progress["state"]) == (409, "complete")
        assert "being filled" in refused.json()["detail"]

    async def test_must_be_signed(self, edge):
        async with edge() as client:
            assert (await client.post("/edge/rescan")).status_code == 401

    async def test_waits_for_what_is_pulled_and_serves_nobody_meanwhile(self, edge, origin):
        origin.put("t-1/r/a/1.m4s", b"asked for before")
        origin.gate = asyncio.Event()
        async with edge() as client:
            before = asyncio.create_task(client.get("/media/t-1/r/a/1.m4s"))
            await origin.asked()
            rescan = asyncio.create_task(client.rescan())
            while (inventory := await client.get("/edge/inventory")).status_code == 200:
                await asyncio.sleep(0)
            during, again = await client.get("/media/t-1/r/a/1.m4s"), await client.rescan()
            assert not rescan.done()
            origin.gate.set()
            answer, found = await before, await rescan
            after = await client.get("/media/t-1/r/a/1.m4s")
        assert during.headers["retry-after"] == inventory.headers["retry-after"] == "1"
        assert (during.status_code, inventory.status_code, again.status_code) == (503, 503, 409)
        assert (answer.content, found.json()["cached_bytes"]) == (b"asked for before", 16)
        assert after.headers["cache-status"] == "eu-1; hit; detail=cached"

    async def test_disk_that_cannot_be_read_takes_the_edge_out_until_it_can(self, edge, origin, tmp_path):
        origin.put("t-1/r/a/1.m4s", b"x")
        async with edge() as client:
            await client.get("/media/t-1/r/a/1.m4s")
            shutil.rmtree(tmp_path / "disk")
            (tmp_path / "disk").write_bytes(b"no folder")
            refused = await client.rescan()
            media = await client.get("/media/t-1/r/a/1.m4s")
            assert (await client.get("/edge/inventory")).status_code == 503
            assert (await client.get("/system/health")).status_code == 200
            (tmp_path / "disk").unlink()
            repaired = await client.rescan()
            answer = await client.get("/media/t-1/r/a/1.m4s")
        assert (refused.status_code, media.status_code, repaired.status_code) == (503, 503, 200)
        assert "order another rescan" in refused.json()["detail"]
        assert answer.headers["cache-status"] == "eu-1; fwd=uri-miss; stored; fwd-status=200"


async def test_metrics_and_health(edge, origin):
    origin.put("t-1/r/a/1.m4s", b"1234")
    async with edge() as client:
        await client.get("/media/t-1/r/a/1.m4s")
        await client.get("/media/t-1/r/a/1.m4s")
        metrics = (await client.get("/metrics")).text
        assert (await client.get("/system/health")).json() == {"status": "ok", "edge_id": "eu-1"}
    assert 'matinee_edge_hits_cached_total{edge_id="eu-1"} 1' in metrics
    assert 'matinee_edge_cached_bytes{edge_id="eu-1"} 4' in metrics
    assert "# TYPE matinee_edge_cached_bytes gauge" in metrics
