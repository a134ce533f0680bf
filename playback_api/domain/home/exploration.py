"""A little exploration, with the probability of every choice written down.

Without logged propensities nobody can tell later how another ranking would have done; without any exploration there is
nothing to tell it from. Most places show what the ranking says; from the third on, a place shows with probability
epsilon a title drawn uniformly from what the page does not show otherwise.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Collection, Container, Sequence
from dataclasses import dataclass

EPSILON = 0.1
"""Where no experiment says otherwise."""
FIRST_EXPLORED_POSITION = 2


@dataclass(frozen=True, kw_only=True)
class Placing:
    """A title in its place, with the probability that it was put there given the places before it."""

    title_id: str
    propensity: float
    explored: bool = False


class ExplorationPool:
    """What may be drawn: all titles but those that are taken. Never listed, so that a large catalogue costs nothing.

    Args:
        title_ids: All titles, each once.
        members: The same titles, for look-ups.
        taken: Titles that must not be drawn.
    """

    def __init__(self, title_ids: Sequence[str], members: Container[str], taken: Collection[str]) -> None:
        self._title_ids = title_ids
        self._taken = {title_id for title_id in taken if title_id in members}

    def __len__(self) -> int:
        return len(self._title_ids) - len(self._taken)

    def draw(self, generator: random.Random) -> str:
        """One of the titles that are left, each with the same probability; it is taken then."""
        while True:
            title_id = self._title_ids[generator.randrange(len(self._title_ids))]
            if title_id not in self._taken:
                self._taken.add(title_id)
                return title_id


def day_generator(viewer_id: str, day: str) -> random.Random:
    """Randomness that is the same for a viewer all day: a page that is opened again shows the same titles."""
    digest = hashlib.blake2b(f"{viewer_id}|{day}".encode(), digest_size=8).digest()
    return random.Random(int.from_bytes(digest, "big"))


def explore(ranked: Sequence[str], pool: ExplorationPool, generator: random.Random, *, epsilon: float) -> list[Placing]:
    """Replace a few of the ranked titles by titles of the pool.

    Args:
        ranked: What the ranking shows, best first.
        pool: What may be shown instead; every title of ``ranked`` is taken in it.
        generator: Randomness.
        epsilon: Probability that a place explores.

    Returns:
        As many placings as ``ranked`` has titles. A title that was replaced is not shown.
    """
    placings: list[Placing] = []
    for position, title_id in enumerate(ranked):
        if position < FIRST_EXPLORED_POSITION or not pool:
            placings.append(Placing(title_id=title_id, propensity=1.0))
        elif generator.random() < epsilon:
            propensity = epsilon / len(pool)
            placings.append(Placing(title_id=pool.draw(generator), propensity=propensity, explored=True))
        else:
            placings.append(Placing(title_id=title_id, propensity=1.0 - epsilon))
    return placings
