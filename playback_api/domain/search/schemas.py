"""What a search finds."""

from __future__ import annotations

import msgspec

from playback_api.domain.catalogue.schemas import TitleCard


class SearchResults(msgspec.Struct, frozen=True, kw_only=True):
    """Titles, best match first."""

    query: str
    titles: list[TitleCard]
    artwork_base_url: str
