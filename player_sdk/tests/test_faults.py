"""Sessions over real connections that break, hang and are slow: a proxy on loopback stands before a plain server."""

import asyncio
import contextlib
import itertools
import random
from dataclasses import dataclass, field

import pytest
from player_sdk.testing import FakeTitle

from player_sdk import PlaybackSettings, Player, RequestFailed, RetrySettings, http1_transport, http_transport

TITLE = FakeTitle(duration_s=1.5, segment_s=0.5, ladder={"240p": 400_000, "1080p": 4_000_000}, audio_bps=64_000)
STUBBORN = RetrySettings(attempts=20, budget=100.0, backoff_s=0.01, silence_timeout_s=0.3)
PIECE_BYTES = 4096


@dataclass
class FaultProxy:
    """Hands on what comes and goes, and breaks what it is told to break.

    Attributes:
        port: Of the server behind it.
        rate_bps: What all connections together get, from the server on.
        faults: What becomes of each connection, in order: a number of bytes cuts it off after so many from the server,
            ``silent`` takes the request and never answers. Later ones are left alone.
    """

    port: int
    rate_bps: float = float("inf")
    faults: list[int | str] = field(default_factory=list)
    connections: int = 0
    free_at_s: float = 0.0
    serving_now: set[asyncio.Task[None]] = field(default_factory=set)

    @contextlib.asynccontextmanager
    async def serving(self):
        """Its own URL."""
        server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        try:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        finally:
            server.close()
            await asyncio.gather(*self.serving_now)

    async def serve(self, reader, writer):
        self.serving_now.add(asyncio.current_task())
        fault = self.faults[self.connections] if self.connections < len(self.faults) else float("inf")
        self.connections += 1
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", self.port)
        asking = asyncio.create_task(self.ask(reader, inner_writer))
        with contextlib.suppress(ConnectionError):
            if fault != "silent":
                await self.answer(inner_reader, writer, fault)
                writer.transport.abort()
        await asking

    async def ask(self, reader, writer):
        """Until who asks has gone."""
        with contextlib.suppress(ConnectionError):
            while piece := await reader.read(PIECE_BYTES):
                writer.write(piece)
                await writer.drain()
        writer.transport.abort()

    async def answer(self, reader, writer, left_bytes):
        loop = asyncio.get_running_loop()
        while left_bytes > 0 and (piece := await reader.read(min(PIECE_BYTES, left_bytes))):
            self.free_at_s = max(self.free_at_s, loop.time()) + len(piece) * 8.0 / self.rate_bps
            await asyncio.sleep(self.free_at_s - loop.time())
            writer.write(piece)
            await writer.drain()
            left_bytes -= len(piece)


@pytest.fixture
def title_port(tmp_path, serve):
    """A server of the title, each of its segments another noise."""
    noise = random.Random(0)
    media = tmp_path / "media" / TITLE.title_id
    names = ["p/1/master.m3u8", *(f"p/1/{track}.m3u8" for track in (*TITLE.ladder, "audio-en"))]
    for track in (*TITLE.ladder, "audio-en"):
        names += [f"r/{track}/init.mp4", *(f"r/{track}/seg-{number:05d}.m4s" for number in (1, 2, 3))]
    for name in names:
        content, _ = TITLE.resource(name)
        (media / name).parent.mkdir(parents=True, exist_ok=True)
        (media / name).write_bytes(content if name.startswith("p/") else noise.randbytes(len(content)))
    return int(serve(tmp_path).rpartition(":")[2])


@pytest.fixture(params=["http", "http1"])
def open_transport(request):
    """Either of the real transports."""
    if request.param == "http1":
        pytest.importorskip("aiohttp", reason="no aiohttp: pip install 'player-sdk[crowd]'")
    return {"http": http_transport, "http1": http1_transport}[request.param]


def play(proxy, open_transport, *, settings, seed=0):
    """The session that was played, its segments, and its events."""

    async def run():
        events = []
        async with (
            proxy.serving() as url,
            open_transport() as transport,
            Player(transport=transport, settings=settings, seed=seed) as player,
        ):
            session = player.open_url(f"{url}/media/film/p/1/master.m3u8")
            return session, [one async for one in session.segments(listener=events.append)], events

    return asyncio.run(asyncio.wait_for(run(), 60))


def expected(tmp_path, segment):
    folder = tmp_path / "media" / "film" / "r" / segment.rung
    number = segment.index + 1
    return (folder / "init.mp4").read_bytes(), (folder / f"seg-{number:05d}.m4s").read_bytes()


@pytest.mark.parametrize(
    "faults",
    [
        [9_000, 2_000, 100, 12_000, 5_000, 1, 7_000],
        ["silent", 9_000, "silent", 5_000],
    ],
    ids=["broken", "silent"],
)
def test_whatever_breaks_or_hangs_all_bytes_come_each_once(tmp_path, title_port, open_transport, faults):
    proxy = FaultProxy(title_port, faults=faults)
    session, segments, events = play(proxy, open_transport, settings=PlaybackSettings(retry=STUBBORN))
    assert session.report.end_reason == "completed"
    assert [(one.init, one.content) for one in segments] == [expected(tmp_path, one) for one in segments]
    for kind in ("video", "audio"):
        numbers = [one.index for one in segments if one.kind == kind]
        assert numbers == [0, 1, 2]
    assert proxy.connections > len(faults), "all of it has happened"
    failed = [event for event in events if isinstance(event, RequestFailed)]
    assert len(failed) == session.report.error_count >= len(faults) // 2


def test_a_line_of_a_rate_is_measured_as_no_faster_and_played_within(title_port, open_transport):
    """However slow the machine is: the top rung of 4 Mbit/s is never reached over 1 Mbit/s."""
    proxy = FaultProxy(title_port, rate_bps=1e6)
    session, segments, _ = play(proxy, open_transport, settings=PlaybackSettings())
    assert session.report.end_reason == "completed"
    assert session.throughput_bps < 1.3e6
    assert [rung for rung, _ in itertools.groupby(one.rung for one in segments if one.kind == "video")] == ["240p"]
