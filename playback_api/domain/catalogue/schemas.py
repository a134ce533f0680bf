"""Titles as pages show them."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

import msgspec

from playback_api.snapshot import RungRecord, TitleRecord


class TitleCard(msgspec.Struct, frozen=True, kw_only=True):
    """A title in a list."""

    title_id: Annotated[str, msgspec.Meta(examples=["s-0001"])]
    name: Annotated[str, msgspec.Meta(examples=["The Quiet Harbour"])]
    kind: Annotated[str, msgspec.Meta(examples=["film"])]
    genres: list[str]
    maturity_age: int
    release_date: dt.date
    duration_s: float
    poster_path: Annotated[str | None, msgspec.Meta(description="Relative to artwork_base_url.")]


class TitlePage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of the catalogue."""

    titles: list[TitleCard]
    next_cursor: Annotated[str | None, msgspec.Meta(description="Ask with it for what follows; null at the end.")]
    artwork_base_url: str


class TitleDetail(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is published about a title."""

    title_id: str
    package_id: str
    name: str
    kind: str
    genres: list[str]
    language: str
    maturity_age: int
    release_date: dt.date
    duration_s: float
    size_bytes: int
    synopsis: str
    poster_path: Annotated[str | None, msgspec.Meta(description="Relative to artwork_base_url.")]
    artwork_base_url: str
    licence_start: dt.date | None
    licence_end: dt.date | None
    rungs: list[RungRecord]


def card_of(title: TitleRecord) -> TitleCard:
    """What a list shows of a title."""
    return TitleCard(
        title_id=title.title_id,
        name=title.name,
        kind=title.kind,
        genres=title.genres,
        maturity_age=title.maturity_age,
        release_date=title.release_date,
        duration_s=title.duration_s,
        poster_path=title.poster_path,
    )


def detail_of(title: TitleRecord, artwork_base_url: str) -> TitleDetail:
    """What a title's own page shows."""
    return TitleDetail(
        title_id=title.title_id,
        package_id=title.package_id,
        name=title.name,
        kind=title.kind,
        genres=title.genres,
        language=title.language,
        maturity_age=title.maturity_age,
        release_date=title.release_date,
        duration_s=title.duration_s,
        size_bytes=title.size_bytes,
        synopsis=title.synopsis,
        poster_path=title.poster_path,
        artwork_base_url=artwork_base_url,
        licence_start=title.licence_start,
        licence_end=title.licence_end,
        rungs=title.rungs,
    )
