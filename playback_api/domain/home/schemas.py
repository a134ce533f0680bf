"""The home page."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from playback_api.domain.catalogue.schemas import TitleCard

HomeSource = Literal["model", "popularity"]


class HomeTitle(msgspec.Struct, frozen=True, kw_only=True):
    """A title in its place."""

    title: TitleCard
    reason: Annotated[str, msgspec.Meta(description="Why it is here, for people.", examples=["Popular near you"])]
    because_title_id: str | None = None
    match_percent: Annotated[
        int | None, msgspec.Meta(description="How well it should suit the viewer; null when unknown.")
    ] = None
    resume_position_s: float = 0.0


class HomeRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the page. No title stands on a page twice."""

    row_id: Annotated[str, msgspec.Meta(examples=["top-picks"])]
    name: Annotated[str, msgspec.Meta(examples=["Top picks for you"])]
    titles: list[HomeTitle]


class HomePage(msgspec.Struct, frozen=True, kw_only=True):
    """The rows for a viewer, and where they came from."""

    viewer_id: str
    region_id: str
    source: Annotated[HomeSource, msgspec.Meta(description="What chose the main row.")]
    model_version: str
    snapshot_id: str
    impression_id: Annotated[str, msgspec.Meta(description="Goes into the heartbeats of what is played from here.")]
    artwork_base_url: str
    rows: list[HomeRow]
