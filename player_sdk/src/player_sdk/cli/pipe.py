"""A session that another player shows: its stream goes into that one's standard input, or to our standard output.

Who watches there may hold the picture, and then takes no more bytes. The session must know, or it would go on loading
and take for played what nobody has seen: it pauses as long as its playhead is ahead of what was taken.
"""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress

from player_sdk.errors import PlayerError
from player_sdk.events import Event
from player_sdk.session import Session
from player_sdk.stream_muxer import StreamPiece

PLAYERS: Mapping[str, Sequence[str]] = {
    "mpv": ("mpv", "--msg-level=all=warn", "-"),
    "ffplay": ("ffplay", "-v", "warning", "-autoexit", "-i", "-"),
}
"""How players are told to read their standard input, to say little and to end with it."""

_WRITE_BYTES = 65536
_LOOK_S = 0.2
_SLACK_S = 2.0
"""Players take a moment to start, and look a little ahead: less than this apart is in step."""


@asynccontextmanager
async def receiving(target: str) -> AsyncIterator[Receiver]:
    """Whoever gets the stream: ``mpv``, ``ffplay``, any other command line, or ``-`` for standard output.

    A program is waited for when it has everything, and ended when something goes wrong before.

    Raises:
        PlayerError: There is no such program, or it failed.
    """
    if target == "-":
        yield Receiver(sys.stdout.fileno())
        return
    command = PLAYERS.get(target) or shlex.split(target)
    if not command or shutil.which(command[0]) is None:
        raise PlayerError(
            f"there is no program {(command or [target])[0]!r} here; install it, name another one, or write the "
            "stream to standard output by --pipe -"
        )
    reading, writing = os.pipe()
    try:
        # Our own standard output is for the report.
        process = await asyncio.create_subprocess_exec(*command, stdin=reading, stdout=sys.stderr.fileno())
    except OSError as error:
        os.close(writing)
        raise PlayerError(f"{command[0]} cannot be started: {error}") from error
    finally:
        os.close(reading)
    try:
        receiver = Receiver(writing, gone=asyncio.ensure_future(process.wait()))
        yield receiver
        receiver.close()
        if await process.wait() != 0:
            raise PlayerError(f"{command[0]} ended with code {process.returncode}")
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await process.wait()
        receiver.close()


class Receiver:
    """A file descriptor that somebody reads, at their own pace.

    Args:
        gone: Done when nobody reads any more; None where only writing tells.
    """

    def __init__(self, descriptor: int, *, gone: asyncio.Future[int] | None = None) -> None:
        self._descriptor = descriptor
        self.gone = gone

    async def write(self, content: bytes) -> None:
        """Return when all of it was taken.

        Raises:
            BrokenPipeError: Nobody reads any more.
        """
        left = memoryview(content)
        while left:
            left = left[await asyncio.to_thread(os.write, self._descriptor, left) :]

    def close(self) -> None:
        """Nothing more will come."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


async def feed(
    session: Session,
    receiver: Receiver,
    *,
    watch_s: float | None,
    listener: Callable[[Event], object],
    slack_s: float = _SLACK_S,
) -> None:
    """Play a session into a receiver; it stops when nobody reads any more.

    Args:
        session: Has not been played.
        receiver: Gets its stream.
        watch_s: As for ``Session.events``.
        listener: Is told the events.
        slack_s: How far the playhead may be ahead of what was taken.

    Raises:
        PlayerError: The stream cannot be made.
    """
    feeder = _Feeder(session, receiver, slack_s)
    beside = [asyncio.create_task(feeder.write()), asyncio.create_task(feeder.keep_step())]
    try:
        async for piece in session.stream(watch_s, listener=listener):
            feeder.put(piece)
        feeder.put(None)
        await beside[0]
    finally:
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)


class _Feeder:
    """What was muxed and is not taken yet."""

    def __init__(self, session: Session, receiver: Receiver, slack_s: float) -> None:
        self._session = session
        self._receiver = receiver
        self._slack_s = slack_s
        self._pieces: asyncio.Queue[StreamPiece | None] = asyncio.Queue()
        self._taken_s: float | None = None
        self._held = False

    def put(self, piece: StreamPiece | None) -> None:
        """None ends the stream."""
        if self._taken_s is None and piece is not None:
            self._taken_s = self._session.position_s
        self._pieces.put_nowait(piece)

    async def write(self) -> None:
        """Hand over what there is, until the stream ends or nobody reads any more."""
        while (piece := await self._pieces.get()) is not None:
            from_s = self._taken_s or 0.0
            for at in range(0, len(piece.content), _WRITE_BYTES):
                part = piece.content[at : at + _WRITE_BYTES]
                try:
                    await self._receiver.write(part)
                except BrokenPipeError:
                    self._session.stop()
                    return
                share = (at + len(part)) / len(piece.content)
                self._taken_s = from_s + share * (piece.position_s - from_s)

    async def keep_step(self) -> None:
        """Hold the session while it is ahead of who watches; end it when they have gone."""
        while self._receiver.gone is None or not self._receiver.gone.done():
            if self._taken_s is not None:
                ahead_s = self._session.position_s - self._taken_s
                if ahead_s > self._slack_s and not self._session.paused:
                    self._held = True
                    self._session.pause()
                elif ahead_s <= 0.0 and self._held:
                    self._held = False
                    self._session.resume()
            await asyncio.sleep(_LOOK_S)
        self._session.stop()
