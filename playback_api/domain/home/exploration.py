"""A little exploration, with the probability of every choice written down.

Without logged propensities nobody can tell later how another ranking would have done; without any exploration there is
nothing to tell it from. Most places show what the ranking says; from the third on, a place shows with probability
epsilon a title drawn uniformly from what the page does not show otherwise.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass

EPSILON = 0.1
FIRST_EXPLORED_POSITION = 2


@dataclass(frozen=True, kw_only=True)
class Placing:
    """A title in its place, with the probability that it was put there given the places before it."""

    title_id: str
    propensity: float
    explored: bool = False


def day_generator(viewer_id: str, day: str) -> random.Random:
    """Randomness that is the same for a viewer all day: a page that is opened again shows the same titles."""
    digest = hashlib.blake2b(f"{viewer_id}|{day}".encode(), digest_size=8).digest()
    return random.Random(int.from_bytes(digest, "big"))


def explore(
    ranked: Sequence[str], pool: Sequence[str], generator: random.Random, *, epsilon: float = EPSILON
) -> list[Placing]:
    """Replace a few of the ranked titles by titles of the pool.

    Args:
        ranked: What the ranking shows, best first.
        pool: What may be shown instead; has no title of ``ranked``.
        generator: Randomness.
        epsilon: Probability that a place explores.

    Returns:
        As many placings as ``ranked`` has titles. A title that was replaced is not shown.
    """
    left = list(pool)
    placings: list[Placing] = []
    for position, title_id in enumerate(ranked):
        if position < FIRST_EXPLORED_POSITION or not left:
            placings.append(Placing(title_id=title_id, propensity=1.0))
        elif generator.random() < epsilon:
            propensity = epsilon / len(left)
            drawn = left.pop(generator.randrange(len(left)))
            placings.append(Placing(title_id=drawn, propensity=propensity, explored=True))
        else:
            placings.append(Placing(title_id=title_id, propensity=1.0 - epsilon))
    return placings
