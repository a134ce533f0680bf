"""Whether a title may be shown: its licence window and its maturity rating."""

from __future__ import annotations

import datetime as dt

from playback_api.snapshot import TitleRecord


def is_licensed(title: TitleRecord, today: dt.date) -> bool:
    """Whether the licence covers today; an open end is null, and both ends count."""
    started = title.licence_start is None or title.licence_start <= today
    return started and (title.licence_end is None or today <= title.licence_end)


def is_suitable(title: TitleRecord, max_age: int | None) -> bool:
    """Whether the title is rated for viewers of that age; without an age everything is."""
    return max_age is None or title.maturity_age <= max_age


def may_be_shown(title: TitleRecord, today: dt.date, max_age: int | None) -> bool:
    """Both of the above: what lists, rows and search results ask."""
    return is_licensed(title, today) and is_suitable(title, max_age)
