"""Putting a home page together: which rows, which titles, and why. Pure; no clock and no I/O.

A title stands on a page once, in the first row that wants it. The page has one main row, which the model fills, or
popularity when the model has nothing to say; only there is explored.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from playback_api.domain.home.exploration import day_generator, explore
from playback_api.domain.served import Recommendation, Served
from playback_api.profile import ViewerProfile
from playback_api.snapshot import TitleRecord

ROW_LENGTH = 20
BECAUSE_LENGTH = 10
BECAUSE_ROWS = 2
GENRE_ROWS = 3
SHORTEST_ROW = 2
NEW_RELEASE_DAYS = 90

CONTINUE, TOP_PICKS, BECAUSE, POPULAR, NEW = (
    "continue-watching",
    "top-picks",
    "because-you-watched",
    "popular",
    "new-releases",
)
EXPLORED_REASON = "something-different"
REASON_TEXTS = {
    "trending": "Popular near you",
    "new": "New for you",
    "new-title": "New for you",
    EXPLORED_REASON: "Something different",
}


@dataclass(frozen=True, kw_only=True)
class PlacedTitle:
    """A title on the page.

    Attributes:
        reason: A code, for the log.
        text: The same for people.
    """

    title: TitleRecord
    reason: str
    text: str
    because_title_id: str | None = None
    propensity: float = 1.0
    resume_position_s: float = 0.0


@dataclass(frozen=True, kw_only=True)
class PageRow:
    """A row of the page."""

    row_id: str
    name: str
    titles: list[PlacedTitle]


@dataclass(frozen=True, kw_only=True)
class PageRequest:
    """What a page is made from.

    Attributes:
        may_be_shown: Licence and maturity.
        recommended: The model's answer, best first; empty for popularity.
    """

    served: Served
    profile: ViewerProfile
    region_id: str
    today: dt.date
    may_be_shown: Callable[[TitleRecord], bool]
    recommended: Sequence[Recommendation] = ()


def build_rows(request: PageRequest) -> list[PageRow]:
    """The rows of a page, in the order in which they are shown; empty rows are left out."""
    page = _Page(request)
    page.add_continue_watching()
    page.add_main_row()
    page.add_because_rows()
    page.add_popular()
    page.add_new_releases()
    page.add_genres()
    return page.rows


@dataclass
class _Page:
    request: PageRequest
    rows: list[PageRow] = field(default_factory=list)
    shown: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.titles = self.request.served.snapshot.title_by_id
        self.watched = {item.title_id for item in self.request.profile.recent}

    def add_continue_watching(self) -> None:
        positions = {item.title_id: item.position_s for item in self.request.profile.resume}
        placed = [
            PlacedTitle(
                title=title,
                reason="continue",
                text="Pick up where you left off",
                resume_position_s=positions[title.title_id],
            )
            for title in self._available(positions, include_watched=True)
        ]
        self._add(CONTINUE, "Continue watching", placed[:ROW_LENGTH], shortest=1)

    def add_main_row(self) -> None:
        """Top picks by the model, or the region's most popular titles; the one row that explores."""
        request = self.request
        by_model = {item.title_id: item for item in request.recommended}
        row_id, name = (TOP_PICKS, "Top picks for you") if by_model else (POPULAR, "Popular near you")
        wanted = by_model or dict.fromkeys(self._popular_ids())
        ranked = [title.title_id for title in self._available(wanted)][:ROW_LENGTH]
        pool = sorted(title.title_id for title in self._available(self.titles) if title.title_id not in ranked)
        generator = day_generator(request.profile.viewer_id, request.today.isoformat())
        placed = []
        for placing in explore(ranked, pool, generator):
            recommendation = None if placing.explored else by_model.get(placing.title_id)
            reason = EXPLORED_REASON if placing.explored else recommendation.reason if recommendation else "trending"
            because = recommendation.because_title_id if recommendation else None
            placed.append(
                PlacedTitle(
                    title=self.titles[placing.title_id],
                    reason=f"{reason}:{because}" if because else reason,
                    text=self._text_of(reason, because),
                    because_title_id=because,
                    propensity=placing.propensity,
                )
            )
        self._add(row_id, name, placed, shortest=1)

    def add_because_rows(self) -> None:
        """What the model says of single titles that the viewer watched, the most telling title first."""
        titles_by_cause: dict[str, list[str]] = {}
        for item in self.request.recommended:
            if item.because_title_id in self.titles and item.title_id not in self.shown:
                titles_by_cause.setdefault(str(item.because_title_id), []).append(item.title_id)
        causes = sorted(titles_by_cause, key=lambda cause: -len(titles_by_cause[cause]))[:BECAUSE_ROWS]
        for number, cause in enumerate(causes, start=1):
            placed = [
                PlacedTitle(
                    title=title,
                    reason=f"because-watched:{cause}",
                    text=self._text_of("", cause),
                    because_title_id=cause,
                )
                for title in self._available(titles_by_cause[cause])[:BECAUSE_LENGTH]
            ]
            row_id = BECAUSE if number == 1 else f"{BECAUSE}-{number}"
            self._add(row_id, self._text_of("", cause), placed)

    def add_popular(self) -> None:
        if any(row.row_id == POPULAR for row in self.rows):
            return
        placed = [
            PlacedTitle(title=title, reason="trending", text="Popular near you")
            for title in self._available(self._popular_ids())
        ]
        self._add(POPULAR, "Popular near you", placed[:ROW_LENGTH])

    def add_new_releases(self) -> None:
        today = self.request.today
        oldest = today - dt.timedelta(days=NEW_RELEASE_DAYS)
        fresh = [title for title in self._available(self.titles) if oldest <= title.release_date <= today]
        fresh.sort(key=lambda title: (-title.release_date.toordinal(), title.title_id))
        placed = [PlacedTitle(title=title, reason="new-release", text="Just added") for title in fresh]
        self._add(NEW, "New releases", placed[:ROW_LENGTH])

    def add_genres(self) -> None:
        """Genres that the viewer watches most, then those with most titles; popular titles first."""
        liked = Counter(
            genre
            for item in self.request.profile.recent
            if item.title_id in self.titles
            for genre in self.titles[item.title_id].genres
        )
        genres = [genre for genre, _ in liked.most_common()]
        genres += [genre for genre in self.request.served.snapshot.genres if genre not in liked]
        added = 0
        for genre in genres:
            if added == GENRE_ROWS:
                return
            titles = [title for title in self._available(self.titles) if genre in title.genres]
            titles.sort(key=lambda title: (-self._popularity(title.title_id), title.title_id))
            placed = [PlacedTitle(title=title, reason="genre", text=genre.capitalize()) for title in titles]
            added += self._add(f"genre-{genre}"[:64], genre.capitalize(), placed[:ROW_LENGTH])

    def _add(self, row_id: str, name: str, placed: list[PlacedTitle], *, shortest: int = SHORTEST_ROW) -> bool:
        if len(placed) < shortest:
            return False
        self.rows.append(PageRow(row_id=row_id, name=name, titles=placed))
        self.shown.update(item.title.title_id for item in placed)
        return True

    def _available(self, title_ids: Iterable[str], *, include_watched: bool = False) -> list[TitleRecord]:
        """Those titles that exist, may be shown, are not on the page yet and, unless asked for, were not watched."""
        found = (self.titles[title_id] for title_id in title_ids if title_id in self.titles)
        return [
            title
            for title in found
            if title.title_id not in self.shown
            and (include_watched or title.title_id not in self.watched)
            and self.request.may_be_shown(title)
        ]

    def _popular_ids(self) -> list[str]:
        return [entry.title_id for entry in self.request.served.snapshot.popular(self.request.region_id)]

    def _popularity(self, title_id: str) -> float:
        return self.request.served.popularity_of(self.request.region_id, title_id)

    def _text_of(self, reason: str, because_title_id: str | None) -> str:
        if because_title_id is not None and because_title_id in self.titles:
            return f"Because you watched {self.titles[because_title_id].name}"
        return REASON_TEXTS.get(reason, "Picked for you")
