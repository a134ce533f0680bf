"""The player for code without an event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from types import TracebackType
from typing import Any, Self, TypeVar

from player_sdk.client import Player
from player_sdk.events import Event
from player_sdk.models import CataloguePage, HomePage, SearchResults, Title
from player_sdk.report import SessionReport
from player_sdk.session import Session

Item = TypeVar("Item")


class SyncPlayer:
    """A ``Player`` whose calls block; use it as a context manager, from one thread, outside of any event loop.

    Args:
        arguments: Those of ``Player``.

    Example:
        with SyncPlayer(api_url="http://127.0.0.1:8801", viewer=viewer) as player:
            report = player.watch("s-0001")
    """

    def __init__(self, **arguments: Any) -> None:
        self._arguments = arguments
        self._runner = asyncio.Runner()
        self._player: Player | None = None

    def __enter__(self) -> Self:
        self._player = self._runner.run(self._open())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._player is not None:
                self._runner.run(self._player.close())
        finally:
            self._player = None
            self._runner.close()

    def home(self) -> HomePage:
        """As ``Player.home``."""
        return self._runner.run(self._opened().home())

    def catalogue(
        self, *, genre: str | None = None, cursor: str | None = None, limit: int | None = None
    ) -> CataloguePage:
        """As ``Player.catalogue``."""
        return self._runner.run(self._opened().catalogue(genre=genre, cursor=cursor, limit=limit))

    def titles(self, *, genre: str | None = None, page_size: int | None = None) -> Iterator[Title]:
        """As ``Player.titles``."""
        return self._each(self._opened().titles(genre=genre, page_size=page_size))

    def title(self, title_id: str) -> Title:
        """As ``Player.title``."""
        return self._runner.run(self._opened().title(title_id))

    def search(self, text: str) -> SearchResults:
        """As ``Player.search``."""
        return self._runner.run(self._opened().search(text))

    def play(
        self,
        title_id: str,
        *,
        impression_id: str | None = None,
        max_height: int | None = None,
        start_s: float | None = None,
    ) -> Session:
        """As ``Player.play``; iterate the session by ``events``, and call its other methods in between."""
        opened = self._opened().play(title_id, impression_id=impression_id, max_height=max_height, start_s=start_s)
        return self._runner.run(opened)

    def open_url(self, url: str, *, max_height: int | None = None, start_s: float = 0.0) -> Session:
        """As ``Player.open_url``."""
        return self._opened().open_url(url, max_height=max_height, start_s=start_s)

    def events(self, session: Session, watch_s: float | None = None) -> Iterator[Event]:
        """As ``Session.events``."""
        return self._each(session.events(watch_s))

    def watch(self, title_id: str, *, impression_id: str | None = None, watch_s: float | None = None) -> SessionReport:
        """Play a title to its end, or ``watch_s`` seconds of it.

        Raises:
            ApiError: As ``Player.play``.
        """
        return self._runner.run(self._watch(title_id, impression_id, watch_s))

    def _each(self, items: AsyncIterator[Item]) -> Iterator[Item]:
        async def following() -> Item:
            return await anext(items)

        while True:
            try:
                item = self._runner.run(following())
            except StopAsyncIteration:
                return
            yield item

    async def _open(self) -> Player:
        return await Player(**self._arguments).__aenter__()

    async def _watch(self, title_id: str, impression_id: str | None, watch_s: float | None) -> SessionReport:
        session = await self._opened().play(title_id, impression_id=impression_id)
        return await session.watch(watch_s)

    def _opened(self) -> Player:
        if self._player is None:
            raise RuntimeError("the player is not open; use it in a with statement")
        return self._player
