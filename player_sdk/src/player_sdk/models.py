"""What the player is told from outside: the viewer, and the answers of the control API.

Wire structs ignore fields they do not know and default those that an older server lacks, so that client and server can
be released apart.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Literal

import msgspec

from player_sdk.errors import PlaylistError


@dataclass(frozen=True, kw_only=True)
class Viewer:
    """Who watches, where, and on what.

    Attributes:
        device: One of ``mobile``, ``tablet``, ``desktop``, ``tv-hd``, ``tv-4k``; others have no size cap.
        network_class: A coarse word for the access line, such as ``slow``, ``mixed``, ``fast``.
    """

    viewer_id: str
    region_id: str
    device: str = "unknown"
    network_class: str = "unknown"


@dataclass(frozen=True, kw_only=True)
class HomeItem:
    """A title in its place on the home page.

    Attributes:
        reason: Why it is there, for people.
        impression_id: Ties a playback to the page it was picked on; hand it to ``Player.play``.
        match_percent: How well it should suit the viewer, None when unknown.
        resume_position_s: Where the viewer left off.
    """

    title_id: str
    name: str
    reason: str
    impression_id: str | None
    genres: tuple[str, ...] = ()
    match_percent: int | None = None
    resume_position_s: float = 0.0


@dataclass(frozen=True, kw_only=True)
class HomeRow:
    """A row of the home page."""

    row_id: str
    name: str
    items: tuple[HomeItem, ...]


@dataclass(frozen=True, kw_only=True)
class HomePage:
    """The home page of one viewer, rows in the order in which they are shown.

    Attributes:
        source: What chose the main row: ``model`` or ``popularity``.
        model_version: Which model that was.
    """

    impression_id: str | None
    source: str
    model_version: str
    rows: tuple[HomeRow, ...]

    def items(self) -> list[HomeItem]:
        """All items, row by row."""
        return [item for row in self.rows for item in row.items]


class Title(msgspec.Struct, frozen=True, kw_only=True):
    """A title as the catalogue and the search list it; ``poster_path`` is below the page's ``artwork_base_url``."""

    title_id: str
    name: str = ""
    kind: str = ""
    genres: list[str] = []
    maturity_age: int = 0
    release_date: dt.date | None = None
    duration_s: float = 0.0
    poster_path: str | None = None


class CataloguePage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of the catalogue; ``next_cursor`` asks for the next one and is None on the last."""

    titles: list[Title] = []
    next_cursor: str | None = None
    artwork_base_url: str = ""


class SearchResults(msgspec.Struct, frozen=True, kw_only=True):
    """Titles that match a search, best first."""

    titles: list[Title] = []
    artwork_base_url: str = ""


class Pathway(msgspec.Struct, frozen=True, kw_only=True):
    """An edge or origin that a title can be fetched from.

    Attributes:
        base_url: Prefix of every path on it.
        latency_hint_s: What the server thinks a request to it takes.
    """

    pathway_id: str
    base_url: str
    latency_hint_s: float | None = None


class PlaybackPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a player needs to play one title: the answer of ``POST /v1/playback/sessions``.

    Attributes:
        pathways: Best first.
        hls_path, dash_path: Manifest paths below any pathway's ``base_url``.
        steering_url: Content steering manifest, None where nothing steers.
        beats_url: Where heartbeats go, None where nobody wants them.
        startup_bitrate_bps: The bit rate of the rung that the server would start with; 0 or None means no wish.
    """

    session_id: str
    pathways: list[Pathway]
    token: str = ""
    expires_at: dt.datetime | None = None
    package_id: str = ""
    duration_s: float = 0.0
    hls_path: str | None = None
    dash_path: str | None = None
    steering_url: str | None = None
    beats_url: str | None = None
    beat_interval_s: float = 10.0
    resume_position_s: float = 0.0
    startup_bitrate_bps: float | None = None

    def manifest_path(self, protocol: Literal["hls", "dash"] = "hls") -> str:
        """The path of the manifest of a protocol, or else of the other one.

        Raises:
            PlaylistError: There is none.
        """
        paths = [self.hls_path, self.dash_path] if protocol == "hls" else [self.dash_path, self.hls_path]
        path = paths[0] or paths[1]
        if not path:
            raise PlaylistError("the playback plan names no manifest")
        return path
