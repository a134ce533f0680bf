"""The player: what an application opens, asks and closes."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import httpx

from player_sdk.abr import Abr, DefaultAbr
from player_sdk.api import ControlApi
from player_sdk.beat_sender import BeatSender, HeartbeatSettings
from player_sdk.clock import Clock, SystemClock
from player_sdk.errors import PlayerError
from player_sdk.loader import PathwayLoader
from player_sdk.models import CataloguePage, HomePage, Pathway, PlaybackPlan, SearchResults, Title, Viewer
from player_sdk.network_memory import NetworkMemory
from player_sdk.offline import PLAYLIST, FolderTransport, OfflineDownload, OfflineTitle, read_offline
from player_sdk.playback_settings import PlaybackSettings
from player_sdk.playlist import Presentation
from player_sdk.session import Session
from player_sdk.title_reader import ReadingLog, TitleReader
from player_sdk.transports import SharedTransport, http_transport

_TIMEOUT = httpx.Timeout(10.0, connect=4.0)
_STARTUP_SHARE = 0.6
"""How much of what a line gave the last time is asked of it at first; where a control API says, that counts."""

_ANYONE = Viewer(viewer_id="anyone", region_id="nowhere")


class Player:
    """A headless player of one viewer; use it as an async context manager.

    Args:
        api_url: Root of the control API; None plays URLs only (``open_url``).
        viewer: Who watches.
        transport: Carries all requests and stays open when the player closes, so that players can share one; None
            opens real connections.
        clock: Real time unless a ``VirtualClock`` is given; with one, give a transport that moves it.
        abr: Makes the policy of each session.
        beats: How heartbeats are sent; None sends none.
        settings: How sessions play.
        memory: Knows what the network gave the last time, and learns it when the player closes.
        seed: Jitter of retries, and names of sessions that no API names: players with the same seed and the same world
            do the same. None draws one, so that players do not retry in step.

    Example:
        async with Player(api_url="http://127.0.0.1:8801", viewer=viewer) as player:
            page = await player.home()
            first = page.items()[0]
            session = await player.play(first.title_id, impression_id=first.impression_id)
            report = await session.watch()
    """

    def __init__(
        self,
        *,
        api_url: str | None = None,
        viewer: Viewer | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Clock | None = None,
        abr: Callable[[], Abr] = DefaultAbr,
        beats: HeartbeatSettings | None = HeartbeatSettings(),  # noqa: B008 - frozen
        settings: PlaybackSettings | None = None,
        memory: NetworkMemory | None = None,
        seed: int | None = None,
    ) -> None:
        self.viewer = viewer or _ANYONE
        self.clock: Clock = clock or SystemClock()
        self._http = httpx.AsyncClient(
            transport=http_transport() if transport is None else SharedTransport(transport),
            timeout=_TIMEOUT,
            follow_redirects=True,
        )
        self._api = ControlApi(http=self._http, api_url=api_url) if api_url is not None else None
        self._abr = abr
        self._settings = settings or PlaybackSettings()
        self._memory = memory
        self._rng = random.Random(seed)
        self._beats = (
            BeatSender(http=self._http, clock=self.clock, rng=random.Random(seed), settings=beats)
            if beats is not None and api_url is not None
            else None
        )
        self._sessions: list[Session] = []

    async def __aenter__(self) -> Self:
        if self._beats is not None:
            await self._beats.send_spooled()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End what still plays, keep or drop what could not be sent, close the connections; it opens nothing more."""
        for session in self._sessions:
            await session.close()
        measured_bps = self._measured_bps()
        if self._memory is not None and measured_bps is not None:
            self._memory.remember(measured_bps, self.clock.utc_now())
        if self._beats is not None:
            await self._beats.close()
        await self._http.aclose()

    async def home(self) -> HomePage:
        """The viewer's home page.

        Raises:
            ApiError: As for every call of the API.
        """
        return await self._required_api().home(self.viewer)

    async def catalogue(
        self, *, genre: str | None = None, cursor: str | None = None, limit: int | None = None
    ) -> CataloguePage:
        """A page of the catalogue."""
        return await self._required_api().catalogue(genre=genre, cursor=cursor, limit=limit)

    async def titles(self, *, genre: str | None = None, page_size: int | None = None) -> AsyncIterator[Title]:
        """Every title of the catalogue, or of a genre; the next page is asked for when the last one is used up.

        Args:
            genre: Only these.
            page_size: Titles a request; None leaves it to the server.
        """
        cursor: str | None = None
        while True:
            page = await self.catalogue(genre=genre, cursor=cursor, limit=page_size)
            for title in page.titles:
                yield title
            cursor = page.next_cursor
            if cursor is None:
                return

    async def title(self, title_id: str) -> Title:
        """One title of the catalogue.

        Raises:
            TitleNotFound: No such title.
        """
        return await self._required_api().title(title_id)

    async def search(self, text: str) -> SearchResults:
        """Titles whose name or genre matches."""
        return await self._required_api().search(text)

    async def play(
        self,
        title_id: str,
        *,
        impression_id: str | None = None,
        max_height: int | None = None,
        start_s: float | None = None,
    ) -> Session:
        """Ask for a title; the viewer's wait begins here.

        Args:
            title_id: What to play.
            impression_id: The home page on which it was picked.
            max_height: Lowers the device's cap on the video's height.
            start_s: Where to start; None resumes where the server says.

        Raises:
            TitleNotFound: No such title.
            TitleUnavailable: No licence today.
            ServiceUnavailable: The API cannot answer now.
        """
        asked_at_s = self.clock.now()
        plan = await self._required_api().create_session(self.viewer, title_id, self._throughput_bps())
        return self._session(
            plan,
            title_id,
            asked_at_s=asked_at_s,
            start_s=plan.resume_position_s if start_s is None else start_s,
            impression_id=impression_id,
            max_height=max_height,
        )

    def open_url(self, url: str, *, max_height: int | None = None, start_s: float = 0.0) -> Session:
        """Play an HLS or DASH URL, without the API and without heartbeats.

        Raises:
            PlayerError: Not an absolute http(s) URL.
        """
        plan = self._url_plan(url)
        return self._session(
            plan,
            (plan.hls_path or "").rsplit("/", 1)[-1].split("?", 1)[0] or "url",
            asked_at_s=self.clock.now(),
            start_s=start_s,
            max_height=max_height,
        )

    async def probe_url(self, url: str) -> Presentation:
        """What an HLS or DASH URL offers, with the segments of every track; nothing of them is loaded.

        Raises:
            DeliveryError: The manifest or a playlist did not come.
            PlaylistError: It cannot be read or played.
            PlayerError: Not an absolute http(s) URL.
        """
        return await self._reader(self._url_plan(url)).open_with_playlists()

    async def download(
        self,
        title_id: str,
        folder: Path,
        *,
        max_height: int | None = None,
        progress: Callable[[float], None] | None = None,
    ) -> OfflineTitle:
        """Keep a title in a folder, at the best rung for the device, to be played until the session's token expires.

        Calling it again completes a download that broke off. Language and captions are those of the settings.

        Args:
            title_id: What to keep.
            folder: Of this title alone; is made if it is not there.
            max_height: Lowers the device's cap on the video's height.
            progress: Told the share of the files that are there, from 0 to 1.

        Raises:
            ApiError: As ``play``.
            DeliveryError: Something did not come.
            PlaylistError: A live or encrypted title.
            PlayerError: The folder cannot be written.
        """
        plan = await self._required_api().create_session(self.viewer, title_id, self._throughput_bps())
        return await self._keep(plan, title_id, folder, max_height, progress)

    async def download_url(
        self,
        url: str,
        folder: Path,
        *,
        max_height: int | None = None,
        progress: Callable[[float], None] | None = None,
    ) -> OfflineTitle:
        """The same for an HLS or DASH URL, which never expires."""
        plan = self._url_plan(url)
        return await self._keep(plan, url, folder, max_height, progress)

    def open_offline(self, folder: Path, *, start_s: float = 0.0) -> Session:
        """Play what ``download`` has kept, without a network and without heartbeats.

        Raises:
            OfflineExpired: It may not be played any more.
            PlayerError: The folder holds no complete download.
        """
        title = read_offline(folder, self.clock.utc_now())
        plan = PlaybackPlan(
            session_id=self._own_session_id("offline"),
            pathways=[Pathway(pathway_id="offline", base_url="http://offline")],
            hls_path=f"/{PLAYLIST}",
        )
        http = httpx.AsyncClient(transport=FolderTransport(folder))
        return self._session(plan, title.title_id, asked_at_s=self.clock.now(), start_s=start_s, http=http)

    async def _keep(
        self,
        plan: PlaybackPlan,
        title_id: str,
        folder: Path,
        max_height: int | None,
        progress: Callable[[float], None] | None,
    ) -> OfflineTitle:
        reader = self._reader(plan)
        selection = self._settings.select(await reader.open(), self.viewer.device, max_height)
        download = OfflineDownload(reader=reader, folder=folder, progress=progress)
        return await download.keep(title_id, selection, plan.expires_at)

    def _reader(self, plan: PlaybackPlan) -> TitleReader:
        self._require_open()
        loader = PathwayLoader(
            http=self._http,
            pathways=plan.pathways,
            clock=self.clock,
            rng=self._rng,
            listener=ReadingLog(),
            settings=self._settings.retry,
        )
        return TitleReader(plan=plan, loader=loader, clock=self.clock)

    def _url_plan(self, url: str) -> PlaybackPlan:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise PlayerError(f"{url!r} is not an absolute http or https URL")
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        known_bps = self._throughput_bps()
        return PlaybackPlan(
            session_id=self._own_session_id("url"),
            startup_bitrate_bps=None if known_bps is None else _STARTUP_SHARE * known_bps,
            pathways=[Pathway(pathway_id=parts.netloc, base_url=f"{parts.scheme}://{parts.netloc}")],
            hls_path=path,
        )

    def _own_session_id(self, kind: str) -> str:
        return f"{kind}-{self._rng.randrange(16**8):08x}"

    def _session(
        self,
        plan: PlaybackPlan,
        title_id: str,
        *,
        asked_at_s: float,
        start_s: float,
        impression_id: str | None = None,
        max_height: int | None = None,
        http: httpx.AsyncClient | None = None,
    ) -> Session:
        self._require_open()
        session = Session(
            plan=plan,
            title_id=title_id,
            viewer=self.viewer,
            http=http or self._http,
            clock=self.clock,
            abr=self._abr(),
            asked_at_s=asked_at_s,
            start_s=start_s,
            impression_id=impression_id,
            max_height=max_height,
            beats=self._beats,
            settings=self._settings,
            seed=self._rng.randrange(2**32),
        )
        self._sessions = [known for known in self._sessions if known.report is None]
        self._sessions.append(session)
        return session

    def _throughput_bps(self) -> float | None:
        """What the last session measured, or else what is remembered of the network: a better start than nothing."""
        measured_bps = self._measured_bps()
        if measured_bps is None and self._memory is not None:
            return self._memory.recall(self.clock.utc_now())
        return measured_bps

    def _measured_bps(self) -> float | None:
        measured = [session.throughput_bps for session in self._sessions if session.throughput_bps is not None]
        return measured[-1] if measured else None

    def _require_open(self) -> None:
        if self._http.is_closed:
            raise PlayerError("this player is closed; open another one")

    def _required_api(self) -> ControlApi:
        self._require_open()
        if self._api is None:
            raise PlayerError("this player has no api_url; give one, or play URLs with open_url")
        return self._api
