"""The catalogue: titles by name, page by page, and one at a time."""

from __future__ import annotations

import base64
import binascii
import bisect
import datetime as dt
from collections.abc import Callable

from playback_api.domain.catalogue.availability import is_licensed, is_suitable, may_be_shown
from playback_api.domain.catalogue.schemas import TitleDetail, TitlePage, card_of, detail_of
from playback_api.domain.errors import CursorInvalid, TitleNotLicensed, TitleTooMature, TitleUnknown
from playback_api.domain.served import Served, ServedSnapshots
from playback_api.domain.steering.services import PathwayRouter
from playback_api.snapshot import TitleRecord


def find_playable(served: Served, title_id: str, *, today: dt.date, max_age: int | None) -> TitleRecord:
    """A title that may be shown and played.

    Raises:
        TitleUnknown: The snapshot has no such title.
        TitleNotLicensed: Its licence does not cover today.
        TitleTooMature: It is rated above ``max_age``.
    """
    title = served.snapshot.title_by_id.get(title_id)
    if title is None:
        raise TitleUnknown(f"no title {title_id!r} in the catalogue", title_id=title_id)
    if not is_licensed(title, today):
        window = {"licence_start": str(title.licence_start), "licence_end": str(title.licence_end)}
        raise TitleNotLicensed(f"title {title_id!r} is not licensed on {today}", title_id=title_id, **window)
    if not is_suitable(title, max_age):
        raise TitleTooMature(
            f"title {title_id!r} is rated {title.maturity_age}, the request allows {max_age}", title_id=title_id
        )
    return title


class CatalogueService:
    """Lists and shows titles."""

    def __init__(self, snapshots: ServedSnapshots, router: PathwayRouter, *, clock: Callable[[], dt.datetime]) -> None:
        self._snapshots = snapshots
        self._router = router
        self._clock = clock

    def page(
        self, *, cursor: str | None, limit: int, genre: str | None, region_id: str, max_age: int | None
    ) -> TitlePage:
        """A page of the titles by name that may be shown today.

        The cursor names the last title of the page before, so that a new snapshot between two pages repeats nothing.

        Raises:
            CursorInvalid: The cursor was not given out here.
        """
        served = self._snapshots.current()
        today = self._clock().date()
        start = 0
        if cursor is not None:
            start = bisect.bisect_right(served.by_name, _read_cursor(cursor), key=_sort_key)
        found: list[TitleRecord] = []
        for title in served.by_name[start:]:
            if (genre is None or genre in title.genres) and may_be_shown(title, today, max_age):
                found.append(title)
                if len(found) > limit:
                    break
        more = len(found) > limit
        return TitlePage(
            titles=[card_of(title) for title in found[:limit]],
            next_cursor=_write_cursor(found[limit - 1]) if more else None,
            artwork_base_url=self._router.artwork_base_url(served, "", region_id),
        )

    def title(self, title_id: str, *, region_id: str, max_age: int | None) -> TitleDetail:
        """One title.

        Raises:
            TitleUnknown, TitleNotLicensed, TitleTooMature: It may not be shown.
        """
        served = self._snapshots.current()
        title = find_playable(served, title_id, today=self._clock().date(), max_age=max_age)
        return detail_of(title, self._router.artwork_base_url(served, "", region_id))


def _sort_key(title: TitleRecord) -> tuple[str, str]:
    return title.name.casefold(), title.title_id


def _write_cursor(title: TitleRecord) -> str:
    return base64.urlsafe_b64encode("\n".join(_sort_key(title)).encode()).decode()


def _read_cursor(cursor: str) -> tuple[str, str]:
    try:
        name, separator, title_id = (
            base64.b64decode(cursor.encode("ascii"), altchars=b"-_", validate=True).decode().rpartition("\n")
        )
    except (binascii.Error, ValueError):
        raise CursorInvalid("the cursor cannot be read; take next_cursor of the page before") from None
    if not separator:
        raise CursorInvalid("the cursor names no title; take next_cursor of the page before")
    return name, title_id
