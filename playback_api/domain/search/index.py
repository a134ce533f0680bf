"""An index over names and genres that forgives accents, case, unfinished words and slips of the finger.

Built once for a snapshot. A query word matches an index word exactly, as its beginning, or, when neither matches
anything, within one edit (two from eight letters on), found through shared trigrams. Every query word must match.
"""

from __future__ import annotations

import bisect
import math
import re
import unicodedata
from collections.abc import Iterable

from playback_api.snapshot import TitleRecord

EXACT, PREFIX, TYPO = 1.0, 0.8, 0.5
NAME_WEIGHT, GENRE_WEIGHT = 1.0, 0.6
_WORD = re.compile(r"[^\W_]+")


class SearchIndex:
    """Finds titles by words.

    Args:
        titles: What can be found.
        popularity: Score by title over all regions; breaks ties.
    """

    def __init__(self, titles: Iterable[TitleRecord], popularity: dict[str, float]) -> None:
        self._popularity = popularity
        self._weights_by_word: dict[str, dict[str, float]] = {}
        for title in titles:
            for genre in title.genres:
                self._add(title.title_id, genre, GENRE_WEIGHT)
            self._add(title.title_id, title.name, NAME_WEIGHT)
        self._words = sorted(self._weights_by_word)
        self._words_by_trigram: dict[str, set[str]] = {}
        for word in self._words:
            for trigram in _trigrams(word):
                self._words_by_trigram.setdefault(trigram, set()).add(word)

    def find(self, query: str) -> list[str]:
        """Ids of the matching titles, best first; all words must match, each by its best means."""
        scores: dict[str, float] | None = None
        for query_word in words_of(query):
            matches = self._titles_of(query_word)
            if scores is None:
                scores = matches
            else:
                scores = {title: scores[title] + matches[title] for title in scores.keys() & matches.keys()}
        if not scores:
            return []
        found = scores
        return sorted(found, key=lambda title: (-found[title], -self._popularity.get(title, 0.0), title))

    def _titles_of(self, query_word: str) -> dict[str, float]:
        quality_by_word = dict.fromkeys(self._words_starting_with(query_word), PREFIX)
        if query_word in self._weights_by_word:
            quality_by_word[query_word] = EXACT
        if not quality_by_word:
            quality_by_word = dict.fromkeys(self._words_like(query_word), TYPO)
        best: dict[str, float] = {}
        for word, quality in quality_by_word.items():
            for title_id, weight in self._weights_by_word[word].items():
                best[title_id] = max(best.get(title_id, 0.0), quality * weight)
        return best

    def _words_starting_with(self, beginning: str) -> list[str]:
        start = bisect.bisect_left(self._words, beginning)
        found = []
        for word in self._words[start:]:
            if not word.startswith(beginning):
                break
            found.append(word)
        return found

    def _words_like(self, query_word: str) -> list[str]:
        allowed = _allowed_edits(query_word)
        if not allowed:
            return []
        candidates = set().union(*(self._words_by_trigram.get(trigram, set()) for trigram in _trigrams(query_word)))
        near = (word for word in candidates if abs(len(word) - len(query_word)) <= allowed)
        return [word for word in near if edit_distance(word, query_word, limit=allowed) <= allowed]

    def _add(self, title_id: str, text: str, weight: float) -> None:
        for word in words_of(text):
            titles = self._weights_by_word.setdefault(word, {})
            titles[title_id] = max(weight, titles.get(title_id, 0.0))


def words_of(text: str) -> list[str]:
    """The words of a text, without case and accents."""
    plain = "".join(
        letter for letter in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(letter)
    )
    return _WORD.findall(plain)


def edit_distance(first: str, second: str, *, limit: int) -> float:
    """Insertions, deletions, substitutions and swaps of neighbours between two words; infinite above ``limit``.

    The restricted Damerau-Levenshtein distance (optimal string alignment).
    """
    before_last: list[int] = []
    last = list(range(len(second) + 1))
    for row, letter in enumerate(first, start=1):
        current = [row]
        for column, other in enumerate(second, start=1):
            cost = min(last[column] + 1, current[-1] + 1, last[column - 1] + (letter != other))
            if row > 1 and column > 1 and letter == second[column - 2] and first[row - 2] == other:
                cost = min(cost, before_last[column - 2] + 1)
            current.append(cost)
        if min(current) > limit:
            return math.inf
        before_last, last = last, current
    return last[-1]


def _allowed_edits(word: str) -> int:
    if len(word) < 4:
        return 0
    return 1 if len(word) < 8 else 2


def _trigrams(word: str) -> set[str]:
    padded = f"  {word} "
    return {padded[start : start + 3] for start in range(len(padded) - 2)}
