"""The player for code without an event loop."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any, Self

from player_sdk.client import Player
from player_sdk.models import CataloguePage, HomePage, SearchResults
from player_sdk.report import SessionReport


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

    def catalogue(self, *, genre: str | None = None, cursor: str | None = None) -> CataloguePage:
        """As ``Player.catalogue``."""
        return self._runner.run(self._opened().catalogue(genre=genre, cursor=cursor))

    def search(self, text: str) -> SearchResults:
        """As ``Player.search``."""
        return self._runner.run(self._opened().search(text))

    def watch(self, title_id: str, *, impression_id: str | None = None, watch_s: float | None = None) -> SessionReport:
        """Play a title to its end, or ``watch_s`` seconds of it.

        Raises:
            ApiError: As ``Player.play``.
        """
        return self._runner.run(self._watch(title_id, impression_id, watch_s))

    async def _open(self) -> Player:
        return await Player(**self._arguments).__aenter__()

    async def _watch(self, title_id: str, impression_id: str | None, watch_s: float | None) -> SessionReport:
        session = await self._opened().play(title_id, impression_id=impression_id)
        return await session.watch(watch_s)

    def _opened(self) -> Player:
        if self._player is None:
            raise RuntimeError("the player is not open; use it in a with statement")
        return self._player
