"""Putting a home page together: which rows, which titles, and why. Pure; no clock and no I/O.

A title stands on a page once, in the first row that wants it. The page has one main row, which the model fills, or
popularity when the model has nothing to say; only there is explored.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice

from playback_api.domain.home.exploration import EPSILON, ExplorationPool, day_generator, explore
from playback_api.domain.home.shelf import Shelf
from playback_api.domain.served import Recommendation
from playback_api.profile import ViewerProfile
from playback_api.snapshot import TitleRecord

ROW_LENGTH = 20
BECAUSE_LENGTH = 10
BECAUSE_ROWS = 2
GENRE_ROWS = 3
SHORTEST_ROW = 2

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
    "age-band": "Popular with people your age",
    "picked-genre": "For the genres that you picked",
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
        shelf: What may be shown.
        today: Changes what is explored.
        recommended: The model's answer, best first; empty for popularity.
        exploration_share: How likely a place of the main row explores.
    """

    shelf: Shelf
    profile: ViewerProfile
    today: dt.date
    recommended: Sequence[Recommendation] = ()
    exploration_share: float = EPSILON


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
        self.shelf = self.request.shelf
        self.watched = {item.title_id for item in self.request.profile.recent}

    def add_continue_watching(self) -> None:
        positions = {item.title_id: item.position_s for item in self.request.profile.resume}
        placed = [
            PlacedTitle(
                title=self.shelf.titles[title_id],
                reason="continue",
                text="Pick up where you left off",
                resume_position_s=position_s,
            )
            for title_id, position_s in positions.items()
            if title_id in self.shelf.titles
        ]
        self._add(CONTINUE, "Continue watching", placed[:ROW_LENGTH], shortest=1)

    def add_main_row(self) -> None:
        """Top picks by the model, or the region's most popular titles; the one row that explores."""
        by_model = {item.title_id: item for item in self.request.recommended}
        row_id, name = (TOP_PICKS, "Top picks for you") if by_model else (POPULAR, "Popular near you")
        ranked = self._take(by_model or self.shelf.popular, ROW_LENGTH)
        pool = ExplorationPool(self.shelf.title_ids, self.shelf.titles, {*ranked, *self.shown, *self.watched})
        generator = day_generator(self.request.profile.viewer_id, self.request.today.isoformat())
        placed = []
        for placing in explore(ranked, pool, generator, epsilon=self.request.exploration_share):
            recommendation = None if placing.explored else by_model.get(placing.title_id)
            reason = EXPLORED_REASON if placing.explored else recommendation.reason if recommendation else "trending"
            because = recommendation.because_title_id if recommendation else None
            placed.append(
                PlacedTitle(
                    title=self.shelf.titles[placing.title_id],
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
            if item.because_title_id in self.shelf.titles and item.title_id not in self.shown:
                titles_by_cause.setdefault(str(item.because_title_id), []).append(item.title_id)
        causes = sorted(titles_by_cause, key=lambda cause: -len(titles_by_cause[cause]))[:BECAUSE_ROWS]
        for number, cause in enumerate(causes, start=1):
            text = self._text_of("", cause)
            row_id = BECAUSE if number == 1 else f"{BECAUSE}-{number}"
            title_ids = self._take(titles_by_cause[cause], BECAUSE_LENGTH)
            self._add(row_id, text, self._placed(title_ids, f"because-watched:{cause}", text, cause))

    def add_popular(self) -> None:
        if any(row.row_id == POPULAR for row in self.rows):
            return
        title_ids = self._take(self.shelf.popular, ROW_LENGTH)
        self._add(POPULAR, "Popular near you", self._placed(title_ids, "trending", "Popular near you"))

    def add_new_releases(self) -> None:
        title_ids = self._take(self.shelf.new_releases, ROW_LENGTH)
        self._add(NEW, "New releases", self._placed(title_ids, "new-release", "Just added"))

    def add_genres(self) -> None:
        """Genres that the viewer watches most, then those with most titles; popular titles first."""
        liked = Counter(
            genre
            for item in self.request.profile.recent
            if item.title_id in self.shelf.titles
            for genre in self.shelf.titles[item.title_id].genres
        )
        wanted = dict.fromkeys([*(genre for genre, _ in liked.most_common()), *self.shelf.by_genre])
        added = 0
        for genre in wanted:
            if added == GENRE_ROWS:
                return
            name = genre.capitalize()
            title_ids = self._take(self.shelf.by_genre[genre], ROW_LENGTH)
            added += self._add(f"genre-{genre}"[:64], name, self._placed(title_ids, "genre", name))

    def _add(self, row_id: str, name: str, placed: list[PlacedTitle], *, shortest: int = SHORTEST_ROW) -> bool:
        if len(placed) < shortest:
            return False
        self.rows.append(PageRow(row_id=row_id, name=name, titles=placed))
        self.shown.update(item.title.title_id for item in placed)
        return True

    def _placed(
        self, title_ids: Iterable[str], reason: str, text: str, because_title_id: str | None = None
    ) -> list[PlacedTitle]:
        return [
            PlacedTitle(title=self.shelf.titles[title_id], reason=reason, text=text, because_title_id=because_title_id)
            for title_id in title_ids
        ]

    def _take(self, title_ids: Iterable[str], count: int) -> list[str]:
        """The first of these titles that may be shown, are not on the page yet and were not watched."""
        fit = (
            title_id
            for title_id in title_ids
            if title_id in self.shelf.titles and title_id not in self.shown and title_id not in self.watched
        )
        return list(islice(fit, count))

    def _text_of(self, reason: str, because_title_id: str | None) -> str:
        if because_title_id is not None and because_title_id in self.shelf.titles:
            return f"Because you watched {self.shelf.titles[because_title_id].name}"
        return REASON_TEXTS.get(reason, "Picked for you")
