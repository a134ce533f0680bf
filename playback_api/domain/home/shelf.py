"""The titles that a page may show today, in the orders in which its rows want them.

Sorting a whole catalogue for every page would cost more than all the rest of it; a shelf is made once for a day, an
age limit and a region, and shared by all pages.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from playback_api.domain.catalogue.availability import may_be_shown
from playback_api.domain.served import Served
from playback_api.snapshot import TitleRecord

NEW_RELEASE_DAYS = 90
MAX_SHELVES = 64


@dataclass(frozen=True, kw_only=True)
class Shelf:
    """Titles that are licensed today and suit the age.

    Attributes:
        titles: All of them, by id.
        title_ids: The same in a fixed order.
        popular: Ids with recent viewing in the region, best first.
        new_releases: Ids released lately, newest first.
        by_genre: Ids, the region's popular ones first; the genre with most titles first.
    """

    titles: Mapping[str, TitleRecord]
    title_ids: tuple[str, ...]
    popular: tuple[str, ...]
    new_releases: tuple[str, ...]
    by_genre: Mapping[str, tuple[str, ...]]


def stock_shelf(served: Served, *, today: dt.date, max_age: int | None, region_id: str) -> Shelf:
    """Make the shelf of a day, an age limit and a region."""
    titles = {title.title_id: title for title in served.snapshot.titles if may_be_shown(title, today, max_age)}
    oldest = today - dt.timedelta(days=NEW_RELEASE_DAYS)
    fresh = [title for title in titles.values() if oldest <= title.release_date <= today]
    fresh.sort(key=lambda title: (-title.release_date.toordinal(), title.title_id))
    ordered = sorted(titles, key=lambda title_id: (-served.popularity_of(region_id, title_id), title_id))
    by_genre: dict[str, list[str]] = {}
    for title_id in ordered:
        for genre in titles[title_id].genres:
            by_genre.setdefault(genre, []).append(title_id)
    return Shelf(
        titles=titles,
        title_ids=tuple(sorted(titles)),
        popular=tuple(entry.title_id for entry in served.snapshot.popular(region_id) if entry.title_id in titles),
        new_releases=tuple(title.title_id for title in fresh),
        by_genre={
            genre: tuple(by_genre[genre]) for genre in sorted(by_genre, key=lambda name: (-len(by_genre[name]), name))
        },
    )


class Shelves:
    """Keeps the shelves of the snapshot that is served."""

    def __init__(self) -> None:
        self._served: Served | None = None
        self._shelves: dict[tuple[dt.date, int | None, str], Shelf] = {}

    def shelf(self, served: Served, *, today: dt.date, max_age: int | None, region_id: str) -> Shelf:
        """The shelf, made when nobody has asked for it yet."""
        if served is not self._served or len(self._shelves) >= MAX_SHELVES:
            self._served, self._shelves = served, {}
        # regions that the snapshot does not know share the shelf of all regions
        key = (today, max_age, region_id if region_id in served.snapshot.region_ids else "")
        if key not in self._shelves:
            self._shelves[key] = stock_shelf(served, today=today, max_age=max_age, region_id=region_id)
        return self._shelves[key]
