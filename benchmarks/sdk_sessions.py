"""Many sessions of the player SDK in one process: what they cost, and how many one core carries.

A server in a process of its own makes up a title of three rungs, picture and sound apart, the highest of which has
3 Mbit/s together; every session plays it over sockets of its own on loopback, in real time.

What is counted is a window that begins when all have had time to start and to fill their buffers, so that each needs
its 3 Mbit/s and no more. CPU time is that of the process; "one core carries" is how many times it goes into what it
delivered. On a machine that does other things too, sessions stall before the process has used a whole core, and those
that stall or play small rungs cost more a megabit. Each number of sessions is measured over both transports, one after
the other.

    python benchmarks/sdk_sessions.py --sessions 100 200 300 400 500
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import pstats
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

import httpx
from player_sdk.testing import FakeTitle

from player_sdk import PlaybackSettings, Player, SegmentDownloaded, Stalled, Started, http1_transport, http_transport

RATE_BPS = 3_000_000
AUDIO_BPS = 128_000
TITLE = FakeTitle(
    duration_s=1200.0,
    ladder={"240p": 400_000, "480p": 1_200_000, "720p": RATE_BPS - AUDIO_BPS},
    audio_bps=AUDIO_BPS,
)
SETTINGS = PlaybackSettings(buffer_max_s=12.0)
PIECE_BYTES = 1 << 18
"""What the server writes at once: less to hold for a reader that is slow."""
RAMP_PER_S = 5.0
"""New sessions a second: each reads its playlists, and asks for all that there is until its buffer is full."""
TRANSPORTS: Mapping[str, Callable[[], httpx.AsyncBaseTransport]] = {"http": http_transport, "http1": http1_transport}


@dataclass(kw_only=True)
class Counts:
    """What all sessions have had so far."""

    started: int = 0
    size_bytes: int = 0
    stalls: int = 0
    stalled_s: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Row:
    """One number of sessions over one transport.

    Attributes:
        core_share: CPU seconds of the process a second of the window.
        rate_bps: What came, for each session.
        stalls, stalled_s: In the window, of all sessions.
        core_carries: Sessions for which a whole core would have been enough, by the CPU time that a megabit took.
    """

    transport: str
    sessions: int
    core_share: float
    rate_bps: float
    stalls: int
    stalled_s: float
    core_carries: float


async def play(player: Player, url: str, number: int, counts: Counts) -> None:
    """One session, until it is cancelled."""
    await asyncio.sleep(number / RAMP_PER_S)
    async for event in player.open_url(url).events():
        match event:
            case Started():
                counts.started += 1
            case SegmentDownloaded():
                counts.size_bytes += event.size_bytes
            case Stalled():
                counts.stalls += 1
                counts.stalled_s += event.duration_s


async def measure(url: str, transport: str, sessions: int, window_s: float) -> Row:
    """Let sessions come, and look at them for a while once all of them play."""
    async with AsyncExitStack() as opened:
        transports = [await opened.enter_async_context(TRANSPORTS[transport]()) for _ in range(sessions)]
        players = [await opened.enter_async_context(Player(transport=one, settings=SETTINGS)) for one in transports]
        return await look_at(players, url, transport, window_s)


async def look_at(players: Sequence[Player], url: str, transport: str, window_s: float) -> Row:
    """The same for players that are there."""
    counts, sessions = Counts(), len(players)
    tasks = [asyncio.create_task(play(player, url, number, counts)) for number, player in enumerate(players)]
    await asyncio.sleep(sessions / RAMP_PER_S + SETTINGS.buffer_max_s)
    before, begun_s, cpu_s = Counts(**vars(counts)), time.monotonic(), time.process_time()
    await asyncio.sleep(window_s)
    taken_s, cpu_s = time.monotonic() - begun_s, time.process_time() - cpu_s
    after = Counts(**vars(counts))
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    if before.started < sessions:
        print(f"only {before.started} of {sessions} sessions had started", file=sys.stderr)
    came_bits = (after.size_bytes - before.size_bytes) * 8.0
    return Row(
        transport=transport,
        sessions=sessions,
        core_share=cpu_s / taken_s,
        rate_bps=came_bits / taken_s / sessions,
        core_carries=came_bits / RATE_BPS / cpu_s,
        stalls=after.stalls - before.stalls,
        stalled_s=after.stalled_s - before.stalled_s,
    )


async def serve() -> None:
    """Answer requests for the title on a free port, which is the first line that is printed."""
    kept: dict[str, bytes] = {}

    async def answer_all(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            path = head.split(b" ", 2)[1].decode()
            name = path.rpartition("seg-")[0] or path  # all segments of a track are alike
            if name not in kept:
                found = TITLE.resource(path.removeprefix("/media/film/"))
                body = b"" if found is None else found[0]
                status = "404 Not Found" if found is None else "200 OK"
                kept[name] = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
            answer = memoryview(kept[name])
            for at in range(0, len(answer), PIECE_BYTES):
                writer.write(answer[at : at + PIECE_BYTES])
                await writer.drain()

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await answer_all(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(converse, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def table(rows: Sequence[Row]) -> str:
    """As Markdown."""
    lines = ["| transport | sessions | of one core | Mbit/s each | stalls | stalled s | one core carries |"]
    lines += ["|---|---|---|---|---|---|---|"]
    lines += [
        f"| {row.transport} | {row.sessions} | {row.core_share:.0%} | {row.rate_bps / 1e6:.2f} | {row.stalls} | "
        f"{row.stalled_s:.1f} | {row.core_carries:.0f} |"
        for row in rows
    ]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, nargs="+", default=[100, 200, 300, 400, 500])
    parser.add_argument("--transport", nargs="+", choices=list(TRANSPORTS), default=list(TRANSPORTS))
    parser.add_argument("--window-s", type=float, default=20.0)
    parser.add_argument("--profile", action="store_true", help="print where the process spends its time instead")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.serve:
        asyncio.run(serve())
        return
    server = subprocess.Popen([sys.executable, __file__, "--serve"], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        url = f"http://127.0.0.1:{int(server.stdout.readline())}/media/film/p/1/master.m3u8"
        if options.profile:
            profile = cProfile.Profile()
            first = measure(url, options.transport[0], options.sessions[0], options.window_s)
            profile.runcall(asyncio.run, first)
            pstats.Stats(profile).sort_stats("tottime").print_stats(40)
            return
        wanted = [(transport, sessions) for sessions in options.sessions for transport in options.transport]
        print(table([asyncio.run(measure(url, *one, options.window_s)) for one in wanted]))
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main()
