"""The same doors for code without an event loop: each call of ``Player`` and ``Session``, blocking."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from functools import wraps
from types import TracebackType
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar

from player_sdk.client import Player
from player_sdk.cmcd import PlayerState
from player_sdk.errors import PlayerError
from player_sdk.playlist import Track
from player_sdk.report import SessionReport
from player_sdk.session import Session

Arguments = ParamSpec("Arguments")
Inner = TypeVar("Inner")
Answer = TypeVar("Answer")


class _Loop:
    """The event loop that the calls of a player and of its sessions run in."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner()
        self.closed = False

    def run(self, call: Coroutine[Any, Any, Answer]) -> Answer:
        try:
            if self.closed:
                raise PlayerError("this player is closed; open another one")
            if _in_event_loop():
                raise PlayerError("an event loop runs here, as in notebooks: use Player and await its calls")
            return self._runner.run(call)
        finally:
            call.close()

    def close(self) -> None:
        self.closed = True
        self._runner.close()


def _in_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


class _Blocking(Generic[Inner]):
    """Something asynchronous, and where its calls run."""

    def __init__(self, inner: Inner, loop: _Loop) -> None:
        self._inner = inner
        self._loop = loop


def _waiting(
    call: Callable[Concatenate[Inner, Arguments], Coroutine[Any, Any, Answer]],
) -> Callable[Concatenate[_Blocking[Inner], Arguments], Answer]:
    """A call that waits for its answer."""

    @wraps(call)
    def waits(self: _Blocking[Inner], /, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Answer:
        return self._loop.run(call(self._inner, *args, **kwargs))

    return waits


def _each(
    call: Callable[Concatenate[Inner, Arguments], AsyncIterator[Answer]],
) -> Callable[Concatenate[_Blocking[Inner], Arguments], Iterator[Answer]]:
    """A call that waits for each of its answers."""

    @wraps(call)
    def iterates(self: _Blocking[Inner], /, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Iterator[Answer]:
        answers = call(self._inner, *args, **kwargs)

        async def following() -> Answer:
            return await anext(answers)

        while True:
            try:
                answer = self._loop.run(following())
            except StopAsyncIteration:
                return
            yield answer

    return iterates


def _at_once(
    call: Callable[Concatenate[Inner, Arguments], Answer],
) -> Callable[Concatenate[_Blocking[Inner], Arguments], Answer]:
    """A call that never waited."""

    @wraps(call)
    def answers(self: _Blocking[Inner], /, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Answer:
        return call(self._inner, *args, **kwargs)

    return answers


class SyncSession(_Blocking[Session]):
    """A ``Session`` whose calls block; ``SyncPlayer`` makes it."""

    def __init__(self, inner: Session, loop: _Loop) -> None:
        super().__init__(inner, loop)
        self.plan = inner.plan
        self.title_id = inner.title_id

    events = _each(Session.events)
    segments = _each(Session.segments)
    frames = _each(Session.frames)
    stream = _each(Session.stream)
    watch = _waiting(Session.watch)
    prepare = _waiting(Session.prepare)
    close = _waiting(Session.close)
    pause = _at_once(Session.pause)
    resume = _at_once(Session.resume)
    seek = _at_once(Session.seek)
    limit_height = _at_once(Session.limit_height)
    add_dropped_frames = _at_once(Session.add_dropped_frames)
    stop = _at_once(Session.stop)
    choose_audio = _at_once(Session.choose_audio)
    choose_captions = _at_once(Session.choose_captions)

    @property
    def report(self) -> SessionReport | None:
        """As ``Session.report``."""
        return self._inner.report

    @property
    def state(self) -> PlayerState:
        """As ``Session.state``."""
        return self._inner.state

    @property
    def duration_s(self) -> float | None:
        """As ``Session.duration_s``."""
        return self._inner.duration_s

    @property
    def position_s(self) -> float:
        """As ``Session.position_s``."""
        return self._inner.position_s

    @property
    def buffer_s(self) -> float:
        """As ``Session.buffer_s``."""
        return self._inner.buffer_s

    @property
    def throughput_bps(self) -> float | None:
        """As ``Session.throughput_bps``."""
        return self._inner.throughput_bps

    @property
    def paused(self) -> bool:
        """As ``Session.paused``."""
        return self._inner.paused

    @property
    def audio_tracks(self) -> tuple[Track, ...]:
        """As ``Session.audio_tracks``."""
        return self._inner.audio_tracks

    @property
    def caption_tracks(self) -> tuple[Track, ...]:
        """As ``Session.caption_tracks``."""
        return self._inner.caption_tracks


def _opening(
    call: Callable[Concatenate[_Blocking[Player], Arguments], Session],
) -> Callable[Concatenate[_Blocking[Player], Arguments], SyncSession]:
    """A call that answers with a session."""

    @wraps(call)
    def opens(self: _Blocking[Player], /, *args: Arguments.args, **kwargs: Arguments.kwargs) -> SyncSession:
        return SyncSession(call(self, *args, **kwargs), self._loop)

    return opens


def _with_arguments_of(
    init: Callable[Concatenate[Player, Arguments], None],
) -> Callable[[Callable[..., None]], Callable[Concatenate[SyncPlayer, Arguments], None]]:
    """Lets type checkers, editors and ``help`` know what a constructor takes that hands all of it on."""

    def same(own: Callable[..., None]) -> Callable[Concatenate[SyncPlayer, Arguments], None]:
        return wraps(init)(own)

    return same


class SyncPlayer(_Blocking[Player]):
    """A ``Player`` whose calls block; use it as a context manager, from one thread, outside of any event loop.

    Args:
        arguments: Those of ``Player``.

    Example:
        with SyncPlayer(api_url="http://127.0.0.1:8801", viewer=viewer) as player:
            report = player.play("s-0001").watch()
    """

    @_with_arguments_of(Player.__init__)
    def __init__(self, **arguments: Any) -> None:
        super().__init__(Player(**arguments), _Loop())
        self.viewer = self._inner.viewer
        self.clock = self._inner.clock

    def __enter__(self) -> Self:
        self._loop.run(self._inner.__aenter__())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    home = _waiting(Player.home)
    catalogue = _waiting(Player.catalogue)
    titles = _each(Player.titles)
    title = _waiting(Player.title)
    search = _waiting(Player.search)

    probe_url = _waiting(Player.probe_url)
    download = _waiting(Player.download)
    download_url = _waiting(Player.download_url)
    play = _opening(_waiting(Player.play))
    open_url = _opening(_at_once(Player.open_url))
    open_offline = _opening(_at_once(Player.open_offline))

    def close(self) -> None:
        """As ``Player.close``; the player is of no use afterwards, and a second call does nothing."""
        if self._loop.closed:
            return
        try:
            self._loop.run(self._inner.close())
        finally:
            self._loop.close()
